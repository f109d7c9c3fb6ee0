/** SHA-256, and the labels that keep one kind of hash from being taken for another. */
import { sha256 } from '@noble/hashes/sha2.js'
import { concat, utf8, type Bytes } from './encoding'

export { sha256 }

/**
 * SHA-256 over a label and parts, each with its length before it (8 bytes, big-endian).
 *
 * The label says what is hashed; the lengths keep `("ab", "c")` apart from `("a", "bc")`. The
 * registry computes the same in `registry/core/hashing.py`.
 */
export function labelledHash(label: string, ...parts: Uint8Array[]): Bytes {
  const framed = [utf8(label), ...parts].flatMap((part) => {
    const length = new Uint8Array(8)
    new DataView(length.buffer).setBigUint64(0, BigInt(part.length))
    return [length, part]
  })
  return sha256(concat(...framed)) as Bytes
}
