/** Words for the codes in one's own record: who looked into one's data, and what for. */
import type { JsonObject } from '../shared/encoding'
import { pick, t } from '../shared/language.svelte'
import type { TextKey } from '../shared/text'
import type { Card } from './cards'

/** Purposes for which this project opens a person's row. Officers who break the glass give codes of their own. */
export const PURPOSES: Readonly<Record<string, TextKey>> = {
  issue: 'record.for-issue',
  enrolment: 'record.for-enrolment',
  identify: 'record.for-identify',
  'name-change': 'record.for-name-change',
  correction: 'record.for-correction',
  mandate: 'record.for-mandate',
  revival: 'record.for-revival',
  separation: 'record.for-separation',
}

/** Who looked: `issuer:<agency>`, `officers:review`, or the two `officer:<name>` of a look by hand. */
export function lookedBy(card: Card, actor: string): string {
  if (actor === 'officers:review') return t('record.by-review')
  if (actor.startsWith('issuer:')) {
    const slug = actor.slice('issuer:'.length)
    return card.issuer.endsWith(`/issuers/${slug}`) ? pick(card.issuerName) : t('record.by-agency', { name: slug })
  }
  if (actor.startsWith('officer:')) {
    return t('record.by-officers', { names: actor.split('/').map((one) => one.replace(/^officer:/, '')).join(', ') })
  }
  return actor
}

export function lookedAt(card: Card, actor: string, purpose: string): string {
  const known = PURPOSES[purpose]
  return `${lookedBy(card, actor)} · ${known ? t(known) : purpose}`
}

const ARRANGED: Readonly<Record<string, TextKey>> = {
  set: 'record.guardians-set',
  changed: 'record.guardians-changed',
  withdrawn: 'record.guardians-withdrawn',
}

/** What became of her guardians, and which key signed it: that of a card here, or another. */
export function arrangedBy(cards: readonly Card[], detail: JsonObject): string {
  const state = ARRANGED[String(detail.state)]
  const counts = { guardians: String(detail.guardians), threshold: String(detail.threshold) }
  return `${state ? t(state, counts) : String(detail.state)} · ${signedBy(cards, detail)}`
}

function signedBy(cards: readonly Card[], { key, by }: JsonObject): string {
  if (typeof key !== 'string') return by === 'proofing' ? t('record.guardians-proofed') : String(by)
  const card = cards.find(({ copies }) => copies.some(({ keyId }) => keyId === key))
  return card ? t('record.guardians-key', { name: pick(card.name) }) : t('record.guardians-other-key', { key: key.slice(0, 8) })
}
