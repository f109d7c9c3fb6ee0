/**
 * Public keys: the one gate through which a key enters, and the check of a signature under it.
 *
 * Browsers differ in which Ed25519 they have and which low-order keys they accept, so signatures of
 * others are checked by one implementation everywhere. The holder's own private keys stay in
 * WebCrypto (`wallet/holder_keys.ts`).
 */
import { ed25519 } from '@noble/curves/ed25519.js'
import { p256 } from '@noble/curves/nist.js'
import { base58Decode, base58Encode, base64urlDecode, base64urlEncode, canonicalJson, concat, equalBytes, isObject, utf8 } from './encoding'
import type { Bytes, Json, JsonObject } from './encoding'
import { sha512 } from '@noble/hashes/sha2.js'
import { sha256 } from './hashing'
import { Problem } from './problem'

export type KeyType = 'Ed25519' | 'P-256'

/** An admitted key: 32 raw bytes for Ed25519, the compressed point (33 bytes) for P-256. */
export interface PublicKey {
  readonly type: KeyType
  readonly data: Bytes
}

/** @throws Problem 'malformed' for a point off the curve, of low order, or of another length. */
export function admitKey(type: KeyType, data: Bytes): PublicKey {
  try {
    if (type === 'Ed25519') {
      if (data.length !== 32) throw new Problem('malformed', 'Ed25519 key is not 32 bytes')
      const point = ed25519.Point.fromBytes(data)
      if (point.isSmallOrder()) throw new Problem('malformed', 'Ed25519 key has low order')
      return { type, data }
    }
    const point = p256.Point.fromBytes(data)
    point.assertValidity()
    return { type, data: point.toBytes(true) as Bytes }
  } catch (error) {
    if (error instanceof Problem) throw error
    throw new Problem('malformed', `not a ${type} key`)
  }
}

/** `publicKeyMultibase` of a Multikey. @throws Problem 'malformed' */
export function parseMultikey(text: Json | undefined): PublicKey {
  if (typeof text !== 'string' || !text.startsWith('z')) {
    throw new Problem('malformed', 'key is not base58 multibase')
  }
  const data = base58Decode(text.slice(1))
  if (data[0] === 0xed && data[1] === 0x01) return admitKey('Ed25519', data.slice(2))
  if (data[0] === 0x80 && data[1] === 0x24) return admitKey('P-256', data.slice(2))
  throw new Problem('malformed', 'key has an unknown type')
}

/** The `publicKeyMultibase` of an Ed25519 key. */
export function multikeyOf(key: PublicKey): string {
  return `z${base58Encode(concat(Uint8Array.of(0xed, 0x01), key.data))}`
}

/** A public JWK; extra members are allowed and left out. @throws Problem 'malformed' */
export function parseJwk(jwk: Json | undefined): PublicKey {
  if (!isObject(jwk) || 'd' in jwk || 'k' in jwk) throw new Problem('malformed', 'not a public JWK')
  if (jwk.kty === 'OKP' && jwk.crv === 'Ed25519') return admitKey('Ed25519', base64urlDecode(jwk.x))
  if (jwk.kty === 'EC' && jwk.crv === 'P-256') {
    const x = base64urlDecode(jwk.x)
    const y = base64urlDecode(jwk.y)
    if (x.length !== 32 || y.length !== 32) throw new Problem('malformed', 'JWK coordinates')
    return admitKey('P-256', concat(Uint8Array.of(4), x, y))
  }
  throw new Problem('malformed', 'JWK has an unknown type')
}

/** RFC 7638 thumbprint of a P-256 or (RFC 8037) Ed25519 JWK. */
export function thumbprint(jwk: JsonObject): string {
  const { kty, crv, x, y } = jwk as Record<'kty' | 'crv' | 'x' | 'y', string>
  return base64urlEncode(sha256(utf8(canonicalJson(kty === 'OKP' ? { kty, crv, x } : { kty, crv, x, y }))))
}

/** Returns nothing on success. @throws Problem 'signature' */
export function verifySignature(key: PublicKey, message: Uint8Array, signature: Uint8Array): void {
  let holds = false
  try {
    holds =
      signature.length === 64 &&
      (key.type === 'Ed25519'
        ? // The strict rules of RFC 8032: canonical encodings, no low-order points.
          ed25519.verify(signature, message, key.data, { zip215: false }) &&
          isExact(key, message, signature)
        : p256.verify(signature, message, key.data, { lowS: false, prehash: true }))
  } catch {
    holds = false
  }
  if (!holds) throw new Problem('signature', 'signature does not verify')
}

/**
 * Whether R = S·B - k·A without the cofactor, as the registry's OpenSSL asks (decision 0010).
 *
 * The library multiplies both sides by 8, which lets a signer add a point of low order to R: then one
 * reader would say yes and the other no.
 */
function isExact(key: PublicKey, message: Uint8Array, signature: Uint8Array): boolean {
  const { Point } = ed25519
  const number = (bytes: Uint8Array): bigint => bytes.reduceRight((sum, byte) => sum * 256n + BigInt(byte), 0n)
  const r = signature.slice(0, 32)
  const k = number(sha512(concat(r, key.data, message))) % Point.Fn.ORDER
  const minus = Point.fromBytes(key.data).negate().multiplyUnsafe(k)
  return equalBytes(Point.BASE.multiplyUnsafe(number(signature.slice(32))).add(minus).toBytes(), r)
}
