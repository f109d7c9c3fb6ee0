/**
 * From a header that is trusted to one that is not yet: the light client's rules, as in
 * `registry/core/light_client/verification.py` and `commit.py`, with the same words for each "no".
 */
import { equalBytes, hex } from '../encoding'
import { verifySignature } from '../keys'
import { Problem } from '../problem'
import { headerHash, validatorsHash, voteMessage } from './encodings'
import { ABSENT, COMMIT, powerOf, SECOND, type LightBlock, type Validator } from './light_block'

/** Why a light block is not believed; `cause` of the Problem 'proof'. */
export type Reason =
  | 'not-committed'
  | 'too-few-signed'
  | 'trust-expired'
  | 'from-the-future'
  | 'back-dated'
  | 'not-trusted'
  | 'not-enough-trust'
  | 'forked'

export class LightProblem extends Problem {
  constructor(
    readonly reason: Reason,
    detail: string,
  ) {
    super('proof', detail)
  }
}

/** A light block that its own validators have decided. */
export interface CommittedBlock {
  readonly block: LightBlock
  readonly hash: Uint8Array
  readonly signers: ReadonlySet<string> // addresses in hexadecimal
}

/** What a reader keeps of a header that it trusts. */
export interface TrustedBlock {
  readonly height: number
  readonly hash: Uint8Array
  readonly time: bigint
  readonly validators: readonly Validator[] // who signed it, or who signs the next one
  readonly nextValidatorsHash: Uint8Array
}

export interface LightRules {
  readonly chainId: string
  readonly trustingSeconds: number
  readonly driftSeconds: number
}

/** More than two thirds of a light block's own validators have signed its header. @throws LightProblem */
export function verifyCommit(block: LightBlock): CommittedBlock {
  const { header, commit, validators } = block
  const hash = headerHash(header)
  if (commit.height !== header.height || !equalBytes(commit.block.hash, hash)) refuse('not-committed', 'the commit is on another header')
  if (!equalBytes(validatorsHash(validators), header.validatorsHash)) refuse('not-committed', 'the header names other validators')
  if (commit.votes.length !== validators.length) refuse('not-committed', 'the commit has not one vote for each validator')
  const signers = new Set<string>()
  commit.votes.forEach((vote, place) => {
    if (vote.kind === ABSENT) return
    const validator = validators[place] as Validator
    if (!equalBytes(vote.address, validator.address)) refuse('not-committed', 'a vote is not of the validator at its place')
    try {
      verifySignature(validator.key, voteMessage(commit, vote, header.chainId), vote.signature)
    } catch {
      refuse('not-committed', 'a signature of the commit does not verify')
    }
    if (vote.kind === COMMIT) signers.add(hex(validator.address))
  })
  if (!isMore(powerOfSigners(signers, validators), 2, validators)) {
    refuse('too-few-signed', 'not more than two thirds of the validators have signed')
  }
  return { block, hash, signers }
}

/** A light block comes after a trusted header, on the same chain. @throws LightProblem */
export function verifyLater(block: LightBlock, trusted: TrustedBlock, rules: LightRules, now: bigint): CommittedBlock {
  const { header } = block
  verifyFrame(block, trusted, rules, now)
  if (header.height <= trusted.height || header.time <= trusted.time) {
    refuse('back-dated', 'the header is not higher and later than the trusted one')
  }
  const committed = verifyCommit(block)
  if (header.height === trusted.height + 1) {
    if (!equalBytes(header.validatorsHash, trusted.nextValidatorsHash)) {
      refuse('not-trusted', 'the next header has other validators than announced')
    }
  } else if (!isMore(powerOfSigners(committed.signers, trusted.validators), 1, trusted.validators)) {
    refuse('not-enough-trust', 'not more than a third of the trusted validators have signed')
  }
  return committed
}

/** A light block is the trusted one, or before it: then the trusted validators signed it. @throws LightProblem */
export function verifyNotLater(block: LightBlock, trusted: TrustedBlock, rules: LightRules, now: bigint): CommittedBlock {
  const { header } = block
  verifyFrame(block, trusted, rules, now)
  const same = header.height === trusted.height
  if (header.height > trusted.height || (!same && header.time >= trusted.time)) {
    refuse('back-dated', 'the header is not lower and earlier than the trusted one')
  }
  const committed = verifyCommit(block)
  const shared = powerOfSigners(committed.signers, trusted.validators)
  if (same) {
    if (equalBytes(committed.hash, trusted.hash)) return committed
    if (!isMore(shared, 1, trusted.validators)) refuse('not-trusted', 'another header, of other validators')
    refuse('forked', 'two signed headers at one height')
  }
  if (!isMore(shared, 2, trusted.validators)) {
    refuse('not-enough-trust', 'not more than two thirds of the trusted validators have signed')
  }
  return committed
}

export function isFresh(trusted: TrustedBlock, rules: LightRules, now: bigint): boolean {
  return trusted.time + BigInt(rules.trustingSeconds) * SECOND > now
}

/** What to keep of a verified light block. */
export function trustedBlock({ block, hash }: CommittedBlock): TrustedBlock {
  const { height, time, nextValidatorsHash } = block.header
  if (nextValidatorsHash.length !== 32) throw new Problem('malformed', 'the header announces no validators')
  return { height, hash, time, validators: block.validators, nextValidatorsHash }
}

function verifyFrame(block: LightBlock, trusted: TrustedBlock, rules: LightRules, now: bigint): void {
  if (!isFresh(trusted, rules, now)) refuse('trust-expired', `trust in engine height ${trusted.height} has expired`)
  if (block.header.chainId !== rules.chainId) refuse('not-trusted', 'the header is of another chain')
  if (block.header.time >= now + BigInt(rules.driftSeconds) * SECOND) refuse('from-the-future', 'the header is from the future')
}

function powerOfSigners(signers: ReadonlySet<string>, validators: readonly Validator[]): number {
  return powerOf(validators.filter(({ address }) => signers.has(hex(address))))
}

/** Whether a power is more than so many thirds of a set's. */
function isMore(power: number, thirds: number, validators: readonly Validator[]): boolean {
  return 3n * BigInt(power) > BigInt(thirds) * BigInt(powerOf(validators))
}

function refuse(reason: Reason, detail: string): never {
  throw new LightProblem(reason, detail)
}
