/** One look into her record at an agency, with whichever of her cards opens it. */
import { asProblem } from '../../shared/problem'
import type { Registry } from '../../shared/registry'
import type { Card } from '../cards'
import { readOwnRecord } from '../own_record'
import type { Store } from '../store'
import type { UnderWay } from './memory'
import { underWay } from './watching'

const MOST_TRIES = 4 // an agency is shown a copy each time

/** What the wallet lends: its cards, and how it learns that one has ended. */
export interface Host {
  readonly store: Store
  readonly registry: Registry
  readonly now: () => number
  readonly cards: readonly Card[]
  readonly refreshStatus: (card: Card) => Promise<void>
}

/**
 * Which cards to present, each with one copy left in it: every card's first copy before anybody's
 * second, so that a suspended card or a superseded copy does not keep her out.
 */
export function waysIn(cards: readonly Card[]): readonly Card[] {
  const usable = cards.filter(({ status }) => status.state !== 'revoked')
  const rounds = Math.max(0, ...usable.map(({ copies }) => copies.length))
  const all = Array.from({ length: rounds }, (_, round) =>
    usable.flatMap((card) => card.copies.slice(round, round + 1).map((copy) => ({ ...card, copies: [copy] }))),
  )
  return all.flat().slice(0, MOST_TRIES)
}

/**
 * Recoveries that wait, as her record tells.
 *
 * @returns none also when every card of hers there is proven to be revoked: there is nothing left to
 *   take over. Null when nothing was told, or nothing that is proven: then what was known stands.
 */
export async function findUnderWay(agency: string, host: Host): Promise<readonly UnderWay[] | null> {
  const hers = (): readonly Card[] => host.cards.filter(({ issuer }) => issuer === agency)
  const ways = waysIn(hers())
  for (const card of ways) {
    try {
      return underWay((await readOwnRecord(card, host.cards, host)).lines)
    } catch (error) {
      if (asProblem(error).code !== 'refused') return null
    }
  }
  if (ways.length > 0) for (const card of hers()) await host.refreshStatus(card).catch(() => undefined)
  return hers().length > 0 && hers().every(({ status }) => status.state === 'revoked') ? [] : null
}
