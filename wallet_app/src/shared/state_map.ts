/**
 * Presence or absence of a record under the ledger's state root.
 *
 * The state is a binary tree over SHA-256 of the record's key, most significant bit first, in which
 * a subtree of one leaf is that leaf and an empty subtree is 32 zero bytes.
 */
import { base64urlDecode, canonicalJson, equalBytes, isObject, utf8, withMembers, type Json, type JsonObject } from './encoding'
import { labelledHash, sha256 } from './hashing'
import { Problem } from './problem'

const EMPTY = new Uint8Array(32)
const MAX_DEPTH = 256 // bits of a key hash

export function keyHash(key: string): Uint8Array {
  return labelledHash('cairn/map-key/v1', utf8(key))
}

/**
 * Check what the proof says about `key`, and hand out the record, or null for proven absence.
 *
 * @param record the record that the proof is said to hold; null claims that there is none.
 * @param root the state root of a head that the caller has verified, 32 bytes.
 * @throws Problem 'proof'
 */
export function verifyRecord(
  proof: Json | undefined,
  expected: { key: string; record: JsonObject | null; root: Uint8Array },
): JsonObject | null {
  if (!isObject(proof)) throw new Problem('proof', 'no proof')
  withMembers(proof, ['key', 'bits', 'path'], ['other'])
  if (proof.key !== expected.key) fail('proof is about another record')
  if (!Array.isArray(proof.path) || proof.path.length > MAX_DEPTH) fail('path is missing or too long')
  const path = (proof.path as Json[]).map((hash) => hash32(hash))
  if (proof.bits !== path.length) fail('path and depth disagree')
  // A pair with an empty half would have been one leaf, higher up.
  if (path[0] && equalBytes(path[0], EMPTY)) fail('path goes deeper than the map')
  const target = keyHash(expected.key)

  let hash: Uint8Array
  if (expected.record !== null) {
    if (proof.other !== undefined) fail('proof of presence names another')
    hash = leaf(target, sha256(utf8(canonicalJson(expected.record))))
  } else if (isObject(proof.other)) {
    withMembers(proof.other, ['keyhash', 'valuehash'])
    const other = hash32(proof.other.keyhash)
    if (equalBytes(other, target)) fail('absence is claimed of a record that is there')
    for (let depth = 0; depth < path.length; depth++) {
      if (bit(other, depth) !== bit(target, depth)) fail('the other record is somewhere else')
    }
    hash = leaf(other, hash32(proof.other.valuehash))
  } else {
    if (proof.other !== undefined) fail('the other record is no record')
    hash = EMPTY
  }
  path.forEach((sibling, height) => {
    const right = bit(target, path.length - 1 - height)
    hash = labelledHash('cairn/map-node/v1', right ? sibling : hash, right ? hash : sibling)
  })
  if (!equalBytes(hash, expected.root)) fail('path does not lead to the state root')
  return expected.record
}

function leaf(key: Uint8Array, value: Uint8Array): Uint8Array {
  return labelledHash('cairn/map-leaf/v1', key, value)
}

function bit(hash: Uint8Array, depth: number): boolean {
  return (((hash[depth >> 3] ?? 0) >> (7 - (depth & 7))) & 1) === 1
}

function hash32(text: Json | undefined): Uint8Array {
  const hash = base64urlDecode(text)
  if (hash.length !== 32) throw new Problem('malformed', 'hash is not 32 bytes')
  return hash
}

function fail(detail: string): never {
  throw new Problem('proof', detail)
}
