/** Receiving credentials: token, nonce, proofs of possession, and a check of what came back. */
import { base64urlEncode, isObject, type Json, type JsonObject } from '../shared/encoding'
import { errorCode, form, json, jsonOf, request, requestJson, type Fetch } from '../shared/http'
import { verifyCompact } from '../shared/jose'
import { parseJwk, thumbprint } from '../shared/keys'
import { Problem } from '../shared/problem'
import { credentialDigest } from '../shared/receipt'
import type { Registry } from '../shared/registry'
import { parseSdJwt, subjectClaims } from '../shared/sd_jwt'
import type { Card, Copy } from './cards'
import { makeHolderKey, signJws, type HolderKey } from './holder_keys'
import type { Offer, Offered } from './offers'
import type { Store } from './store'

const LEEWAY_SECONDS = 300 // phones' clocks
const MAX_DEFERRED_TRIES = 20

export interface Surroundings {
  readonly store: Store
  readonly registry: Registry
  readonly now: () => number // unix seconds
  readonly fetcher?: Fetch
  readonly wait?: (milliseconds: number) => Promise<void>
}

/**
 * Receive everything the offer holds, each credential in several copies under keys of their own.
 *
 * A card is stored before the issuer is told that it was accepted.
 *
 * @throws Problem 'tx-code', 'offer-used', 'credential-invalid', and those of the network.
 */
export async function receiveOffer(offer: Offer, txCode: string, around: Surroundings): Promise<Card[]> {
  const token = await fetchToken(offer, txCode, around.fetcher)
  const cards: Card[] = []
  for (const offered of offer.offered) {
    const { card, keys, notificationId } = await receiveOne(offer, offered, token, around)
    await around.store.addCard(card, keys)
    cards.push(card)
    await notify(offer, token, notificationId, 'credential_accepted', around.fetcher)
  }
  return cards
}

async function fetchToken(offer: Offer, txCode: string, fetcher?: Fetch): Promise<string> {
  const fields: Record<string, string> = {
    grant_type: 'urn:ietf:params:oauth:grant-type:pre-authorized_code',
    'pre-authorized_code': offer.code,
    resource: offer.issuer,
  }
  if (offer.txCode) fields.tx_code = txCode
  const answer = await request(offer.endpoints.token, form(fields), fetcher)
  if (answer.status === 400 || answer.status === 401) {
    // invalid_grant covers a wrong transaction code and a spent offer alike (OpenID4VCI §6.3).
    const code = errorCode(answer)
    throw new Problem(offer.txCode && ['invalid_grant', 'invalid_request'].includes(code) ? 'tx-code' : 'offer-used', code)
  }
  const body = jsonOf(answer)
  if (typeof body.access_token !== 'string' || String(body.token_type).toLowerCase() !== 'bearer') {
    throw new Problem('malformed', 'token answer')
  }
  return body.access_token
}

async function receiveOne(offer: Offer, offered: Offered, token: string, around: Surroundings) {
  const { fetcher } = around
  const keys = await Promise.all(Array.from({ length: offer.batchSize }, makeHolderKey))
  let body = await askCredential(offer, offered, token, keys, around)
  for (let tries = 0; typeof body.transaction_id === 'string'; tries++) {
    if (!offer.endpoints.deferred || tries >= MAX_DEFERRED_TRIES) throw new Problem('server', 'issuing takes long')
    const seconds = typeof body.interval === 'number' ? Math.min(Math.max(body.interval, 1), 30) : 5
    await (around.wait ?? sleep)(seconds * 1000)
    const again = json({ transaction_id: body.transaction_id }, token)
    body = await requestJson(offer.endpoints.deferred, again, fetcher)
  }
  const notificationId = typeof body.notification_id === 'string' ? body.notification_id : null
  try {
    const card = await checkCredentials(offer, offered, body.credentials, keys, around)
    return { card, keys, notificationId }
  } catch (error) {
    await notify(offer, token, notificationId, 'credential_failure', fetcher)
    throw error
  }
}

async function askCredential(
  offer: Offer,
  offered: Offered,
  token: string,
  keys: readonly HolderKey[],
  around: Surroundings,
): Promise<JsonObject> {
  for (let attempt = 0; ; attempt++) {
    const nonce = offer.endpoints.nonce
      ? (await requestJson(offer.endpoints.nonce, { method: 'POST' }, around.fetcher)).c_nonce
      : undefined
    const payload: JsonObject = { aud: offer.issuer, iat: around.now() }
    if (typeof nonce === 'string') payload.nonce = nonce
    const proofs = await Promise.all(
      keys.map((key) => signJws(key, { typ: 'openid4vci-proof+jwt', jwk: { ...key.publicJwk } }, payload)),
    )
    const body = { credential_configuration_id: offered.configurationId, proofs: { jwt: proofs } }
    const answer = await request(offer.endpoints.credential, json(body, token), around.fetcher)
    // A nonce may run out between the two requests; a second one is worth asking for.
    if (answer.status === 400 && errorCode(answer) === 'invalid_nonce' && attempt === 0) continue
    return jsonOf(answer)
  }
}

/**
 * Accept what the issuer sent only if it is what was offered: signed by the issuer that the ledger
 * knows under this address, of the offered type, each copy bound to another one of our keys.
 */
async function checkCredentials(
  offer: Offer,
  offered: Offered,
  credentials: Json | undefined,
  keys: readonly HolderKey[],
  around: Surroundings,
): Promise<Card> {
  if (!Array.isArray(credentials) || credentials.length < 1 || credentials.length > keys.length) {
    throw new Problem('credential-invalid', 'number of credentials')
  }
  const copies: Copy[] = []
  let claims: JsonObject = {}
  let issuerDid = ''
  let expiresAt: number | null = null
  for (const entry of credentials) {
    const text = isObject(entry) ? entry.credential : undefined
    if (typeof text !== 'string') throw new Problem('credential-invalid', 'credential is no string')
    const sdJwt = parseSdJwt(text)
    const kid = sdJwt.jws.header.kid
    if (typeof kid !== 'string' || !kid.includes('#')) throw new Problem('credential-invalid', 'no key id')
    const did = kid.slice(0, kid.indexOf('#'))
    if (issuerDid && did !== issuerDid) throw new Problem('credential-invalid', 'copies of two issuers')
    issuerDid = did
    const key = await around.registry.key(kid, 'assertionMethod')
    const payload = verifyCompact(sdJwt.jws, key, 'dc+sd-jwt')
    if (payload.iss !== offer.issuer) throw new Problem('credential-invalid', 'names another issuer')
    const known = (await around.registry.didRecord(did)).alsoKnownAs
    if (!Array.isArray(known) || !known.includes(offer.issuer)) {
      throw new Problem('credential-invalid', 'the ledger knows this issuer under another address')
    }
    if (payload.vct !== offered.vct) throw new Problem('credential-invalid', 'is of another type')
    const now = around.now()
    if (typeof payload.exp === 'number' && payload.exp < now) throw new Problem('credential-invalid', 'expired')
    if (typeof payload.nbf === 'number' && payload.nbf > now + LEEWAY_SECONDS) {
      throw new Problem('credential-invalid', 'not valid yet')
    }
    const jwk = isObject(payload.cnf) ? payload.cnf.jwk : undefined
    parseJwk(jwk)
    const keyId = thumbprint(jwk as JsonObject)
    if (!keys.some(({ id }) => id === keyId) || copies.some((copy) => copy.keyId === keyId)) {
      throw new Problem('credential-invalid', 'is not bound to our key')
    }
    const digest = base64urlEncode(credentialDigest(payload))
    copies.push({ credential: text, keyId, digest, receipt: null, parties: [] })
    claims = subjectClaims(sdJwt.claims)
    expiresAt = typeof payload.exp === 'number' ? payload.exp : null
  }
  return {
    id: crypto.randomUUID(),
    issuer: offer.issuer,
    issuerName: offer.issuerName,
    issuerDid,
    vct: offered.vct,
    name: offered.name,
    colors: offered.colors,
    labels: offered.labels,
    claims,
    receivedAt: around.now(),
    expiresAt,
    status: { state: 'unknown', checkedAt: null },
    anchoredAt: null,
    copies,
  }
}

/** Best effort: the card is ours whether or not the issuer hears of it. */
async function notify(offer: Offer, token: string, id: string | null, event: string, fetcher?: Fetch): Promise<void> {
  if (!id || !offer.endpoints.notification) return
  try {
    await request(offer.endpoints.notification, json({ notification_id: id, event }, token), fetcher)
  } catch {
    // nothing depends on it
  }
}

function sleep(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds))
}
