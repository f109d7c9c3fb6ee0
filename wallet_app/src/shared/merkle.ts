/** RFC 9162 Merkle trees: inclusion and consistency; the batch of an issuer, the log of the ledger. */
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

/**
 * Check that the tree of size `second` continues the tree of size `first`, entry by entry.
 *
 * RFC 9162 §2.1.4.2; the numbers are its steps. Equal sizes need equal roots and an empty path; an
 * empty first tree is refused, because it would prove nothing.
 *
 * @throws Problem 'proof'
 */
export function verifyConsistency(proof: {
  first: number
  second: number
  firstRoot: Uint8Array
  secondRoot: Uint8Array
  path: readonly Uint8Array[]
}): void {
  const { first, second, firstRoot, secondRoot, path } = proof
  if (!Number.isSafeInteger(first) || !Number.isSafeInteger(second)) fail('not counted')
  if (first < 1 || first > second) fail('trees are not in order')
  if (first === second) {
    if (path.length > 0 || !equalBytes(firstRoot, secondRoot)) fail('two trees of one size')
    return
  }
  if (path.length === 0) fail('path is empty') // 1
  if (path.length > MAX_PATH) fail('path is too long')
  if ([firstRoot, secondRoot, ...path].some((hash) => hash.length !== 32)) fail('a hash has not 32 bytes')
  // 2: a first tree of 2^n leaves is itself a node of the second, so its hash is left out.
  const nodes = isPowerOfTwo(first) ? [firstRoot, ...path] : path
  let fn = first - 1 // 3
  let sn = second - 1
  while (fn % 2 === 1) {
    fn = Math.floor(fn / 2) // 4
    sn = Math.floor(sn / 2)
  }
  let fr = nodes[0] as Uint8Array // 5
  let sr = fr
  for (const sibling of nodes.slice(1)) {
    if (sn === 0) fail('path is too long') // 6.a
    if (fn % 2 === 1 || fn === sn) {
      fr = nodeHash(sibling, fr) // 6.b.i
      sr = nodeHash(sibling, sr) // 6.b.ii
      while (fn % 2 === 0 && fn !== 0) {
        fn = Math.floor(fn / 2) // 6.b.iii
        sn = Math.floor(sn / 2)
      }
    } else {
      sr = nodeHash(sr, sibling) // 6.c
    }
    fn = Math.floor(fn / 2) // 6.d
    sn = Math.floor(sn / 2)
  }
  if (sn !== 0) fail('path is too short') // 7
  if (!equalBytes(fr, firstRoot) || !equalBytes(sr, secondRoot)) fail('path does not lead to the roots')
}

function isPowerOfTwo(count: number): boolean {
  return (BigInt(count) & (BigInt(count) - 1n)) === 0n
}

/** The root over leaf hashes, at least one (RFC 9162 §2.1.1): pairs from the left, level by level. */
export function rootOf(leaves: readonly Uint8Array[]): Uint8Array {
  if (leaves.length === 0) fail('a tree without leaves')
  let level = leaves
  while (level.length > 1) {
    const next: Uint8Array[] = []
    for (let at = 0; at < level.length; at += 2) {
      const [left, right] = [level[at] as Uint8Array, level[at + 1]]
      next.push(right ? nodeHash(left, right) : left) // one that has no partner rises as it is
    }
    level = next
  }
  return level[0] as Uint8Array
}

function fail(detail: string): never {
  throw new Problem('proof', detail)
}
