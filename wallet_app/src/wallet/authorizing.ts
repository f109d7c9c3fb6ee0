/**
 * The authorization code flow of a wallet: push the request, leave for the agency's page, come back
 * with a code (OpenID4VCI 1.0 §5, RFC 9126, RFC 7636, RFC 9207, RFC 9449 §10).
 */
import { base64urlEncode, utf8, type JsonObject } from '../shared/encoding'
import { sha256 } from '../shared/hashing'
import { errorCode, form, jsonOf } from '../shared/http'
import { Problem } from '../shared/problem'
import { provenRequest, type Access, type Clocked } from './dpop'
import { makeHolderKey, type HolderKey } from './holder_keys'
import type { Offer } from './offers'
import type { Store } from './store'

const MAX_AGE_SECONDS = 30 * 60 // how long a citizen may stay on the agency's page

/** What has to survive while the browser is on the agency's page. */
export interface PendingAuthorization {
  readonly kind: 'authorization'
  readonly id: string // the `state` of the request
  readonly offer: Offer
  readonly verifier: string
  readonly key: HolderKey | null
  readonly startedAt: number
}

interface Around extends Clocked {
  readonly store: Store
}

/**
 * Push the request and keep what is needed afterwards.
 *
 * @returns the address of the agency's page
 * @throws Problem 'refused' when the agency does not take it, and those of the network
 */
export async function beginAuthorization(offer: Offer, redirectUri: string, around: Around): Promise<string> {
  const { par, authorization } = offer.endpoints
  if (!par || !authorization) throw new Problem('refused', 'the issuer has no page for this')
  const verifier = base64urlEncode(crypto.getRandomValues(new Uint8Array(32)))
  const state = base64urlEncode(crypto.getRandomValues(new Uint8Array(16)))
  const key = offer.dpop ? await makeHolderKey() : null
  const fields: Record<string, string> = {
    response_type: 'code',
    client_id: redirectUri,
    redirect_uri: redirectUri,
    code_challenge: base64urlEncode(sha256(utf8(verifier))),
    code_challenge_method: 'S256',
    state,
    resource: offer.issuer,
  }
  const scopes = offer.offered.flatMap(({ scope }) => (scope ? [scope] : []))
  if (scopes.length > 0) fields.scope = scopes.join(' ')
  if (offer.issuerState) fields.issuer_state = offer.issuerState
  const answer = await provenRequest(par, form(fields), key, null, around)
  if (answer.status === 400) throw new Problem('offer-used', errorCode(answer))
  const pushed = jsonOf(answer)
  if (typeof pushed.request_uri !== 'string') throw new Problem('malformed', 'pushed request')
  await around.store.addPending({ kind: 'authorization', id: state, offer, verifier, key, startedAt: around.now() })
  const address = new URL(authorization)
  address.searchParams.set('client_id', redirectUri)
  address.searchParams.set('request_uri', pushed.request_uri)
  return address.href
}

/** Whether the page was opened by an agency that sends the citizen back. */
export function isAnswer(address: string): boolean {
  const { searchParams } = new URL(address)
  return searchParams.has('state') && (searchParams.has('code') || searchParams.has('error'))
}

/**
 * Exchange the code that the agency's page sent along.
 *
 * @throws Problem 'request-invalid' when nobody here asked for it, or another issuer answers;
 *   'cancelled' when the citizen or the agency said no
 */
export async function finishAuthorization(
  address: string,
  redirectUri: string,
  around: Around,
): Promise<{ offer: Offer; access: Access }> {
  const { searchParams } = new URL(address)
  const pending = await around.store.takePending(searchParams.get('state') ?? '')
  if (pending?.kind !== 'authorization' || around.now() - pending.startedAt > MAX_AGE_SECONDS) {
    throw new Problem('request-invalid', 'nobody here asked for this')
  }
  const { offer, key } = pending
  if (searchParams.get('iss') !== offer.server) throw new Problem('request-invalid', 'another issuer answers')
  const code = searchParams.get('code')
  if (!code) throw new Problem('cancelled', searchParams.get('error') ?? '')
  const fields = {
    grant_type: 'authorization_code',
    code,
    code_verifier: pending.verifier,
    redirect_uri: redirectUri,
    client_id: redirectUri,
    resource: offer.issuer,
  }
  const answer = await provenRequest(offer.endpoints.token, form(fields), key, null, around)
  if (answer.status === 400 || answer.status === 401) throw new Problem('offer-used', errorCode(answer))
  return { offer, access: accessOf(jsonOf(answer), key) }
}

/** The token of an answer; its type must be the one that was asked for. @throws Problem */
export function accessOf(body: JsonObject, key: HolderKey | null): Access {
  const type = String(body.token_type).toLowerCase()
  if (typeof body.access_token !== 'string' || !(type === 'bearer' || (type === 'dpop' && key))) {
    throw new Problem('malformed', 'token answer')
  }
  return { token: body.access_token, key: type === 'dpop' ? key : null }
}
