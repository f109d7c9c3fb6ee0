/**
 * The trust anchor and the signed head: what a reader needs to trust no node.
 *
 * A head is a C2SP checkpoint (signed note): the size and root of the log, the height, time and state
 * root of the ledger. An operator's head keys have signed it; or, in a consortium, its validators have, and
 * the light block that proves this stands in place of the signature.
 */
import { base64Decode, concat, equalBytes, hex, isObject, utf8, withMembers, type Json, type JsonObject } from './encoding'
import { admitKey, multikeyOf, verifySignature, type PublicKey } from './keys'
import { sha256 } from './hashing'
import { advanced, chainJson, CONSORTIUM_TYPE, newestOf, parseChain, readEvidence, verifyBlock, type Chain } from './light/consortium'
import { parseLightBlock, powerOf, SECOND } from './light/light_block'
import type { CommittedBlock } from './light/verification'
import { Problem } from './problem'

const MAX_HEAD_CHARS = 1 << 17 // 16 signatures of 5 kB, which the note format obliges us to read
const MAX_SIGNATURES = 64
const MAX_KEYS = 64
const MAX_WITNESSES = 32
const HEAD_TYPE = 1 // an Ed25519 signature under a note
const COSIGNATURE_TYPE = 4 // a timestamped co-signature (C2SP tlog-cosignature)
const COSIGNATURE_BYTES = 8 + 64 // the time, big-endian, and the signature

interface HeadKey {
  readonly name: string
  readonly id: Uint8Array // 4 bytes
  readonly key: PublicKey
}

/** What a reader pins. */
export type TrustAnchor = OperatorAnchor | ConsortiumAnchor

export interface OperatorAnchor {
  readonly kind: 'operator'
  readonly network: string
  readonly keys: readonly HeadKey[]
  readonly threshold: number
  readonly witnesses: Quorum | null // null: heads need no co-signature
}

export interface ConsortiumAnchor {
  readonly kind: 'consortium'
  readonly network: string
  readonly roots: readonly string[]
  readonly chain: Chain // moves on with each head that is believed; see `anchorAfter`
  readonly witnesses: Quorum | null
}

/** Whose co-signatures count, and how many distinct keys a head needs. */
export interface Quorum {
  readonly keys: readonly HeadKey[]
  readonly threshold: number
}

/** A verified head. */
export interface Head {
  readonly size: number
  readonly logRoot: Uint8Array
  readonly height: number
  readonly time: number // unix seconds
  readonly stateRoot: Uint8Array
}

/** @throws Problem 'malformed' */
export function parseTrustAnchor(value: Json): TrustAnchor {
  if (isObject(value) && value.type === CONSORTIUM_TYPE) return parseConsortiumAnchor(value)
  if (!isObject(value) || value.type !== 'cairn-trust-anchor/1') fail('not a trust anchor')
  const { network, heads } = value as JsonObject
  if (typeof network !== 'string' || !/^[a-z0-9-]{1,32}$/.test(network)) fail('network name')
  const signers = parseKeys(heads, HEAD_TYPE, MAX_KEYS)
  const { witnesses } = value as JsonObject
  const quorum = witnesses === undefined ? null : parseKeys(witnesses, COSIGNATURE_TYPE, MAX_WITNESSES)
  const signing = new Set(signers.keys.map(({ key }) => hex(key.data)))
  if (quorum?.keys.some(({ key }) => signing.has(hex(key.data)))) fail('a key that signs heads is no witness')
  return { kind: 'operator', network: network as string, ...signers, witnesses: quorum }
}

function parseConsortiumAnchor(value: JsonObject): ConsortiumAnchor {
  const { network, chain, trusted, roots, witnesses } = withMembers(value, ['type', 'network', 'chain', 'trusted', 'roots'], ['witnesses'])
  if (typeof network !== 'string' || !/^[a-z0-9-]{1,32}$/.test(network)) fail('network name')
  if (!Array.isArray(roots) || roots.length < 1 || roots.length > MAX_KEYS) fail('roots')
  if ((roots as Json[]).some((root) => typeof root !== 'string' || !root.startsWith(`did:cairn:${network as string}:`))) fail('roots')
  return {
    kind: 'consortium',
    network: network as string,
    roots: roots as string[],
    chain: parseChain(chain, trusted),
    witnesses: witnesses === undefined ? null : parseKeys(witnesses, COSIGNATURE_TYPE, MAX_WITNESSES),
  }
}

/** The JSON form of a consortium's anchor, with `pinned` for what does not change. */
export function consortiumAnchorJson(pinned: JsonObject, anchor: ConsortiumAnchor): JsonObject {
  return { ...pinned, ...chainJson(anchor.chain) }
}

function parseKeys(value: Json | undefined, type: number, most: number): Quorum {
  if (!isObject(value) || !Array.isArray(value.keys)) fail('head keys')
  const { keys, threshold } = value as { keys: Json[]; threshold: Json }
  if (keys.length < 1 || keys.length > most) fail('number of head keys')
  if (typeof threshold !== 'number' || !Number.isInteger(threshold)) fail('threshold')
  if ((threshold as number) < 1 || (threshold as number) > keys.length) fail('threshold')
  const parsed = keys.map((text) => parseVerifierKey(text, type))
  const distinct = new Set(parsed.map(({ key }) => hex(key.data)))
  if (distinct.size !== parsed.length) fail('a head key is listed twice')
  return { keys: parsed, threshold: threshold as number }
}

/** `name+hexkeyid+base64(type || key)` (C2SP signed-note, "Verifier keys"). */
function parseVerifierKey(text: Json, type: number): HeadKey {
  const match = typeof text === 'string' ? /^([^\s+]+)\+([0-9a-f]{8})\+(.+)$/.exec(text) : null
  if (!match) fail('verifier key')
  const [, name, id, encoded] = match as unknown as [string, string, string, string]
  const typed = base64Decode(encoded)
  if (typed[0] !== type || typed.length !== 33) fail('verifier key is not Ed25519')
  const expected = sha256(concat(utf8(`${name}\n`), typed)).slice(0, 4)
  if (hex(expected) !== id) fail('verifier key has another key id')
  return { name, id: expected, key: admitKey('Ed25519', typed.slice(1)) }
}

/**
 * Check who vouches for a head, and read it. Lines of unknown keys are passed over, as the note format
 * wants; the threshold counts distinct keys of an operator's anchor. A consortium's validators are judged by
 * the light block under the head. When the anchor names witnesses, enough of them must have co-signed as well.
 *
 * @param now Unix seconds; a consortium's anchor does not hold for ever.
 * @throws Problem 'proof' (or 'malformed')
 */
export function verifyHead(text: string, anchor: TrustAnchor, now: number = Date.now() / 1000): Head {
  return verifyHeadWith(text, anchor, now).head
}

/** As `verifyHead`, with the anchor a reader has then: a consortium's has moved on to the head's light block. */
export function followHead(text: string, anchor: TrustAnchor, now: number = Date.now() / 1000): { head: Head; anchor: TrustAnchor } {
  const { head, committed } = verifyHeadWith(text, anchor, now)
  if (anchor.kind === 'operator' || !committed) return { head, anchor }
  return { head, anchor: { ...anchor, chain: advanced(anchor.chain, committed, nanoseconds(now)) } }
}

/** Who vouches for heads, in words, and how much of their weight a head needs. */
export function signersOf(anchor: TrustAnchor): { names: string[]; needed: number; all: number } {
  if (anchor.kind === 'operator') {
    return { names: anchor.keys.map(({ name }) => name), needed: anchor.threshold, all: anchor.keys.length }
  }
  const { validators } = newestOf(anchor.chain)
  const all = powerOf(validators)
  return { names: validators.map(({ key }) => multikeyOf(key)), needed: Math.floor((2 * all) / 3) + 1, all }
}

/** Whether two anchors stand for the same registry: the same keys, or the same chain and roots. */
export function isSameRegistry(one: TrustAnchor, other: TrustAnchor): boolean {
  const words = (anchor: TrustAnchor): string =>
    anchor.kind === 'operator'
      ? anchor.keys.map(({ name, key }) => `${name} ${hex(key.data)}`).join()
      : `${anchor.chain.rules.chainId} ${anchor.roots.join()}`
  return one.kind === other.kind && one.network === other.network && words(one) === words(other)
}

/** The engine height of the light block under a consortium's head. @throws Problem */
export function engineHeight(text: string, anchor: ConsortiumAnchor): number {
  const { body, signatures } = splitNote(text)
  return readEvidence(anchor.network, body, signatures).header.height
}

/** Trust one light block more, as it stands between a reader and a head. @throws Problem */
export function anchorAfterBlock(data: Uint8Array, height: number, anchor: ConsortiumAnchor, now: number = Date.now() / 1000): ConsortiumAnchor {
  const block = parseLightBlock(data)
  if (block.header.height !== height) throw new Problem('proof', 'the light block is of another height')
  const committed = verifyBlock(anchor.chain, block, nanoseconds(now))
  return { ...anchor, chain: advanced(anchor.chain, committed, nanoseconds(now)) }
}

function nanoseconds(seconds: number): bigint {
  return BigInt(Math.floor(seconds)) * SECOND
}

function splitNote(text: string): { body: string; signatures: string[] } {
  const split = text.lastIndexOf('\n\n')
  if (text.length > MAX_HEAD_CHARS || split < 0 || !text.endsWith('\n')) fail('not a checkpoint')
  if (/[\u0000-\u0009\u000b-\u001f\u007f]/.test(text)) fail('head has a control character')
  const body = text.slice(0, split + 1)
  const signatures = text.slice(split + 2, -1).split('\n')
  if (signatures.length > MAX_SIGNATURES) fail('head has too many signatures')
  return { body, signatures }
}

function verifyHeadWith(text: string, anchor: TrustAnchor, now: number): { head: Head; committed: CommittedBlock | null } {
  const { body, signatures } = splitNote(text)
  const signers = new Set<HeadKey>()
  const witnesses = new Set<HeadKey>()
  for (const line of signatures) {
    const match = /^\u2014 (\S+) (\S+)$/u.exec(line)
    if (!match) fail('signature line')
    const [, name, encoded] = match as unknown as [string, string, string]
    const signature = base64Decode(encoded)
    const isOf = (known: HeadKey): boolean => known.name === name && equalBytes(known.id, signature.slice(0, 4))
    const witness = anchor.witnesses?.keys.find(isOf)
    if (witness) {
      verifyCosignature(witness.key, body, signature.slice(4))
      witnesses.add(witness)
    }
    const key = anchor.kind === 'operator' ? anchor.keys.find(isOf) : undefined
    if (!key) continue
    try {
      verifySignature(key.key, utf8(body), signature.slice(4))
    } catch {
      throw new Problem('proof', 'head has a signature that does not verify')
    }
    signers.add(key)
  }
  if (anchor.kind === 'operator' && signers.size < anchor.threshold) throw new Problem('proof', 'head has too few signatures')
  if (anchor.witnesses && witnesses.size < anchor.witnesses.threshold) {
    throw new Problem('proof', 'head has too few witnesses')
  }

  const lines = body.slice(0, -1).split('\n')
  if (lines.length !== 6 || lines[0] !== `cairn/${anchor.network}`) fail('head of another network')
  const [, size, logRoot, height, time, state] = lines as [string, string, string, string, string, string]
  const head = {
    size: decimal(size),
    logRoot: root(logRoot),
    height: decimal(after('height ', height)),
    time: decimal(after('time ', time)),
    stateRoot: root(after('state ', state)),
  }
  if (anchor.kind === 'operator') return { head, committed: null }
  const evidence = readEvidence(anchor.network, body, signatures)
  return { head, committed: verifyBlock(anchor.chain, evidence, nanoseconds(now)) }
}

/** @throws Problem 'proof' */
function verifyCosignature(key: PublicKey, body: string, timed: Uint8Array): void {
  try {
    if (timed.length !== COSIGNATURE_BYTES) fail('co-signature')
    const time = new DataView(timed.buffer, timed.byteOffset, 8).getBigUint64(0)
    if (time < 1n || time > BigInt(Number.MAX_SAFE_INTEGER)) fail('time of a co-signature')
    verifySignature(key, utf8(`cosignature/v1\ntime ${time}\n${body}`), timed.slice(8))
  } catch {
    throw new Problem('proof', 'head has a co-signature that does not verify')
  }
}

function after(prefix: string, line: string): string {
  if (!line.startsWith(prefix)) fail(`head has no ${prefix.trim()}`)
  return line.slice(prefix.length)
}

function decimal(text: string): number {
  const value = Number(text)
  if (!/^(0|[1-9][0-9]*)$/.test(text) || !Number.isSafeInteger(value)) fail('head has a bad number')
  return value
}

function root(text: string): Uint8Array {
  const value = base64Decode(text)
  if (value.length !== 32) fail('root is not 32 bytes')
  return value
}

function fail(detail: string): never {
  throw new Problem('malformed', detail)
}

