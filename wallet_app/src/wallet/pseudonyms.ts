/**
 * How a party knows this wallet again, and nobody else does: a key for each relying party, made by
 * the browser, never extractable, used for nothing else.
 */
import { base64urlEncode, canonicalJson, utf8, type Json, type JsonObject } from '../shared/encoding'
import { labelledHash } from '../shared/hashing'
import { signJws } from './holder_keys'
import type { VerifiedRequest } from './requests'
import type { Store } from './store'

export type PseudonymWish = 'none' | 'wanted' | 'required'

/** What the signed request says; undefined where it does not read as ours. */
export function parseWish(value: Json | undefined): PseudonymWish | undefined {
  if (value === undefined) return 'none'
  return value === 'wanted' || value === 'required' ? value : undefined
}

/** The statement that goes beside these presentations, for this party and this request alone. */
export async function pseudonymFor(
  asked: VerifiedRequest,
  tokens: JsonObject,
  around: { store: Store; now: () => number },
): Promise<string> {
  const key = await around.store.pseudonymKey(asked.did)
  const presented = labelledHash('cairn/pseudonym-presentations/v1', utf8(canonicalJson(tokens)))
  return signJws(
    key,
    { typ: 'cairn-pseudonym+jwt', jwk: { ...key.publicJwk } },
    { aud: asked.clientId, nonce: asked.nonce, iat: around.now(), vp_hash: base64urlEncode(presented) },
  )
}
