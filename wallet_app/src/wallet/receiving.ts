/** Receiving credentials: token, nonce, proofs of possession, and a check of what came back. */
import { base64urlEncode, isObject, type Json, type JsonObject } from '../shared/encoding'
import { errorCode, form, json, jsonOf, requestJson, type Fetch } from '../shared/http'
import { verifyCompact } from '../shared/jose'
import { parseJwk, thumbprint } from '../shared/keys'
import { Problem } from '../shared/problem'
import { credentialDigest } from '../shared/receipt'
import type { Registry } from '../shared/registry'
import { parseSdJwt, subjectClaims } from '../shared/sd_jwt'
import { accessOf } from './authorizing'
import type { Card, Copy } from './cards'
import { provenRequest, type Access } from './dpop'
import { makeHolderKey, signJws, type HolderKey } from './holder_keys'
import type { Offer, Offered } from './offers'
import type { Store } from './store'

const LEEWAY_SECONDS = 300 // phones' clocks
const MAX_DEFERRED_TRIES = 2 // while the citizen looks on; afterwards whenever the wallet is opened

/** A card that its agency has still to decide on. Its keys are made and proven. */
export interface PendingCard {
  readonly kind: 'deferred'
  readonly id: string // the transaction
  readonly offer: Offer
  readonly offered: Offered
  readonly access: Access
  readonly keys: readonly HolderKey[]
}

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
 * A card is stored before the issuer is told that it was accepted. A card that the issuer defers is
 * kept as pending and left out of the answer. An offer may be made for one key alone.
 *
 * @throws Problem 'tx-code', 'offer-used', 'credential-invalid', and those of the network.
 */
export async function receiveOffer(
  offer: Offer,
  txCode: string,
  around: Surroundings,
  madeFor: HolderKey | null = null,
): Promise<Card[]> {
  return receiveWith(offer, await fetchToken(offer, txCode, around, madeFor), around)
}

/** The same with a token that is there already. */
export async function receiveWith(offer: Offer, access: Access, around: Surroundings): Promise<Card[]> {
  const cards: Card[] = []
  for (const offered of offer.offered) {
    const keys = await Promise.all(Array.from({ length: offer.batchSize }, makeHolderKey))
    const body = await askCredential(offer, offered, access, keys, around)
    const transaction = typeof body.transaction_id === 'string' ? body.transaction_id : null
    if (transaction === null) {
      cards.push(await keepCard(offer, offered, access, keys, body, around))
      continue
    }
    const pending: PendingCard = { kind: 'deferred', id: transaction, offer, offered, access, keys }
    await around.store.addPending(pending)
    for (let tries = 0; tries < MAX_DEFERRED_TRIES; tries++) {
      const seconds = typeof body.interval === 'number' ? Math.min(Math.max(body.interval, 1), 30) : 5
      await (around.wait ?? sleep)(seconds * 1000)
      const card = await fetchDeferred(pending, around)
      if (card) cards.push(card)
      if (card) break
    }
  }
  return cards
}

/**
 * Ask once more for a card that was deferred.
 *
 * @returns the card, kept; null while the issuer has not decided
 * @throws Problem 'refused' when it will not come; it is no longer pending then
 */
export async function fetchDeferred(pending: PendingCard, around: Surroundings): Promise<Card | null> {
  const { offer, offered, access, keys } = pending
  if (!offer.endpoints.deferred) throw new Problem('malformed', 'no deferred endpoint')
  const again = json({ transaction_id: pending.id })
  const answer = await provenRequest(offer.endpoints.deferred, again, access.key, access.token, around)
  if (answer.status === 202) return null
  if (answer.status === 400 || answer.status === 401) await around.store.takePending(pending.id)
  const body = jsonOf(answer)
  const card = await keepCard(offer, offered, access, keys, body, around)
  await around.store.takePending(pending.id)
  return card
}

async function fetchToken(
  offer: Offer,
  txCode: string,
  around: Surroundings,
  madeFor: HolderKey | null,
): Promise<Access> {
  const fields: Record<string, string> = {
    grant_type: 'urn:ietf:params:oauth:grant-type:pre-authorized_code',
    'pre-authorized_code': offer.code ?? '',
    resource: offer.issuer,
  }
  if (offer.txCode) fields.tx_code = txCode
  const key = madeFor ?? (offer.dpop ? await makeHolderKey() : null)
  const answer = await provenRequest(offer.endpoints.token, form(fields), key, null, around)
  if (answer.status === 400 || answer.status === 401) {
    // invalid_grant covers a wrong transaction code and a spent offer alike (OpenID4VCI §6.3).
    const code = errorCode(answer)
    throw new Problem(offer.txCode && ['invalid_grant', 'invalid_request'].includes(code) ? 'tx-code' : 'offer-used', code)
  }
  return accessOf(jsonOf(answer), key)
}

async function keepCard(
  offer: Offer,
  offered: Offered,
  access: Access,
  keys: readonly HolderKey[],
  body: JsonObject,
  around: Surroundings,
): Promise<Card> {
  const notificationId = typeof body.notification_id === 'string' ? body.notification_id : null
  let card: Card
  try {
    card = await checkCredentials(offer, offered, body.credentials, keys, around)
  } catch (error) {
    await notify(offer, access, notificationId, 'credential_failure', around)
    throw error
  }
  await around.store.addCard(card, keys)
  await notify(offer, access, notificationId, 'credential_accepted', around)
  return card
}

async function askCredential(
  offer: Offer,
  offered: Offered,
  access: Access,
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
    const answer = await provenRequest(offer.endpoints.credential, json(body), access.key, access.token, around)
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
async function notify(offer: Offer, access: Access, id: string | null, event: string, around: Surroundings): Promise<void> {
  if (!id || !offer.endpoints.notification) return
  try {
    const body = json({ notification_id: id, event })
    await provenRequest(offer.endpoints.notification, body, access.key, access.token, around)
  } catch {
    // nothing depends on it
  }
}

function sleep(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds))
}
