/**
 * What a light client is shown of one block of CometBFT: header, commit, and the validators who signed it.
 *
 * The same rules as `registry/core/light_client/light_block.py` and `parsing.py`. Times are nanoseconds, as
 * big integers: a number would lose the last digits, and with them every signature.
 */
import { equalBytes, hex, utf8 } from '../encoding'
import { sha256 } from '../hashing'
import { admitKey, type PublicKey } from '../keys'
import { Problem } from '../problem'
import { lightBlockBytes } from './encodings'
import { BYTES, readFields, VARINT } from './wire'

export const SECOND = 1_000_000_000n // in nanoseconds
export const MAX_VALIDATORS = 128
const MAX_BYTES = 1 << 15 // 128 validators and their votes need 23 kB
const MAX_TIME = 253_402_300_800n * SECOND // the year 10000
const MAX_APP_HASH = 64
const ADDRESS = 20

export const ABSENT = 1
export const COMMIT = 2
export const NIL = 3

export interface BlockId {
  readonly hash: Uint8Array // 32 bytes; empty in the header of the first block
  readonly parts: number
  readonly partsHash: Uint8Array
}

export interface Header {
  readonly blockVersion: number
  readonly appVersion: number
  readonly chainId: string
  readonly height: number // of the engine, not of the ledger
  readonly time: bigint // nanoseconds since 1970
  readonly lastBlock: BlockId
  readonly lastCommitHash: Uint8Array
  readonly dataHash: Uint8Array
  readonly validatorsHash: Uint8Array
  readonly nextValidatorsHash: Uint8Array
  readonly consensusHash: Uint8Array
  readonly appHash: Uint8Array // of the state after the block before this one
  readonly lastResultsHash: Uint8Array
  readonly evidenceHash: Uint8Array
  readonly proposer: Uint8Array
}

export interface CommitVote {
  readonly kind: number // ABSENT, COMMIT or NIL
  readonly address: Uint8Array
  readonly time: bigint
  readonly signature: Uint8Array
}

export interface Commit {
  readonly height: number
  readonly round: number
  readonly block: BlockId
  readonly votes: readonly CommitVote[] // one for each validator, in the order of the set
}

export interface Validator {
  readonly key: PublicKey // Ed25519
  readonly power: number
  readonly address: Uint8Array // 20 bytes
}

/** Unverified until `verifyCommit`, and believed only after `verifyLater` or `verifyNotLater`. */
export interface LightBlock {
  readonly header: Header
  readonly commit: Commit
  readonly validators: readonly Validator[]
}

/**
 * Read a `tendermint.types.LightBlock` that has one encoding only.
 *
 * @throws Problem 'malformed'
 */
export function parseLightBlock(data: Uint8Array): LightBlock {
  if (data.length > MAX_BYTES) fail('light block is too long')
  const found = readFields(data, PAIR, 2)
  const signed = readFields(found.bytes(1), PAIR, 2)
  const validators = readFields(found.bytes(2), { 1: BYTES }, MAX_VALIDATORS).all(1).map(readValidator)
  checkValidators(validators)
  const block = { header: readHeader(signed.bytes(1)), commit: readCommit(signed.bytes(2)), validators }
  if (!equalBytes(lightBlockBytes(block), data)) fail('light block is not encoded in its one way')
  return block
}

/** @throws Problem 'malformed' for a key that is not admitted, or a power below 1. */
export function validatorOf(key: PublicKey, power: number): Validator {
  if (key.type !== 'Ed25519') fail('a validator votes with an Ed25519 key')
  if (!Number.isSafeInteger(power) || power < 1) fail('voting power')
  return { key, power, address: sha256(key.data).slice(0, ADDRESS) }
}

/** Nobody twice, not too much power, by falling power and then by address. @throws Problem 'malformed' */
export function checkValidators(validators: readonly Validator[]): void {
  if (validators.length < 1 || validators.length > MAX_VALIDATORS) fail('number of validators')
  if (!Number.isSafeInteger(powerOf(validators))) fail('voting power of all')
  for (let at = 1; at < validators.length; at++) {
    const [one, other] = [validators[at - 1] as Validator, validators[at] as Validator]
    const rises = one.power > other.power || (one.power === other.power && hex(one.address) < hex(other.address))
    if (!rises) fail('validators are not ordered, or one is there twice')
  }
  if (new Set(validators.map(({ address }) => hex(address))).size !== validators.length) fail('a validator is there twice')
}

/** Voting power of all together. */
export function powerOf(validators: readonly Validator[]): number {
  return validators.reduce((sum, { power }) => sum + power, 0)
}

const PAIR = { 1: BYTES, 2: BYTES }
const NUMBERS = { 1: VARINT, 2: VARINT }
const HEADER = { 1: BYTES, 2: BYTES, 3: VARINT, ...Object.fromEntries(Array.from({ length: 11 }, (_, at) => [at + 4, BYTES])) }

function readHeader(data: Uint8Array): Header {
  const found = readFields(data, HEADER, 14)
  const version = readFields(found.bytes(1), NUMBERS, 2)
  const header = {
    blockVersion: version.number(1),
    appVersion: version.number(2),
    chainId: String.fromCharCode(...found.bytes(2)),
    height: found.number(3),
    time: readTime(found.bytes(4)),
    lastBlock: readBlockId(found.bytes(5)),
    lastCommitHash: readHash(found.bytes(6)),
    dataHash: readHash(found.bytes(7)),
    validatorsHash: readHash(found.bytes(8)),
    nextValidatorsHash: readHash(found.bytes(9)),
    consensusHash: readHash(found.bytes(10)),
    appHash: found.bytes(11),
    lastResultsHash: readHash(found.bytes(12)),
    evidenceHash: readHash(found.bytes(13)),
    proposer: found.bytes(14),
  }
  if (!isChainId(header.chainId)) fail('chain id')
  if (header.height < 1) fail('height of a header')
  if (header.appHash.length > MAX_APP_HASH || header.proposer.length !== ADDRESS) fail('app hash or proposer')
  return header
}

export function isChainId(text: unknown): text is string {
  return typeof text === 'string' && /^[\x21-\x7e]{1,50}$/.test(text)
}

function readCommit(data: Uint8Array): Commit {
  const found = readFields(data, { 1: VARINT, 2: VARINT, 3: BYTES, 4: BYTES }, 3 + MAX_VALIDATORS)
  const votes = found.all(4).map(readVote)
  if (votes.length < 1 || votes.length > MAX_VALIDATORS) fail('number of votes')
  if (found.number(1) < 1 || found.number(2) > 2 ** 31 - 1) fail('height or round of a commit')
  return { height: found.number(1), round: found.number(2), block: readBlockId(found.bytes(3)), votes }
}

function readVote(data: Uint8Array): CommitVote {
  const found = readFields(data, { 1: VARINT, 2: BYTES, 3: BYTES, 4: BYTES }, 4)
  const vote = { kind: found.number(1), address: found.bytes(2), time: readTime(found.bytes(3)), signature: found.bytes(4) }
  if (![ABSENT, COMMIT, NIL].includes(vote.kind)) fail('a vote of no known kind')
  const [address, signature] = vote.kind === ABSENT ? [0, 0] : [ADDRESS, 64]
  if (vote.address.length !== address || vote.signature.length !== signature) fail('a vote is neither absent nor whole')
  if (vote.kind === ABSENT && vote.time !== 0n) fail('an absent vote has a time')
  return vote
}

function readValidator(data: Uint8Array): Validator {
  const found = readFields(data, { 1: BYTES, 2: BYTES, 3: VARINT }, 3)
  const key = admitKey('Ed25519', Uint8Array.from(readFields(found.bytes(2), { 1: BYTES }, 1).bytes(1)))
  return validatorOf(key, found.number(3))
}

function readBlockId(data: Uint8Array): BlockId {
  const found = readFields(data, PAIR, 2)
  const parts = readFields(found.bytes(2), { 1: VARINT, 2: BYTES }, 2)
  if (parts.number(1) > 2 ** 32 - 1) fail('parts of a block')
  return { hash: readHash(found.bytes(1)), parts: parts.number(1), partsHash: readHash(parts.bytes(2)) }
}

function readTime(data: Uint8Array): bigint {
  const found = readFields(data, NUMBERS, 2)
  if (BigInt(found.number(2)) >= SECOND) fail('nanoseconds of a time')
  const time = BigInt(found.number(1)) * SECOND + BigInt(found.number(2))
  return time < MAX_TIME ? time : fail('a time is out of range')
}

function readHash(value: Uint8Array): Uint8Array {
  return value.length === 0 || value.length === 32 ? value : fail('a hash has not 32 bytes')
}

/** For hashing and signing: the chain's name as bytes. */
export const chainBytes = (chainId: string): Uint8Array => utf8(chainId)

function fail(detail: string): never {
  throw new Problem('malformed', detail)
}
