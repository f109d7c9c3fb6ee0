/** The wallet's store in IndexedDB. Nothing in it ever leaves the browser by itself. */
import { deleteDB, openDB, type DBSchema, type IDBPDatabase } from 'idb'
import { Problem } from '../shared/problem'
import type { TrustMemory } from '../shared/registry'
import type { Head } from '../shared/trust'
import type { PendingAuthorization } from './authorizing'
import type { Card, HistoryEntry } from './cards'
import { GuardianMemory, type Arrangement, type Guarded, type Recovery } from './guardians/memory'
import { makeHolderKey, type HolderKey } from './holder_keys'
import type { SeenRecord } from './own_record'
import type { PendingCard } from './receiving'

export type Pending = PendingAuthorization | PendingCard

const NAME = 'cairn-wallet'
const VERSION = 4
const MAX_HISTORY = 1000 // entries; older ones are dropped

export interface WalletSchema extends DBSchema {
  keys: { key: string; value: HolderKey }
  cards: { key: string; value: Card }
  history: { key: string; value: HistoryEntry; indexes: { time: number } }
  trust: { key: string; value: unknown }
  pending: { key: string; value: Pending }
  pseudonyms: { key: string; value: HolderKey }
  arrangements: { key: string; value: Arrangement }
  guarded: { key: string; value: Guarded }
  recoveries: { key: string; value: Recovery }
}

export class Store implements TrustMemory {
  readonly guardians: GuardianMemory

  private constructor(private readonly database: IDBPDatabase<WalletSchema>) {
    this.guardians = new GuardianMemory(database)
  }

  /** @throws Problem 'storage' where the browser keeps nothing (some private windows). */
  static async open(): Promise<Store> {
    try {
      const database = await openDB<WalletSchema>(NAME, VERSION, {
        upgrade(fresh, from) {
          if (from < 1) {
            fresh.createObjectStore('keys', { keyPath: 'id' })
            fresh.createObjectStore('cards', { keyPath: 'id' })
            fresh.createObjectStore('history', { keyPath: 'id' }).createIndex('time', 'time')
            fresh.createObjectStore('trust')
          }
          if (from < 2) fresh.createObjectStore('pending', { keyPath: 'id' })
          if (from < 3) fresh.createObjectStore('pseudonyms') // by the party's DID
          if (from < 4) {
            fresh.createObjectStore('arrangements', { keyPath: 'agency' })
            fresh.createObjectStore('guarded', { keyPath: 'id' })
            fresh.createObjectStore('recoveries', { keyPath: 'id' })
          }
        },
        blocking: (_current, _blocked, event) => (event.target as IDBDatabase).close(),
      })
      return new Store(database)
    } catch {
      throw new Problem('storage', 'IndexedDB')
    }
  }

  async cards(): Promise<Card[]> {
    const cards = await this.database.getAll('cards')
    return cards.sort((a, b) => a.receivedAt - b.receivedAt || a.id.localeCompare(b.id))
  }

  async card(id: string): Promise<Card | undefined> {
    return this.database.get('cards', id)
  }

  /** Card and keys in one transaction: a card without its keys could never be shown. */
  async addCard(card: Card, keys: readonly HolderKey[]): Promise<void> {
    const transaction = this.database.transaction(['cards', 'keys'], 'readwrite')
    for (const key of keys) await transaction.objectStore('keys').put(key)
    await transaction.objectStore('cards').put(card)
    await transaction.done
  }

  /** Change the newest version of a card; two tabs cannot overwrite each other's change. */
  async changeCard(id: string, change: (card: Card) => Card): Promise<Card> {
    const transaction = this.database.transaction('cards', 'readwrite')
    const card = await transaction.store.get(id)
    if (!card) throw new Problem('storage', 'card is gone')
    const changed = change(card) // when it throws, nothing was written
    await transaction.store.put(changed)
    await transaction.done
    return changed
  }

  async removeCard(card: Card): Promise<void> {
    const transaction = this.database.transaction(['cards', 'keys'], 'readwrite')
    await transaction.objectStore('cards').delete(card.id)
    for (const copy of card.copies) await transaction.objectStore('keys').delete(copy.keyId)
    await transaction.done
  }

  /** Something under way: at the agency's page, or waiting for its decision. */
  async addPending(pending: Pending): Promise<void> {
    await this.database.put('pending', pending)
  }

  /** Take it out: what comes back twice finds nothing the second time. */
  async takePending(id: string): Promise<Pending | undefined> {
    const transaction = this.database.transaction('pending', 'readwrite')
    const found = await transaction.store.get(id)
    if (found) await transaction.store.delete(id)
    await transaction.done
    return found
  }

  async deferred(): Promise<PendingCard[]> {
    const all = await this.database.getAll('pending')
    return all.filter((item): item is PendingCard => item.kind === 'deferred')
  }

  async key(id: string): Promise<HolderKey> {
    const key = await this.database.get('keys', id)
    if (!key) throw new Problem('storage', 'key is gone')
    return key
  }

  /**
   * The key by which one relying party knows this wallet again, made when it is first needed. Two
   * tabs that make one at the same time keep the first.
   */
  async pseudonymKey(party: string): Promise<HolderKey> {
    const kept = await this.database.get('pseudonyms', party)
    if (kept) return kept
    const made = await makeHolderKey() // a transaction would not wait for it
    const transaction = this.database.transaction('pseudonyms', 'readwrite')
    const first = await transaction.store.get(party)
    if (!first) await transaction.store.put(made, party)
    await transaction.done
    return first ?? made
  }

  async history(): Promise<HistoryEntry[]> {
    return (await this.database.getAllFromIndex('history', 'time')).reverse()
  }

  async addHistory(entry: HistoryEntry): Promise<void> {
    const transaction = this.database.transaction('history', 'readwrite')
    await transaction.store.put(entry)
    let surplus = (await transaction.store.count()) - MAX_HISTORY
    let cursor = surplus > 0 ? await transaction.store.index('time').openCursor() : null
    for (; cursor && surplus > 0; surplus--) {
      await cursor.delete()
      cursor = await cursor.continue()
    }
    await transaction.done
  }

  async clearHistory(): Promise<void> {
    await this.database.clear('history')
  }

  /** Everything goes: cards, keys, pseudonyms, history, the pinned trust anchor. */
  async erase(): Promise<void> {
    this.database.close()
    await deleteDB(NAME)
  }

  async anchor(): Promise<string | null> {
    return ((await this.database.get('trust', 'anchor')) as string | undefined) ?? null
  }

  /** Replace the anchor, if it still is `expected`. */
  async moveAnchor(expected: string, moved: string): Promise<void> {
    const change = this.database.transaction('trust', 'readwrite')
    if ((await change.store.get('anchor')) === expected) await change.store.put(moved, 'anchor')
    await change.done
  }

  async pinAnchor(text: string): Promise<void> {
    await this.database.add('trust', text, 'anchor') // `add` refuses to replace a pinned anchor
  }

  /** How far the record at an agency was seen, and its head then. */
  async seenRecord(issuer: string): Promise<SeenRecord | null> {
    return ((await this.database.get('trust', `record ${issuer}`)) as SeenRecord | undefined) ?? null
  }

  async rememberRecord(issuer: string, seen: SeenRecord): Promise<void> {
    await this.database.put('trust', seen, `record ${issuer}`)
  }

  async newestHead(): Promise<Head | null> {
    return ((await this.database.get('trust', 'head')) as Head | undefined) ?? null
  }

  async rememberHead(head: Head): Promise<void> {
    await this.database.put('trust', head, 'head')
  }
}
