/**
 * Encrypts an answer to the key of its request (OpenID4VP 1.0 §8.3; RFC 7516, RFC 7518 §4.6):
 * ECDH-ES on P-256 with a key that is used once, A256GCM or A128GCM.
 */
import { base64urlEncode, concat, isObject, utf8, type Bytes, type Json, type JsonObject } from './encoding'
import { sha256 } from './hashing'
import { parseJwk } from './keys'
import { Problem } from './problem'

const BITS = { A256GCM: 256, A128GCM: 128 } as const
type Encryption = keyof typeof BITS

export interface AnswerKey {
  readonly jwk: JsonObject
  readonly enc: Encryption
}

/**
 * The first key that we can use, and the method, of those that `client_metadata` names. Keys that we
 * cannot use, or not read, are passed over (RFC 7517 §5): an asker may offer newer kinds beside ours.
 *
 * @throws Problem 'request-invalid' when none is left
 */
export function answerKey(metadata: Json | undefined): AnswerKey {
  const jwks = isObject(metadata) && isObject(metadata.jwks) ? metadata.jwks.keys : undefined
  const offered = isObject(metadata) ? (metadata.encrypted_response_enc_values_supported ?? ['A128GCM']) : []
  const enc = (Object.keys(BITS) as Encryption[]).find((name) => Array.isArray(offered) && offered.includes(name))
  for (const jwk of Array.isArray(jwks) ? jwks.slice(0, 16) : []) {
    if (!isObject(jwk) || jwk.alg !== 'ECDH-ES' || jwk.crv !== 'P-256' || typeof jwk.kid !== 'string') continue
    if (jwk.use !== undefined && jwk.use !== 'enc') continue
    if (enc && isReadable(jwk)) return { jwk, enc }
  }
  throw new Problem('request-invalid', 'no key to encrypt the answer to')
}

function isReadable(jwk: JsonObject): boolean {
  try {
    parseJwk(jwk)
    return true
  } catch {
    return false
  }
}

/** A compact JWE with direct key agreement. */
export async function encryptAnswer(parameters: JsonObject, { jwk, enc }: AnswerKey): Promise<string> {
  const { kty, crv, x, y } = jwk as Record<'kty' | 'crv' | 'x' | 'y', string>
  const curve = { name: 'ECDH', namedCurve: 'P-256' }
  const receiver = await crypto.subtle.importKey('jwk', { kty, crv, x, y }, curve, false, [])
  const once = (await crypto.subtle.generateKey(curve, true, ['deriveBits'])) as CryptoKeyPair
  const epk = await crypto.subtle.exportKey('jwk', once.publicKey)
  const shared = new Uint8Array(await crypto.subtle.deriveBits({ name: 'ECDH', public: receiver }, once.privateKey, 256))
  const header = { alg: 'ECDH-ES', enc, kid: jwk.kid as string, epk: { kty: epk.kty, crv: epk.crv, x: epk.x, y: epk.y } }
  const protectedHeader = base64urlEncode(utf8(JSON.stringify(header)))
  const key = await crypto.subtle.importKey('raw', contentKey(shared, enc), 'AES-GCM', false, ['encrypt'])
  const iv = crypto.getRandomValues(new Uint8Array(12))
  const sealed = new Uint8Array(
    await crypto.subtle.encrypt(
      { name: 'AES-GCM', iv, additionalData: utf8(protectedHeader) },
      key,
      utf8(JSON.stringify(parameters)),
    ),
  )
  const parts = [iv, sealed.slice(0, -16), sealed.slice(-16)].map(base64urlEncode)
  return [protectedHeader, '', ...parts].join('.')
}

/** Concat KDF with one round of SHA-256 (RFC 7518 §4.6.2); neither party information is used. */
function contentKey(shared: Uint8Array, enc: Encryption): Bytes {
  const name = utf8(enc)
  const material = concat(number(1), shared, number(name.length), name, number(0), number(0), number(BITS[enc]))
  return sha256(material).slice(0, BITS[enc] / 8) as Bytes
}

function number(value: number): Bytes {
  const bytes = new Uint8Array(4)
  new DataView(bytes.buffer).setUint32(0, value)
  return bytes
}
