/** Fetching anchor receipts after issuing, and checking them here, against the pinned anchor. */
import { isObject, parseJson, type Json } from '../shared/encoding'
import { request, type Fetch } from '../shared/http'
import { Problem } from '../shared/problem'
import { verifyReceipt } from '../shared/receipt'
import type { Registry } from '../shared/registry'
import { parseSdJwt } from '../shared/sd_jwt'
import { changeCopy, type Card, type Copy } from './cards'
import { typeName } from './offers'
import type { Store } from './store'

interface Around {
  readonly store: Store
  readonly registry: Registry
  readonly fetcher?: Fetch
}

/**
 * Fetch the receipts that are missing; copies whose batch is still open are left for later.
 *
 * @returns the card as it now is. It is anchored once every copy has a verified receipt.
 * @throws Problem 'proof' when a receipt does not hold: that is no delay but a lie.
 */
export async function anchorCard(card: Card, around: Around): Promise<Card> {
  let current = card
  for (const [index, copy] of card.copies.entries()) {
    if (copy.receipt !== null) continue
    const answer = await request(`${card.issuer}/receipts/${copy.digest}`, {}, around.fetcher)
    if (answer.status === 404) continue
    if (answer.status !== 200) throw new Problem('server', 'receipts')
    const receipt = parseJson(answer.text)
    const time = await checkReceipt(card, copy, receipt, around.registry)
    current = await around.store.changeCard(card.id, (newest) => ({
      ...changeCopy(newest, index, (same) => ({ ...same, receipt })),
      anchoredAt: time,
    }))
  }
  return current
}

/** Time of the block that anchored this copy, unix seconds. @throws Problem 'proof' */
export async function checkReceipt(card: Card, copy: Copy, receipt: Json, registry: Registry): Promise<number> {
  const payload = parseSdJwt(copy.credential).jws.payload // verified when it was received
  if (!isObject(receipt) || typeof receipt.head !== 'string') throw new Problem('proof', 'not a receipt')
  const verified = verifyReceipt(receipt, { payload, anchor: await registry.trustFor(receipt.head) })
  if (verified.issuer !== card.issuerDid) throw new Problem('proof', 'anchored by another issuer')
  if (!verified.types.includes(typeName(card.vct))) throw new Problem('proof', 'anchored as another type')
  return verified.time
}

export function isAnchored(card: Card): boolean {
  return card.copies.every((copy) => copy.receipt !== null)
}

/** Try now and then, each time a little later, until all receipts are here or patience runs out. */
export async function anchorPatiently(
  card: Card,
  around: Around,
  changed: () => Promise<void>,
  wait = (milliseconds: number) => new Promise<void>((resolve) => setTimeout(resolve, milliseconds)),
): Promise<void> {
  for (let tries = 0; tries < 12; tries++) {
    // Read anew each time: meanwhile a copy may have been spent, or the card removed.
    const newest = await around.store.card(card.id)
    if (!newest) return
    const current = await anchorCard(newest, around)
    await changed()
    if (isAnchored(current)) return
    await wait(Math.min(1000 * 1.5 ** tries, 15_000))
  }
}
