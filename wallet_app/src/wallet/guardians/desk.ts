/**
 * Orders, approvals and recoveries as agencies take them; `identity/core/guardians.py` has the rules.
 *
 * Two kinds are signed, each with its own `typ`: an order with the key of a credential, an approval
 * with a guardian's key. Neither key signs the other's kind.
 */
import { isObject, parseJsonObject, type Json, type JsonObject } from '../../shared/encoding'
import { errorCode, json, request, requestJson, type Answer, type Fetch } from '../../shared/http'
import { Problem } from '../../shared/problem'
import { thumbprint } from '../../shared/keys'
import type { Card } from '../cards'
import { signJws, type HolderKey } from '../holder_keys'
import type { Store } from '../store'
import type { Ask, RecoveryCard } from './codes'

export const DAY = 86_400
const APPROVAL_SECONDS = DAY // she is there now; a signature that lies around opens nothing for long

export type Act = 'set' | 'withdraw' | 'stop'
export type State = 'open' | 'waiting' | 'ending' | 'completed' | 'stopped'
const STATES: readonly State[] = ['open', 'waiting', 'ending', 'completed', 'stopped']

/** How many guardians and how long a wait an agency takes. */
export interface Bounds {
  readonly minApprovals: number
  readonly maxGuardians: number
  readonly minWait: number // seconds
  readonly maxWait: number
}

/** How far a recovery is. */
export interface View {
  readonly ask: Ask
  readonly state: State
  readonly approvals: number
  readonly threshold: number
  readonly endsAt: number // of the wait, unix seconds; 0 before it
}

export interface RecoveredOffer {
  readonly link: string
  readonly txCode: string
}

export interface Around {
  readonly store: Store
  readonly now: () => number
  readonly fetcher?: Fetch
}

/** What an order says. */
export function orderClaims(agency: string, act: Act, more: JsonObject, fresh: { nonce: string; now: number }): JsonObject {
  return { aud: agency, nonce: fresh.nonce, iat: fresh.now, act, ...more }
}

export const ORDER_HEADER = { typ: 'guardian-order+jwt' } as const

/** What an approval says. */
export function approvalClaims(ask: Ask, now: number): JsonObject {
  const { agency, arrangement, recovery, newKey } = ask
  return { aud: agency, arrangement, recovery, cnf: { jkt: newKey }, iat: now, exp: now + APPROVAL_SECONDS }
}

export function approvalHeader(jwk: JsonObject): JsonObject {
  return { typ: 'guardian-approval+jwt', kid: thumbprint(jwk) }
}

export async function fetchBounds(agency: string, around: Around): Promise<Bounds> {
  const told = bodyOf(await request(`${agency}/guardians`, {}, around.fetcher))
  return {
    minApprovals: whole(told.min_approvals),
    maxGuardians: whole(told.max_guardians),
    minWait: whole(told.min_wait_seconds),
    maxWait: whole(told.max_wait_seconds),
  }
}

/**
 * Order something, with the key of a copy of the card.
 *
 * @returns the name of a new arrangement, null after the other acts
 * @throws Problem 'refused' with the code of the refusal
 */
export async function order(card: Card, act: Act, more: JsonObject, around: Around): Promise<string | null> {
  const copy = card.copies[0]
  if (!copy) throw new Problem('storage', 'card has no copies')
  const key = await around.store.key(copy.keyId)
  const claims = orderClaims(card.issuer, act, more, { nonce: await nonce(card.issuer, around), now: around.now() })
  const credential = `${copy.credential.split('~', 1)[0]}~` // nothing is disclosed
  const { arrangement } = await call(card.issuer, '', { credential, order: await signJws(key, ORDER_HEADER, claims) }, around)
  if (act === 'set' && typeof arrangement !== 'string') throw new Problem('malformed', 'arrangement')
  return typeof arrangement === 'string' ? arrangement : null
}

/** Begin a recovery for `key`, which nobody has approved yet. */
export async function begin(card: RecoveryCard, key: HolderKey, around: Around): Promise<View> {
  const body = { arrangement: card.arrangement, key_proof: await keyProof(card.agency, key, around) }
  const view = viewOf(card.agency, await call(card.agency, '/recoveries', body, around))
  if (view.ask.arrangement !== card.arrangement || view.ask.newKey !== key.id) throw new Problem('refused', 'told-otherwise')
  return view
}

export async function readRecovery(card: RecoveryCard, recovery: string, around: Around): Promise<View> {
  const address = `${card.agency}/guardians/recoveries/${recovery}`
  return viewOf(card.agency, bodyOf(await request(address, {}, around.fetcher)))
}

/**
 * Approve what the new phone showed. What the agency says about it must be the same.
 *
 * @throws Problem 'refused' with the code of the refusal
 */
export async function approve(ask: Ask, key: HolderKey, around: Around): Promise<View> {
  await checkAsk(ask, around)
  const approval = await signJws(key, approvalHeader({ ...key.publicJwk }), approvalClaims(ask, around.now()))
  return viewOf(ask.agency, await call(ask.agency, `/recoveries/${ask.recovery}/approvals`, { approval }, around))
}

/** How far it is, if the agency knows it as the new phone shows it. */
export async function checkAsk(ask: Ask, around: Around): Promise<View> {
  const view = await readRecovery(ask, ask.recovery, around)
  if (view.ask.arrangement !== ask.arrangement || view.ask.newKey !== ask.newKey) {
    throw new Problem('refused', 'told-otherwise')
  }
  return view
}

/** After the wait: everything ends, and is offered to this key alone. May be asked again for a day. */
export async function complete(ask: Ask, key: HolderKey, around: Around): Promise<readonly RecoveredOffer[]> {
  const body = { key_proof: await keyProof(ask.agency, key, around) }
  const { offers } = await call(ask.agency, `/recoveries/${ask.recovery}/completion`, body, around)
  if (!Array.isArray(offers) || offers.length > 64) throw new Problem('malformed', 'offers')
  return offers.map((offer) => {
    if (!isObject(offer) || typeof offer.offer_uri !== 'string') throw new Problem('malformed', 'offer')
    return { link: offer.offer_uri, txCode: typeof offer.tx_code === 'string' ? offer.tx_code : '' }
  })
}

async function nonce(agency: string, around: Around): Promise<string> {
  const { c_nonce: fresh } = await requestJson(`${agency}/nonce`, { method: 'POST' }, around.fetcher)
  if (typeof fresh !== 'string') throw new Problem('malformed', 'nonce')
  return fresh
}

async function keyProof(agency: string, key: HolderKey, around: Around): Promise<string> {
  const header = { typ: 'openid4vci-proof+jwt', jwk: { ...key.publicJwk } }
  return signJws(key, header, { aud: agency, iat: around.now(), nonce: await nonce(agency, around) })
}

async function call(agency: string, path: string, body: JsonObject, around: Around): Promise<JsonObject> {
  return bodyOf(await request(`${agency}/guardians${path}`, json(body), around.fetcher))
}

function bodyOf(answer: Answer): JsonObject {
  if (answer.status >= 500 || answer.status === 429) throw new Problem('server', String(answer.status))
  if (answer.status < 200 || answer.status > 299) throw new Problem('refused', errorCode(answer))
  return parseJsonObject(answer.text)
}

function viewOf(agency: string, told: JsonObject): View {
  const { arrangement, recovery, new_key: newKey } = told
  const state = STATES.find((known) => known === told.state)
  if (typeof arrangement !== 'string' || typeof recovery !== 'string' || typeof newKey !== 'string' || !state) {
    throw new Problem('malformed', 'recovery')
  }
  if (told.agency !== agency) throw new Problem('refused', 'told-otherwise')
  return {
    ask: { agency, arrangement, recovery, newKey },
    state,
    approvals: whole(told.approvals),
    threshold: whole(told.threshold),
    endsAt: whole(told.ends_at),
  }
}

function whole(value: Json | undefined): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0) throw new Problem('malformed', 'number')
  return value
}
