/** Looks for recoveries: what is remembered, how often they are repeated, and with which card. */
import 'fake-indexeddb/auto'
import { IDBFactory } from 'fake-indexeddb'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import type { JsonObject } from '../src/shared/encoding'
import type { Card, CardStatus } from '../src/wallet/cards'
import { Guardians } from '../src/wallet/guardians/guardians.svelte'
import { waysIn, type Host } from '../src/wallet/guardians/looking'
import type { Arrangement } from '../src/wallet/guardians/memory'
import { nextLook } from '../src/wallet/guardians/watching'
import { makeHolderKey } from '../src/wallet/holder_keys'
import { Store } from '../src/wallet/store'

const START = 1_800_000_000
const DAY = 86_400
const WAITING = { kind: 'recovery', time: START - 5, recovery: 'taken', state: 'waiting' }

let server: Server
let agency: string
let now: number
let store: Store
let cards: Card[]
let opens: (credential: string) => [number, JsonObject] // how the agency answers for a copy
let shown: string[] // copies that were shown to the agency
let orders: string[]
let refreshed: Record<string, CardStatus['state']>
let guardians: Guardians

async function card(id: string, copies: number): Promise<Card> {
  const keys = await Promise.all(Array.from({ length: copies }, () => makeHolderKey()))
  const made = {
    id,
    issuer: agency,
    issuerName: { en: 'Registry' },
    status: { state: 'valid', checkedAt: null },
    copies: keys.map((key, index) => ({ credential: `${id}-${index}~`, keyId: key.id, digest: '', receipt: null, parties: [] })),
  } as unknown as Card
  await store.addCard(made, keys)
  return made
}

beforeEach(async () => {
  vi.stubGlobal('document', { visibilityState: 'visible' })
  vi.stubGlobal('navigator', { onLine: true })
  shown = []
  orders = []
  refreshed = {}
  now = START
  server = createServer((request, response) => {
    let text = ''
    request.on('data', (part) => (text += part))
    request.on('end', () => {
      let answer: [number, JsonObject] = [200, { c_nonce: 'fresh' }]
      const body = text ? (JSON.parse(text) as Record<string, string>) : {}
      if (request.url?.endsWith('/record')) {
        shown.push(body.presentation!.split('~')[0]!)
        answer = opens(shown.at(-1)!)
      }
      if (request.url?.endsWith('/guardians')) {
        orders.push(body.credential!.split('~')[0]!)
        answer = orders.length < 2 ? [403, { type: '/problems/not-her-order' }] : [200, { arrangement: null }]
      }
      response.writeHead(answer[0], { 'Content-Type': 'application/json' }).end(JSON.stringify(answer[1]))
    })
  })
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  agency = `http://127.0.0.1:${(server.address() as AddressInfo).port}/issuers/registrar`
  globalThis.indexedDB = new IDBFactory()
  store = await Store.open()
  cards = [await card('first', 2), await card('second', 2)]
  const host: Host = {
    store,
    registry: {} as Host['registry'],
    now: () => now,
    get cards() {
      return cards
    },
    refreshStatus: async ({ id }) => {
      const state = refreshed[id]
      if (!state) throw new Error('no list')
      cards = cards.map((one) => (one.id === id ? { ...one, status: { state, checkedAt: now } } : one))
    },
  }
  guardians = new Guardians(host)
  const arranged: Arrangement = { agency, agencyName: {}, arrangement: 'a', threshold: 2, waitSeconds: DAY, guardians: [], setAt: 1 }
  await store.guardians.keepArrangement(arranged)
  await guardians.reload()
})
afterEach(() => {
  vi.unstubAllGlobals()
  server.close()
})

const record = (...entries: JsonObject[]): [number, JsonObject] => [200, { key: 'k', entries, anchored: null }]
const refusal: [number, JsonObject] = [403, { type: '/problems/record-not-yours' }]
const alarms = (): string[] => guardians.notices.map(({ recovery }) => recovery)

async function alarmed(): Promise<void> {
  opens = () => record(WAITING)
  await guardians.look()
  expect(alarms()).toEqual(['taken'])
  shown = []
  now += 60
}

describe('a refusal', () => {
  test.each([400, 403, 404])('of %i stills no alarm', async (status) => {
    await alarmed()
    opens = () => [status, { type: '/problems/record-not-yours' }]
    await guardians.look()
    expect(alarms()).toEqual(['taken'])
    expect((await store.guardians.lastLook(agency)).found).toHaveLength(1)
    expect(shown).toEqual(['first-0', 'second-0', 'first-1', 'second-1'])
  })

  test.each(['second-0', 'first-1'])('leaves the other cards and copies: %s', async (good) => {
    opens = (copy) => (copy === good ? record(WAITING) : refusal)
    await guardians.look()
    expect(alarms()).toEqual(['taken'])
    expect(shown.at(-1)).toBe(good)
    expect((await store.guardians.lastLook(agency)).at).toBe(now)
  })

  test('stills it when every card is proven to be revoked, and asks no more', async () => {
    await alarmed()
    opens = () => refusal
    refreshed = { first: 'revoked' }
    await guardians.look()
    expect(alarms()).toEqual(['taken'])
    refreshed = { first: 'revoked', second: 'revoked' }
    now += 60
    await guardians.look()
    expect(alarms()).toEqual([])
    shown = []
    now += 10 * DAY
    await guardians.look()
    expect(shown).toEqual([])
    expect(guardians.blind).toEqual([])
  })

  test('of one card does not keep her from stopping it with another', async () => {
    await alarmed()
    await guardians.stop(guardians.notices[0]!)
    expect(orders).toEqual(['first-0', 'second-0'])
    expect(alarms()).toEqual([])
  })
})

describe('a look that failed', () => {
  test('waits its time also after the clock of the phone was turned back', async () => {
    await alarmed()
    now -= DAY
    opens = () => refusal
    const tried: number[] = []
    const since = now
    for (; now < since + 240; now += 5) {
      const before = shown.length
      await guardians.look()
      if (shown.length > before) tried.push(now - since)
    }
    expect(tried).toEqual([0, 30, 90, 150, 210]) // not every five seconds
    expect(alarms()).toEqual(['taken'])
  })

  test.each<[string, [number, JsonObject]]>([
    ['refused', refusal],
    ['no answer', [503, {}]],
    ['not proven', [200, { key: 'k', entries: [], anchored: {} }]],
  ])('is repeated less and less often, and told: %s', async (_name, answer) => {
    opens = () => answer
    const tried: number[] = []
    for (; now < START + DAY; now += 5) {
      const before = shown.length
      await guardians.look()
      if (shown.length > before) tried.push(now - START)
      expect(guardians.blind.length, String(now - START)).toBe(tried.length < 3 ? 0 : 1)
      if (tried.length === 8) break
    }
    expect(tried).toEqual([0, 30, 90, 210, 450, 930, 1890, 3810])
    opens = () => record(WAITING)
    now += DAY / 10
    await guardians.look()
    expect([guardians.blind, alarms()]).toEqual([[], ['taken']])
  })

  test('is due again after the regular interval at the latest', () => {
    const look = (failures: number) => ({ at: 0, found: [], failures, failedAt: START })
    expect(nextLook(look(1), DAY) - START).toBe(30)
    expect(nextLook(look(40), DAY) - START).toBe(DAY / 10)
    expect(nextLook({ ...look(9), found: [{ recovery: 'r', since: 1 }] }, DAY) - START).toBe(60)
    expect(nextLook(look(1), 50) - START).toBe(5)
  })

  test('is remembered by a page that is opened anew', async () => {
    opens = () => refusal
    await guardians.look()
    const tries = shown.length
    const again = new Guardians((guardians as unknown as { host: Host }).host)
    await again.reload()
    await again.look()
    expect(shown.length).toBe(tries)
  })
})

test('no more than a few copies are shown, every card first', () => {
  const [one, two] = cards as [Card, Card]
  const revoked: Card = { ...one, status: { state: 'revoked', checkedAt: 1 } }
  const many: Card = { ...two, copies: [...two.copies, ...two.copies, ...two.copies] }
  expect(waysIn([revoked, many]).map(({ copies }) => copies.length)).toEqual([1, 1, 1, 1])
  expect(waysIn([revoked])).toEqual([])
  expect(waysIn([])).toEqual([])
})
