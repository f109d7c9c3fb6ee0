/** Choosing cards for a request, and answering it with no more than what was agreed to. */
import { base64urlEncode, utf8, type Json, type JsonObject } from '../shared/encoding'
import { answerPaths, chooseQueries } from '../shared/dcql'
import { sha256 } from '../shared/hashing'
import { errorDetail, form, request, safeUrl, type Fetch } from '../shared/http'
import { encryptAnswer } from '../shared/jwe'
import { Problem } from '../shared/problem'
import { parseSdJwt, selectDisclosures, subjectClaims } from '../shared/sd_jwt'
import { copyFor, spendCopy, type Card } from './cards'
import { signJws } from './holder_keys'
import { pseudonymFor } from './pseudonyms'
import { RECOGNITION, type VerifiedRequest } from './requests'
import type { Store } from './store'

/** One card that can answer one query, and exactly what would leave the wallet. */
export interface Choice {
  readonly queryId: string
  readonly card: Card
  readonly copyIndex: number
  readonly reused: boolean // another party has seen this copy
  readonly presented: string // SD-JWT with the chosen disclosures, no key binding yet
  readonly shown: JsonObject
  readonly hidden: readonly string[]
}

/** For each query that will be answered, the cards that can; the first is the suggestion. */
export type Choices = readonly { readonly queryId: string; readonly options: readonly Choice[] }[]

/**
 * What the wallet can answer.
 *
 * `shown` is read back from the reduced SD-JWT itself, not computed beside it: what the citizen
 * reads is what leaves.
 *
 * @throws Problem 'nothing-fits' or 'card-dead' when a required question has no card.
 */
export function choicesFor(asked: VerifiedRequest, cards: readonly Card[], now: number): Choices {
  const options = new Map<string, Choice[]>()
  let dead = false
  for (const query of asked.query.credentials) {
    for (const card of cards) {
      const { index, reused } = copyFor(card, asked.did)
      const sdJwt = parseSdJwt((card.copies[index] as Card['copies'][number]).credential)
      const paths = answerPaths(query, card.vct, sdJwt.claims)
      if (!paths) continue
      if (card.status.state === 'revoked' || (card.expiresAt !== null && card.expiresAt <= now)) {
        dead = true
        continue
      }
      const presented = selectDisclosures(sdJwt, paths)
      const shown = subjectClaims(parseSdJwt(presented).claims)
      const hidden = Object.keys(subjectClaims(sdJwt.claims)).filter((name) => !Object.hasOwn(shown, name))
      const choice = { queryId: query.id, card, copyIndex: index, reused, presented, shown, hidden }
      options.set(query.id, [...(options.get(query.id) ?? []), choice])
    }
  }
  const chosen = chooseQueries(asked.query, new Set(options.keys()))
  if (!chosen || chosen.length === 0) throw new Problem(dead ? 'card-dead' : 'nothing-fits')
  return chosen.map((queryId) => ({ queryId, options: options.get(queryId) as Choice[] }))
}

/**
 * Send the answer.
 *
 * 1. Note the copies as spent, before anything leaves: a crash must not let a copy meet two parties.
 * 2. Bind each credential to this party and this request with the holder's key.
 * 3. Sign this party's pseudonym over these presentations, where it is registered for that, and it is
 *    required, or wanted and the citizen agrees.
 * 4. Post presentations, anchor receipts and pseudonym to the address in the signed request.
 *
 * @param around.recognised - the citizen lets a party that wants to know her again do so.
 * @returns where the party wants the browser to go next, if anywhere.
 * @throws Problem 'refused' when the party does not take the answer.
 */
export async function answerRequest(
  asked: VerifiedRequest,
  choices: readonly Choice[],
  around: { store: Store; now: () => number; recognised?: boolean; fetcher?: Fetch },
): Promise<string | null> {
  const tokens: Record<string, string[]> = {}
  const receipts: Record<string, Json[]> = {}
  for (const choice of choices) {
    const card = await around.store.changeCard(choice.card.id, (newest) => {
      const { index, reused } = copyFor(newest, asked.did)
      if (index !== choice.copyIndex || (reused && !choice.reused)) {
        throw new Problem('unexpected', 'the copy was used elsewhere in the meantime')
      }
      return spendCopy(newest, index, asked.did)
    }) // 1
    const copy = card.copies[choice.copyIndex] as Card['copies'][number]
    const key = await around.store.key(copy.keyId)
    const binding = await signJws(
      key,
      { typ: 'kb+jwt' },
      {
        iat: around.now(),
        aud: asked.clientId,
        nonce: asked.nonce,
        sd_hash: base64urlEncode(sha256(utf8(choice.presented))),
      },
    ) // 2
    tokens[choice.queryId] = [choice.presented + binding]
    receipts[choice.queryId] = [copy.receipt]
  }
  const agreed = asked.pseudonym === 'required' || (asked.pseudonym === 'wanted' && around.recognised === true)
  const named = agreed && !asked.excess.includes(RECOGNITION) // not even for whoever insists
  const beside: Record<string, string> = {
    ...(asked.state === null ? {} : { state: asked.state }),
    ...(named ? { pseudonym: await pseudonymFor(asked, tokens, around) } : {}),
  } // 3
  const fields: Record<string, string> = asked.encryptTo
    ? { response: await encryptAnswer({ vp_token: tokens, anchor_receipts: receipts, ...beside }, asked.encryptTo) }
    : { vp_token: JSON.stringify(tokens), anchor_receipts: JSON.stringify(receipts), ...beside }
  const answer = await request(asked.responseUri, form(fields), around.fetcher) // 4
  if (answer.status >= 500 || answer.status === 429) throw new Problem('server', String(answer.status))
  if (answer.status !== 200) throw new Problem('refused', errorDetail(answer))
  return nextAddress(answer.text)
}

function nextAddress(text: string): string | null {
  try {
    const body = JSON.parse(text) as { redirect_uri?: unknown }
    return typeof body.redirect_uri === 'string' ? safeUrl(body.redirect_uri) : null
  } catch {
    return null
  }
}
