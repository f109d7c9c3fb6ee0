/** Compact JSON Web Signatures (RFC 7515), read strictly and verified under one expected `typ`. */
import { base64urlDecode, parseJsonObject, utf8, utf8Decode, type Bytes, type JsonObject } from './encoding'
import { verifySignature, type PublicKey } from './keys'
import { Problem } from './problem'

const MAX_JWS_CHARS = 1 << 21 // a status list token of a million entries

/** Read, not checked. */
export interface UnverifiedJws {
  readonly header: JsonObject
  readonly payload: JsonObject
  readonly signingInput: Bytes
  readonly signature: Bytes
}

/** @throws Problem 'malformed' */
export function parseCompact(text: string): UnverifiedJws {
  const parts = text.trim().split('.')
  if (text.length > MAX_JWS_CHARS || parts.length !== 3) throw new Problem('malformed', 'not a JWS')
  const [header, payload, signature] = parts as [string, string, string]
  return {
    header: parseJsonObject(utf8Decode(base64urlDecode(header))),
    payload: parseJsonObject(utf8Decode(base64urlDecode(payload)), MAX_JWS_CHARS),
    signingInput: utf8(`${header}.${payload}`),
    signature: base64urlDecode(signature),
  }
}

/**
 * Check type, algorithm and signature; the payload may be used afterwards.
 *
 * @throws Problem 'signature' when the token is of another kind, names another algorithm than the
 *   key has, marks an extension critical, or does not verify.
 */
export function verifyCompact(jws: UnverifiedJws, key: PublicKey, typ: string): JsonObject {
  if (jws.header.typ !== typ) throw new Problem('signature', 'token is of another kind')
  const algorithm = key.type === 'P-256' ? 'ES256' : 'EdDSA'
  if (jws.header.alg !== algorithm) throw new Problem('signature', 'token names another algorithm')
  if ('crit' in jws.header) throw new Problem('signature', 'token has unknown critical members')
  verifySignature(key, jws.signingInput, jws.signature)
  return jws.payload
}
