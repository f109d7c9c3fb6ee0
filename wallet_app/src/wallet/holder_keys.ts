/**
 * The holder's keys: P-256, made by the browser, never extractable, one per copy of a credential.
 */
import { base64urlEncode, canonicalJson, utf8, type JsonObject } from '../shared/encoding'
import { thumbprint } from '../shared/keys'

const P256 = { name: 'ECDSA', namedCurve: 'P-256' } as const

export interface HolderKey {
  readonly id: string // JWK thumbprint
  readonly privateKey: CryptoKey
  readonly publicJwk: { readonly kty: 'EC'; readonly crv: 'P-256'; readonly x: string; readonly y: string }
}

export async function makeHolderKey(): Promise<HolderKey> {
  const pair = await crypto.subtle.generateKey(P256, false, ['sign', 'verify'])
  const { x, y } = await crypto.subtle.exportKey('jwk', pair.publicKey)
  const publicJwk = { kty: 'EC', crv: 'P-256', x: x as string, y: y as string } as const
  return { id: thumbprint(publicJwk), privateKey: pair.privateKey, publicJwk }
}

/** A compact JWS, ES256. */
export async function signJws(key: HolderKey, header: JsonObject, payload: JsonObject): Promise<string> {
  const encode = (value: JsonObject): string => base64urlEncode(utf8(canonicalJson(value)))
  const input = `${encode({ ...header, alg: 'ES256' })}.${encode(payload)}`
  const signature = await crypto.subtle.sign({ name: 'ECDSA', hash: 'SHA-256' }, key.privateKey, utf8(input))
  return `${input}.${base64urlEncode(new Uint8Array(signature))}`
}
