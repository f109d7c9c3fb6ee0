/** Words for the codes in one's own record: who looked into one's data, and what for. */
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
