/**
 * The anchor receipt: proof that a credential's digest was recorded on the ledger by its issuer.
 *
 * digest -> path in the issuer's batch -> batch record -> path in the ledger's state -> signed head.
 */
import { base64urlDecode, canonicalJson, equalBytes, isObject, utf8, withMembers, type Json, type JsonObject } from './encoding'
import { labelledHash } from './hashing'
import { leafHash, verifyInclusion } from './merkle'
import { Problem } from './problem'
import { verifyRecord } from './state_map'
import { verifyHead, type Head, type TrustAnchor } from './trust'

const MEMBERS = ['type', 'network', 'digest', 'index', 'path', 'batch', 'proof', 'head']
const BATCH_MEMBERS = ['record', 'issuer', 'batch', 'root', 'count', 'types', 'height', 'time']
const MAX_BATCH_PATH = 21 // a full batch of 2^20 digests needs one less

export interface VerifiedAnchor {
  readonly issuer: string // DID
  readonly types: readonly string[]
  readonly height: number
  readonly time: number // unix seconds, of the block
  readonly head: Head
}

/**
 * Digest of an SD-JWT VC: salted, over the JWT payload, never over signature bytes. The salt is
 * inside the payload, so that only those who are shown the credential can compute it.
 *
 * @throws Problem 'malformed' when the payload has no anchor claim.
 */
export function credentialDigest(payload: JsonObject): Uint8Array {
  const anchor = payload.anchor
  if (!isObject(anchor)) throw new Problem('malformed', 'credential names no anchor')
  const salt = base64urlDecode(anchor.salt)
  if (salt.length !== 32) throw new Problem('malformed', 'anchor salt is not 32 bytes')
  return labelledHash('cairn/credential/v1', salt, utf8(canonicalJson(payload)))
}

/**
 * Check every step from the credential to the signed head.
 *
 * @param payload JWT payload of a credential whose signature has been verified.
 * @param now Unix seconds, by the reader's clock when it is left out.
 * @throws Problem 'proof' (or 'malformed')
 */
export function verifyReceipt(
  receipt: Json,
  expected: { payload: JsonObject; anchor: TrustAnchor; now?: number },
): VerifiedAnchor {
  const digest = credentialDigest(expected.payload)
  const claim = expected.payload.anchor as JsonObject
  if (claim.network !== expected.anchor.network) fail('another network')
  if (!isObject(receipt) || !isObject(receipt.batch)) fail('not a receipt')
  if (((receipt as JsonObject).batch as JsonObject).batch !== claim.batch) fail('receipt is about another batch')
  return verifyDigestReceipt(receipt, { ...expected, digest })
}

/**
 * Check every step from a digest to the signed head (docs/proofs.md, section 6).
 *
 * @param digest computed from the credential itself, or else nothing is said about a credential.
 * @throws Problem 'proof' (or 'malformed')
 */
export function verifyDigestReceipt(
  receipt: Json,
  expected: { digest: Uint8Array; anchor: TrustAnchor; now?: number },
): VerifiedAnchor {
  if (!isObject(receipt) || receipt.type !== 'cairn-anchor-receipt/1') fail('not a receipt')
  const { network, digest, index, path, batch, proof, head } = withMembers(receipt, MEMBERS)
  if (network !== expected.anchor.network) fail('another network')
  const leaf = base64urlDecode(digest)
  if (leaf.length !== 32 || !equalBytes(leaf, expected.digest)) fail('receipt is about another credential')
  if (!Array.isArray(path) || path.length > MAX_BATCH_PATH) fail('no path, or too long')
  const record = withMembers(batch, BATCH_MEMBERS)
  if (record.record !== 'batch') fail('not a batch')
  if (typeof record.issuer !== 'string' || typeof head !== 'string') fail('receipt lacks members')
  verifyInclusion({
    leaf: leafHash(leaf),
    index: index as number,
    treeSize: record.count as number,
    path: (path as Json[]).map((hash) => base64urlDecode(hash)),
    root: base64urlDecode(record.root),
  })
  const verified = verifyHead(head as string, expected.anchor, expected.now)
  const key = `batch/${record.issuer as string}/${record.batch as string}`
  verifyRecord(proof, { key, record, root: verified.stateRoot })
  if (!(record.issuer as string).startsWith(`did:cairn:${expected.anchor.network}:`)) {
    fail('batch of an issuer of another network')
  }
  if (!(Number(record.height) <= verified.height && Number(record.time) <= verified.time)) {
    fail('batch is younger than the head')
  }
  if (!Array.isArray(record.types) || typeof record.time !== 'number') fail('batch lacks members')
  return {
    issuer: record.issuer as string,
    types: (record.types as Json[]).map(String),
    height: Number(record.height),
    time: record.time as number,
    head: verified,
  }
}

function fail(detail: string): never {
  throw new Problem('proof', detail)
}
