/** Inclusion in an RFC 9162 Merkle tree: the batch of an issuer, and the log of the ledger. */
import { concat, equalBytes } from './encoding'
import { sha256 } from './hashing'
import { Problem } from './problem'

const MAX_PATH = 63 // deeper trees have more leaves than a number can count exactly

export function leafHash(data: Uint8Array): Uint8Array {
  return sha256(concat(Uint8Array.of(0), data))
}

export function nodeHash(left: Uint8Array, right: Uint8Array): Uint8Array {
  return sha256(concat(Uint8Array.of(1), left, right))
}

/**
 * Check that `leaf` is entry number `index` of the tree whose root is `root`.
 *
 * RFC 9162 §2.1.3.2; the numbers are its steps. Returns nothing on success. Plain numbers instead of
 * bit operations, which would cut an index to 32 bits.
 *
 * @throws Problem 'proof'
 */
export function verifyInclusion(proof: {
  leaf: Uint8Array
  index: number
  treeSize: number
  path: readonly Uint8Array[]
  root: Uint8Array
}): void {
  const { leaf, index, treeSize, path, root } = proof
  if (!Number.isSafeInteger(index) || !Number.isSafeInteger(treeSize)) fail('not counted')
  if (index < 0 || index >= treeSize) fail('entry is outside the tree') // 1
  if (path.length > MAX_PATH) fail('path is too long')
  if ([leaf, root, ...path].some((hash) => hash.length !== 32)) fail('a hash has not 32 bytes')
  let fn = index // 2
  let sn = treeSize - 1
  let hash = leaf // 3
  for (const sibling of path) {
    if (sn === 0) fail('path is too long') // 4.a
    if (fn % 2 === 1 || fn === sn) {
      hash = nodeHash(sibling, hash) // 4.b.i
      while (fn % 2 === 0 && fn !== 0) {
        fn = Math.floor(fn / 2) // 4.b.ii
        sn = Math.floor(sn / 2)
      }
    } else {
      hash = nodeHash(hash, sibling) // 4.c
    }
    fn = Math.floor(fn / 2) // 4.d
    sn = Math.floor(sn / 2)
  }
  if (sn !== 0) fail('path is too short') // 5
  if (!equalBytes(hash, root)) fail('path does not lead to the root')
}

function fail(detail: string): never {
  throw new Problem('proof', detail)
}
