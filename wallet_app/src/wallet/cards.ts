/** What the wallet keeps: cards with their single-use copies, and who asked for what. */
import type { Json, JsonObject } from '../shared/encoding'
import type { Localized } from '../shared/language.svelte'
import { Problem } from '../shared/problem'

/** One copy of a credential, under a holder key of its own. */
export interface Copy {
  readonly credential: string // SD-JWT with all disclosures, no key binding
  readonly keyId: string
  readonly digest: string // base64url, names the anchor receipt
  readonly receipt: Json // verified anchor receipt, or null while the batch is open
  readonly parties: readonly string[] // who has been shown this copy; DIDs
}

export interface Card {
  readonly id: string
  readonly issuer: string // credential issuer identifier
  readonly issuerName: Localized
  readonly issuerDid: string
  readonly vct: string
  readonly name: Localized
  readonly colors: { readonly background: string; readonly text: string }
  readonly labels: Readonly<Record<string, Localized>>
  readonly claims: JsonObject // what it says about the holder
  readonly receivedAt: number // unix seconds
  readonly expiresAt: number | null
  readonly status: CardStatus
  readonly anchoredAt: number | null // time of the block, once a receipt has been verified
  readonly copies: readonly Copy[]
}

export interface CardStatus {
  readonly state: 'unknown' | 'valid' | 'suspended' | 'revoked'
  readonly checkedAt: number | null
}

export interface HistoryEntry {
  readonly id: string
  readonly time: number
  readonly party: string // DID
  readonly partyName: string
  readonly why: Localized | null
  readonly fields: readonly { readonly card: Localized; readonly names: readonly Localized[] }[]
  readonly outcome: 'shared' | 'declined' | 'refused' | 'failed'
  readonly warned: boolean
}

/**
 * The copy to show to `party`: the one it knows already, else a fresh one.
 *
 * When every copy has been spent, the one that fewest parties have seen is used again and `reused`
 * says so: those parties could find out that they met the same person.
 */
export function copyFor(card: Card, party: string): { index: number; reused: boolean } {
  const known = card.copies.findIndex((copy) => copy.parties.includes(party))
  if (known >= 0) return { index: known, reused: false }
  let best = -1
  card.copies.forEach((copy, index) => {
    if (best < 0 || copy.parties.length < (card.copies[best] as Copy).parties.length) best = index
  })
  if (best < 0) throw new Problem('storage', 'card has no copies')
  return { index: best, reused: (card.copies[best] as Copy).parties.length > 0 }
}

/** The card with `party` noted on one copy. */
export function spendCopy(card: Card, index: number, party: string): Card {
  return changeCopy(card, index, (copy) =>
    copy.parties.includes(party) ? copy : { ...copy, parties: [...copy.parties, party] },
  )
}

export function changeCopy(card: Card, index: number, change: (copy: Copy) => Copy): Card {
  return { ...card, copies: card.copies.map((copy, at) => (at === index ? change(copy) : copy)) }
}
