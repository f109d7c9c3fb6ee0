/** DPoP (RFC 9449): a token that only this browser can use, and the server's nonces. */
import { base64urlEncode, utf8 } from '../shared/encoding'
import { sha256 } from '../shared/hashing'
import { errorCode, request, type Answer, type Fetch } from '../shared/http'
import { signJws, type HolderKey } from './holder_keys'

/** An access token, and the key it is bound to; no key for a bearer token. */
export interface Access {
  readonly token: string
  readonly key: HolderKey | null
}

export interface Clocked {
  readonly now: () => number // unix seconds
  readonly fetcher?: Fetch
}

// The newest nonce of each server; a lost one costs one more request.
const nonces = new Map<string, string>()

/**
 * Send a request with a proof, and once more when the server wants its nonce in it.
 *
 * @param key the key that proves; null sends the request as it is
 * @param token the access token that goes with it, if any
 */
export async function provenRequest(
  url: string,
  init: RequestInit,
  key: HolderKey | null,
  token: string | null,
  around: Clocked,
): Promise<Answer> {
  const { origin } = new URL(url)
  for (let attempt = 0; ; attempt++) {
    const headers = new Headers(init.headers)
    if (token) headers.set('Authorization', `${key ? 'DPoP' : 'Bearer'} ${token}`)
    if (key) headers.set('DPoP', await proof(key, url, token, nonces.get(origin), around.now()))
    const answer = await request(url, { ...init, headers }, around.fetcher)
    const nonce = answer.headers.get('DPoP-Nonce')
    if (nonce) nonces.set(origin, nonce)
    const wanted = answer.status === 400 || answer.status === 401
    if (key && nonce && wanted && attempt === 0 && wantsNonce(answer)) continue
    return answer
  }
}

function wantsNonce(answer: Answer): boolean {
  const challenge = answer.headers.get('WWW-Authenticate') ?? ''
  return errorCode(answer) === 'use_dpop_nonce' || challenge.includes('error="use_dpop_nonce"')
}

async function proof(
  key: HolderKey,
  url: string,
  token: string | null,
  nonce: string | undefined,
  now: number,
): Promise<string> {
  return signJws(
    key,
    { typ: 'dpop+jwt', jwk: { ...key.publicJwk } },
    {
      htm: 'POST',
      htu: url.replace(/[?#].*$/, ''),
      iat: now,
      jti: base64urlEncode(crypto.getRandomValues(new Uint8Array(16))),
      ...(token ? { ath: base64urlEncode(sha256(utf8(token))) } : {}),
      ...(nonce ? { nonce } : {}),
    },
  )
}
