/**
 * The trust anchor and the signed head: what a reader needs to trust no node.
 *
 * A head is a C2SP checkpoint (signed note): the size and root of the log, the height, time and state
 * root of the ledger, signed by the consortium's head keys.
 */
import { base64Decode, concat, equalBytes, hex, isObject, utf8, type Json, type JsonObject } from './encoding'
import { admitKey, verifySignature, type PublicKey } from './keys'
import { sha256 } from './hashing'
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

export interface TrustAnchor {
  readonly network: string
  readonly keys: readonly HeadKey[]
  readonly threshold: number
  readonly witnesses: Quorum | null // null: heads need no co-signature
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
  if (!isObject(value) || value.type !== 'cairn-trust-anchor/1') fail('not a trust anchor')
  const { network, heads } = value as JsonObject
  if (typeof network !== 'string' || !/^[a-z0-9-]{1,32}$/.test(network)) fail('network name')
  const signers = parseKeys(heads, HEAD_TYPE, MAX_KEYS)
  const { witnesses } = value as JsonObject
  const quorum = witnesses === undefined ? null : parseKeys(witnesses, COSIGNATURE_TYPE, MAX_WITNESSES)
  const signing = new Set(signers.keys.map(({ key }) => hex(key.data)))
  if (quorum?.keys.some(({ key }) => signing.has(hex(key.data)))) fail('a key that signs heads is no witness')
  return { network: network as string, ...signers, witnesses: quorum }
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
 * Check signatures and read the head. Lines of unknown keys are passed over, as the note format
 * wants; the threshold counts distinct keys of the anchor. When the anchor names witnesses, enough of
 * them must have co-signed the head as well.
 *
 * @throws Problem 'proof' (or 'malformed')
 */
export function verifyHead(text: string, anchor: TrustAnchor): Head {
  const split = text.lastIndexOf('\n\n')
  if (text.length > MAX_HEAD_CHARS || split < 0 || !text.endsWith('\n')) fail('not a checkpoint')
  if (/[\u0000-\u0009\u000b-\u001f\u007f]/.test(text)) fail('head has a control character')
  const body = text.slice(0, split + 1)
  const signatures = text.slice(split + 2, -1).split('\n')
  if (signatures.length > MAX_SIGNATURES) fail('head has too many signatures')
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
    const key = anchor.keys.find(isOf)
    if (!key) continue
    try {
      verifySignature(key.key, utf8(body), signature.slice(4))
    } catch {
      throw new Problem('proof', 'head has a signature that does not verify')
    }
    signers.add(key)
  }
  if (signers.size < anchor.threshold) throw new Problem('proof', 'head has too few signatures')
  if (anchor.witnesses && witnesses.size < anchor.witnesses.threshold) {
    throw new Problem('proof', 'head has too few witnesses')
  }

  const lines = body.slice(0, -1).split('\n')
  if (lines.length !== 6 || lines[0] !== `cairn/${anchor.network}`) fail('head of another network')
  const [, size, logRoot, height, time, state] = lines as [string, string, string, string, string, string]
  return {
    size: decimal(size),
    logRoot: root(logRoot),
    height: decimal(after('height ', height)),
    time: decimal(after('time ', time)),
    stateRoot: root(after('state ', state)),
  }
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

