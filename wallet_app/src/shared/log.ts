/**
 * Answers of the ledger's log: that an entry is in it, and that it only grew.
 *
 * Inclusion alone does not bind the size of a tree, so the size comes from a verified head, never
 * from the answer.
 */
import { base58Encode, base64urlDecode, canonicalJson, equalBytes, utf8, withMembers, type Json, type JsonObject } from './encoding'
import { labelledHash } from './hashing'
import { leafHash, verifyConsistency, verifyInclusion } from './merkle'
import { Problem } from './problem'
import type { Head } from './trust'

/** Leaf hash of an entry: over its canonical JSON. */
export function entryLeaf(entry: JsonObject): Uint8Array {
  return leafHash(utf8(canonicalJson(entry)))
}

/**
 * Check that `entry` is number `index` in the log of `head`.
 *
 * @param answer of `/log/inclusion`.
 * @param head verified, and the one whose text is in the answer.
 * @throws Problem 'proof' (or 'malformed')
 */
export function verifyEntry(answer: Json, expected: { entry: JsonObject; index: number; head: Head }): void {
  const { index, size, leaf, path } = withMembers(answer, ['index', 'size', 'leaf', 'path', 'head'])
  const { entry, head } = expected
  if (index !== expected.index || size !== head.size) throw new Problem('proof', 'proof is about another place in the log')
  const computed = entryLeaf(entry)
  if (!equalBytes(base64urlDecode(leaf), computed)) throw new Problem('proof', 'the log holds another entry at this place')
  verifyInclusion({ leaf: computed, index, treeSize: head.size, path: hashes(path), root: head.logRoot })
}

/**
 * Check that the log of `older` is the beginning of that of `newer`.
 *
 * @param answer of `/log/consistency`.
 * @throws Problem 'proof' (or 'malformed')
 */
export function verifyGrowth(answer: Json, older: Head, newer: Head): void {
  const { first, second, path } = withMembers(answer, ['first', 'second', 'path'])
  if (first !== older.size || second !== newer.size) throw new Problem('proof', 'proof is about other heads')
  verifyConsistency({
    first: older.size,
    second: newer.size,
    firstRoot: older.logRoot,
    secondRoot: newer.logRoot,
    path: hashes(path),
  })
}

/** The id of a transaction, from its payload alone. */
export function transactionId(payload: JsonObject): Uint8Array {
  return labelledHash('cairn/tx/v1', utf8(canonicalJson(payload)))
}

/** The DID that a `create-did` payload creates. */
export function derivedDid(payload: JsonObject): string {
  const digest = labelledHash('cairn/did/v1', utf8(canonicalJson(payload)))
  return `did:cairn:${String(payload.network)}:${base58Encode(digest.slice(0, 20))}`
}

function hashes(path: Json | undefined): Uint8Array[] {
  if (!Array.isArray(path)) throw new Problem('malformed', 'no path')
  return path.map((hash) => base64urlDecode(hash))
}
