/**
 * One's own record at an agency: what was issued in one's name, and every look into one's data.
 *
 * Nothing of it is believed as it comes. Entries are chained to a head, the head stands in the agency's
 * map, the map's root stands on the ledger; and what was seen before must be the beginning of what is
 * shown now.
 */
import { base64urlDecode, base64urlEncode, canonicalJson, equalBytes, isObject, utf8, type Json, type JsonObject } from '../shared/encoding'
import { labelledHash, sha256 } from '../shared/hashing'
import { json, requestJson, type Fetch } from '../shared/http'
import type { Localized } from '../shared/language.svelte'
import { asProblem, Problem } from '../shared/problem'
import type { Registry } from '../shared/registry'
import { verifyRecord } from '../shared/state_map'
import type { Card } from './cards'
import { signJws } from './holder_keys'
import type { Store } from './store'

const START = new Uint8Array(32)
const MAX_ENTRIES = 5000

export interface SeenRecord {
  readonly count: number
  readonly head: string // base64url, after `count` entries
}

export interface RecordLine {
  readonly kind: string
  readonly time: number
  readonly detail: JsonObject
  readonly anchored: boolean // its head is on the ledger
  readonly strange: boolean // a credential that is not in this wallet
}

export interface OwnRecord {
  readonly agency: Localized
  readonly lines: readonly RecordLine[] // newest first
  readonly anchored: number
}

interface Around {
  readonly store: Store
  readonly registry: Registry
  readonly now: () => number
  readonly fetcher?: Fetch
}

/** One card for each agency: any copy of it proves who asks. */
export function agenciesOf(cards: readonly Card[]): readonly Card[] {
  const usable = cards.filter((card) => card.status.state !== 'revoked')
  return usable.filter((card, index) => usable.findIndex(({ issuer }) => issuer === card.issuer) === index)
}

/**
 * Ask the agency of a card for its holder's record, and check it.
 *
 * @throws Problem 'proof' when the agency shows something else than the ledger, or than before.
 */
export async function readOwnRecord(card: Card, cards: readonly Card[], around: Around): Promise<OwnRecord> {
  try {
    return await readOnce(card, cards, around)
  } catch (error) {
    if (asProblem(error).code !== 'proof') throw error
    await new Promise((resolve) => setTimeout(resolve, 1500)) // published in this moment
    return readOnce(card, cards, around)
  }
}

async function readOnce(card: Card, cards: readonly Card[], around: Around): Promise<OwnRecord> {
  const fetcher = around.fetcher
  const { c_nonce: nonce } = await requestJson(`${card.issuer}/nonce`, { method: 'POST' }, fetcher)
  if (typeof nonce !== 'string') throw new Problem('malformed', 'nonce')
  const answer = await requestJson(`${card.issuer}/record`, json({ presentation: await present(card, nonce, around) }), fetcher)
  const { key, entries, anchored } = answer
  if (typeof key !== 'string' || !Array.isArray(entries) || entries.length > MAX_ENTRIES || !entries.every(isObject)) {
    throw new Problem('malformed', 'record')
  }
  const heads = chain(entries)
  await checkMemory(card, heads, around.store)
  const count = anchored === null ? 0 : await checkAnchor(card, key, heads, anchored, around.registry)
  await around.store.rememberRecord(card.issuer, { count: entries.length, head: base64urlEncode(heads.at(-1) as Uint8Array) })
  const held = new Set(cards.flatMap(({ copies }) => copies.map(({ digest }) => digest)))
  const lines = entries.map((entry, index) => line(entry, index < count, held))
  return { agency: card.issuerName, lines: lines.reverse(), anchored: count }
}

/** Heads after 0, 1, … entries. */
export function chain(entries: readonly JsonObject[]): readonly Uint8Array[] {
  const heads: Uint8Array[] = [START]
  for (const entry of entries) {
    heads.push(labelledHash('cairn/record-entry/v1', heads.at(-1) as Uint8Array, utf8(canonicalJson(entry))))
  }
  return heads
}

async function present(card: Card, nonce: string, around: Around): Promise<string> {
  const copy = card.copies[0]
  if (!copy) throw new Problem('storage', 'card has no copies')
  const bare = `${copy.credential.split('~', 1)[0]}~` // nothing is disclosed
  const binding = await signJws(
    await around.store.key(copy.keyId),
    { typ: 'kb+jwt' },
    { iat: around.now(), aud: card.issuer, nonce, sd_hash: base64urlEncode(sha256(utf8(bare))) },
  )
  return bare + binding
}

async function checkMemory(card: Card, heads: readonly Uint8Array[], store: Store): Promise<void> {
  const seen = await store.seenRecord(card.issuer)
  if (!seen) return
  const then = heads[seen.count]
  if (!then || base64urlEncode(then) !== seen.head) {
    throw new Problem('proof', 'the record is not the one that was shown before')
  }
}

async function checkAnchor(
  card: Card,
  key: string,
  heads: readonly Uint8Array[],
  anchored: Json | undefined,
  registry: Registry,
): Promise<number> {
  if (!isObject(anchored) || typeof anchored.count !== 'number' || typeof anchored.uri !== 'string') {
    throw new Problem('malformed', 'anchor of the record')
  }
  const head = heads[anchored.count]
  if (!head || !equalBytes(head, base64urlDecode(anchored.head))) throw new Problem('proof', 'another head than the entries have')
  const listed = await registry.record(`status-list/${hex(sha256(utf8(anchored.uri)))}`)
  if (!listed || listed.issuer !== card.issuerDid || listed.uri !== anchored.uri) {
    throw new Problem('proof', 'the ledger knows no heads of this agency')
  }
  verifyRecord(anchored.proof, {
    key,
    record: { count: anchored.count, head: base64urlEncode(head) },
    root: base64urlDecode(listed.digest),
  })
  return anchored.count
}

function line(entry: JsonObject, anchored: boolean, held: ReadonlySet<string>): RecordLine {
  const { kind, time, ...detail } = entry
  const copies = Array.isArray(detail.copies) ? detail.copies : []
  const strange = kind === 'issued' && !copies.some((digest) => typeof digest === 'string' && held.has(digest))
  return { kind: String(kind), time: typeof time === 'number' ? time : 0, detail, anchored, strange }
}

function hex(bytes: Uint8Array): string {
  return [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('')
}
