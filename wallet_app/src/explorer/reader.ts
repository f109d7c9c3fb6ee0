/**
 * Reads the public ledger, and checks each answer in this browser.
 *
 * What `entries` hands out is only what the node says. Everything that is called proven went through
 * `check…`: under a head that the keys of the pinned trust anchor signed, and that continues the newest head
 * seen here.
 */
import { base64urlDecode, equalBytes, isObject, parseJson, type Json, type JsonObject } from '../shared/encoding'
import { jsonOf, request, requestJson, type Fetch } from '../shared/http'
import { entryLeaf, verifyEntry } from '../shared/log'
import { leafHash, rootOf } from '../shared/merkle'
import { Problem } from '../shared/problem'
import { Registry, type TrustMemory } from '../shared/registry'
import { verifyRecord } from '../shared/state_map'
import { signersOf, type Head, type TrustAnchor } from '../shared/trust'

const MAX_ANSWER_CHARS = 1 << 21 // the registry stops at half of it
const PAGE = 128 // entries in one answer
export const MAX_BATCHES_SEARCHED = 64

/** One step of a check that passed, for the visitor to read. */
export interface Step {
  readonly step: 'signed' | 'first' | 'unchanged' | 'grown' | 'entry' | 'present' | 'absent' | 'whole' | 'batches' | 'digests'
  readonly values: Readonly<Record<string, string | number>>
}
export type OnStep = (step: Step) => void

export interface Entries {
  readonly start: number
  readonly entries: readonly JsonObject[]
}

export class LedgerReader {
  private readonly registry: Registry
  private last: Promise<unknown> = Promise.resolve()
  private before: Head | null | undefined // the newest head of earlier visits, once it is read

  constructor(
    private readonly base: string, // `{base}/registry`
    private readonly memory: TrustMemory,
    private readonly fetcher: Fetch = (input, init) => fetch(input, init),
  ) {
    this.registry = new Registry(base, memory, this.fetcher)
  }

  trustAnchor(): Promise<TrustAnchor> {
    return this.registry.trustAnchor()
  }

  /** The anchor under which the head of a receipt can be verified. */
  trustFor(receipt: JsonObject): Promise<TrustAnchor> {
    if (typeof receipt.head !== 'string') throw new Problem('proof', 'not a receipt')
    return this.registry.trustFor(receipt.head)
  }

  /** The newest head, checked. */
  checkHead(onStep: OnStep = () => undefined): Promise<Head> {
    return this.inTurn(async () => {
      const { status, text } = await request(`${this.base}/head`, {}, this.fetcher)
      if (status !== 200) throw new Problem('server', String(status))
      return this.admit(text, onStep)
    })
  }

  /** The record under `key`, or null when its absence is proven; and the head of that state. */
  checkRecord(key: string, onStep: OnStep = () => undefined): Promise<{ record: JsonObject | null; head: Head }> {
    return this.inTurn(async () => {
      const query = new URLSearchParams({ key, proof: 'true' })
      const body = jsonOf(await request(`${this.base}/records?${query}`, {}, this.fetcher))
      if (typeof body.head !== 'string') throw new Problem('proof', 'no head')
      const head = await this.admit(body.head, onStep)
      const claimed = body.record ?? null
      if (claimed !== null && !isObject(claimed)) throw new Problem('proof', 'record is no object')
      const record = verifyRecord(body.proof, { key, record: claimed, root: head.stateRoot })
      onStep({ step: record ? 'present' : 'absent', values: { key, height: head.height } })
      return { record, head }
    })
  }

  /** That `entry`, as it was read and shown, is number `index` in the log of `head`. */
  async checkEntry(entry: JsonObject, index: number, head: Head, onStep: OnStep = () => undefined): Promise<void> {
    const query = new URLSearchParams({ index: String(index), size: String(head.size) })
    const answer = await requestJson(`${this.base}/log/inclusion?${query}`, {}, this.fetcher)
    verifyEntry(answer, { entry, index, head })
    onStep({ step: 'entry', values: { index, size: head.size } })
  }

  /** The entries from `start` to before `end`, as the node says. */
  async entries(start: number, end: number): Promise<Entries> {
    const entries: JsonObject[] = []
    while (start + entries.length < end) {
      const at = start + entries.length
      const query = new URLSearchParams({ start: String(at), count: String(Math.min(PAGE, end - at)) })
      const { status, text } = await request(`${this.base}/log/entries?${query}`, {}, this.fetcher)
      if (status !== 200) throw new Problem('server', String(status))
      const body = parseJson(text, MAX_ANSWER_CHARS)
      if (!isObject(body) || !Array.isArray(body.entries)) throw new Problem('malformed', 'no entries')
      const page = body.entries as Json[]
      if (page.length === 0 || page.length > end - at || !page.every(isObject)) throw new Problem('malformed', 'entries are missing')
      entries.push(...(page as JsonObject[]))
    }
    return { start, entries }
  }

  /**
   * Which anchored batch holds `digest`; null when it is proven that none does.
   *
   * The whole log is hashed and compared with the head, so that no batch is left out; then the list of
   * each batch is hashed and compared with the root that its issuer anchored. The digest stays here.
   *
   * @param whole every entry of the log, from the first.
   */
  async checkDigest(digest: Uint8Array, head: Head, whole: readonly JsonObject[], onStep: OnStep = () => undefined): Promise<AnchoredBatch | null> {
    if (whole.length !== head.size || !equalBytes(rootOf(whole.map(entryLeaf)), head.logRoot)) {
      throw new Problem('proof', 'the log is not the one that the head signs')
    }
    onStep({ step: 'whole', values: { size: head.size } })
    const batches = whole.map(readBatch).filter((batch) => batch !== null)
    if (batches.length > MAX_BATCHES_SEARCHED) throw new Problem('refused', 'too many batches to search in a browser')
    const addresses = new Map<string, string>()
    for (const { issuer } of batches) {
      if (!addresses.has(issuer)) addresses.set(issuer, await this.addressOf(issuer))
    }
    let found: AnchoredBatch | null = null
    let searched = 0
    for (const batch of batches) {
      const listed = await requestJson(`${addresses.get(batch.issuer) as string}/anchors/${batch.batch}`, {}, this.fetcher)
      const digests = Array.isArray(listed.digests) ? listed.digests.map((item) => base64urlDecode(item)) : []
      if (digests.length !== batch.count || digests.some((item) => item.length !== 32)) throw new Problem('proof', 'a batch is not shown whole')
      if (!equalBytes(rootOf(digests.map(leafHash)), base64urlDecode(batch.root))) throw new Problem('proof', 'a batch is not the one that was anchored')
      searched += digests.length
      if (digests.some((item) => equalBytes(item, digest))) found = batch
    }
    onStep({ step: 'batches', values: { count: batches.length } })
    onStep({ step: 'digests', values: { count: searched } })
    return found
  }

  private async addressOf(issuer: string): Promise<string> {
    const { record } = await this.checkRecord(`did/${issuer}`)
    const address = Array.isArray(record?.alsoKnownAs) ? record.alsoKnownAs[0] : null
    if (typeof address !== 'string') throw new Problem('refused', 'an issuer names no address to read its batches from')
    return address
  }

  private async admit(text: string, onStep: OnStep): Promise<Head> {
    if (this.before === undefined) this.before = await this.memory.newestHead()
    const head = await this.registry.admitHead(text)
    const anchor = await this.trustAnchor()
    const { needed, all } = signersOf(anchor)
    onStep({ step: 'signed', values: { height: head.height, needed, keys: all } })
    // Each head continues the one before it, so the newest continues that of the last visit.
    if (!this.before) onStep({ step: 'first', values: {} })
    else if (this.before.size === head.size) onStep({ step: 'unchanged', values: { size: head.size } })
    else onStep({ step: 'grown', values: { from: this.before.size, to: head.size } })
    return head
  }

  /** One after the other: an answer that overtakes another would look like a ledger going back. */
  private inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.last.then(work)
    this.last = turn.catch(() => undefined)
    return turn
  }
}

export interface AnchoredBatch {
  readonly issuer: string
  readonly batch: string
  readonly root: string
  readonly count: number
  readonly height: number
}

function readBatch(entry: JsonObject): AnchoredBatch | null {
  const payload = isObject(entry.transaction) && isObject(entry.transaction.payload) ? entry.transaction.payload : null
  if (payload?.action !== 'anchor-batch' || !isObject(payload.body)) return null
  const { batch, root, count } = payload.body
  return {
    issuer: String(payload.author),
    batch: String(batch),
    root: String(root),
    count: Number(count),
    height: Number(entry.height),
  }
}
