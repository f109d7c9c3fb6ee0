/**
 * The trust anchor of a consortium, and the evidence under its heads, as `registry/core/consortium_anchor.py`
 * and `consortium_head.py`: headers that are trusted, and the rules to go on from them.
 */
import { base64Decode, base64urlDecode, base64urlEncode, concat, equalBytes, hex, utf8, withMembers, type Json, type JsonObject } from '../encoding'
import { labelledHash, sha256 } from '../hashing'
import { multikeyOf, parseMultikey } from '../keys'
import { Problem } from '../problem'
import { checkValidators, isChainId, parseLightBlock, SECOND, validatorOf, type LightBlock } from './light_block'
import {
  isFresh,
  LightProblem,
  trustedBlock,
  verifyLater,
  verifyNotLater,
  type CommittedBlock,
  type LightRules,
  type TrustedBlock,
} from './verification'

export const CONSORTIUM_TYPE = 'cairn-consortium-anchor/1'
const MAX_TRUSTED = 16
const MAX_VALIDATORS = 128
const MAX_TRUSTING_SECONDS = 10 * 366 * 86_400
const MAX_DRIFT_SECONDS = 3_600
const MAX_SECONDS = 253_402_300_800 // the year 10000
const EVIDENCE_TYPE = concat(Uint8Array.of(0xff), utf8('cairn/light-block/v1'))

export interface Chain {
  readonly rules: LightRules
  readonly trusted: readonly TrustedBlock[] // by rising height; the last one is where the reader stands
}

/** Members `chain` and `trusted` of a consortium's anchor. @throws Problem 'malformed' */
export function parseChain(chain: Json | undefined, trusted: Json | undefined): Chain {
  const found = withMembers(chain, ['id', 'trusting_period_seconds', 'clock_drift_seconds'])
  if (!isChainId(found.id)) fail('chain id')
  if (!Array.isArray(trusted) || trusted.length < 1 || trusted.length > MAX_TRUSTED) fail('trusted headers')
  const blocks = (trusted as Json[]).map(parseTrusted)
  blocks.slice(1).forEach((block, at) => {
    const before = blocks[at] as TrustedBlock
    if (block.height <= before.height || block.time <= before.time) fail('trusted headers do not rise')
  })
  return {
    rules: {
      chainId: found.id as string,
      trustingSeconds: integer(found.trusting_period_seconds, 1, MAX_TRUSTING_SECONDS),
      driftSeconds: integer(found.clock_drift_seconds, 0, MAX_DRIFT_SECONDS),
    },
    trusted: blocks,
  }
}

/** The same members again; `parseChain` reads them. */
export function chainJson({ rules, trusted }: Chain): JsonObject {
  return {
    chain: {
      id: rules.chainId,
      trusting_period_seconds: rules.trustingSeconds,
      clock_drift_seconds: rules.driftSeconds,
    },
    trusted: trusted.map((block) => ({
      height: block.height,
      hash: base64urlEncode(block.hash),
      time: Number(block.time / SECOND),
      nanoseconds: Number(block.time % SECOND),
      validators: block.validators.map(({ key, power }) => ({ key: multikeyOf(key), power })),
      next_validators_hash: base64urlEncode(block.nextValidatorsHash),
    })),
  }
}

/** Where a reader of this chain stands. */
export function newestOf(chain: Chain): TrustedBlock {
  return chain.trusted.at(-1) as TrustedBlock
}

/**
 * The light block under a head, of a header that carries this head; unverified.
 *
 * @param body the six lines of the head.
 * @param lines its signature lines.
 * @throws Problem 'proof' (or 'malformed')
 */
export function readEvidence(network: string, body: string, lines: readonly string[]): LightBlock {
  const name = `cairn/${network}/validators`
  const id = sha256(concat(utf8(`${name}\n`), EVIDENCE_TYPE)).slice(0, 4)
  const found: Uint8Array[] = []
  for (const line of lines) {
    const [, signer, encoded] = line.split(' ') as [string, string | undefined, string | undefined]
    const data = base64Decode(encoded ?? '')
    if (signer === name && equalBytes(data.slice(0, 4), id)) found.push(data.slice(4))
  }
  if (found.length !== 1) throw new Problem('proof', 'the head has not one light block under it')
  const block = parseLightBlock(found[0] as Uint8Array)
  if (!equalBytes(block.header.appHash, labelledHash('cairn/app-hash/v1', utf8(body)))) {
    throw new Problem('proof', 'the light block under the head is of another state')
  }
  return block
}

/**
 * A light block against the trusted headers next to it: from the nearest one below, or when this does not
 * suffice, from the nearest one at its height or above.
 *
 * @param now nanoseconds since 1970.
 * @throws LightProblem
 */
export function verifyBlock(chain: Chain, block: LightBlock, now: bigint): CommittedBlock {
  const { height } = block.header
  const below = chain.trusted.filter((trusted) => trusted.height < height).at(-1)
  const above = chain.trusted.find((trusted) => trusted.height >= height)
  if (above && (!below || above.height === height)) return verifyNotLater(block, above, chain.rules, now)
  try {
    return verifyLater(block, below as TrustedBlock, chain.rules, now)
  } catch (error) {
    const helps = error instanceof LightProblem && ['not-enough-trust', 'trust-expired'].includes(error.reason)
    if (!helps || !above) throw error
    return verifyNotLater(block, above, chain.rules, now)
  }
}

/** The chain after a light block that `verifyBlock` returned; the same when it is no later one. */
export function advanced(chain: Chain, committed: CommittedBlock, now: bigint): Chain {
  const newest = newestOf(chain)
  if (committed.block.header.height <= newest.height) return chain
  const fresh = trustedBlock(committed)
  const kept = chain.trusted.slice(0, -1).filter((block) => isFresh(block, chain.rules, now))
  if (!sameValidators(fresh, newest)) kept.push(newest)
  return { ...chain, trusted: [...kept, fresh].slice(-MAX_TRUSTED) }
}

function sameValidators(one: TrustedBlock, other: TrustedBlock): boolean {
  const text = ({ validators }: TrustedBlock): string => validators.map(({ key, power }) => `${hex(key.data)} ${power}`).join()
  return text(one) === text(other)
}

function parseTrusted(value: Json): TrustedBlock {
  const found = withMembers(value, ['height', 'hash', 'time', 'nanoseconds', 'validators', 'next_validators_hash'])
  if (!Array.isArray(found.validators) || found.validators.length > MAX_VALIDATORS) fail('validators')
  const validators = (found.validators as Json[]).map((item) => {
    const { key, power } = withMembers(item, ['key', 'power'])
    return validatorOf(parseMultikey(key), integer(power, 1, Number.MAX_SAFE_INTEGER))
  })
  checkValidators(validators)
  const seconds = BigInt(integer(found.time, 0, MAX_SECONDS - 1))
  return {
    height: integer(found.height, 1, Number.MAX_SAFE_INTEGER),
    hash: hashOf(found.hash),
    time: seconds * SECOND + BigInt(integer(found.nanoseconds, 0, 999_999_999)),
    validators,
    nextValidatorsHash: hashOf(found.next_validators_hash),
  }
}

function hashOf(value: Json | undefined): Uint8Array {
  const data = base64urlDecode(value)
  return data.length === 32 ? data : fail('hash')
}

function integer(value: Json | undefined, low: number, high: number): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < low || value > high) return fail('number')
  return value
}

function fail(detail: string): never {
  throw new Problem('malformed', `trust anchor: ${detail}`)
}

