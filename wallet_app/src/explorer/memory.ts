/** What the explorer remembers between visits: the trust anchor of the first one, and the newest head. */
import { base64Decode, base64Encode, isObject, parseJson } from '../shared/encoding'
import { Problem } from '../shared/problem'
import type { TrustMemory } from '../shared/registry'
import type { Head } from '../shared/trust'

const ANCHOR = 'cairn-explorer-anchor'
const SINCE = 'cairn-explorer-since'
const HEAD = 'cairn-explorer-head'

export class BrowserMemory implements TrustMemory {
  constructor(private readonly storage: Storage = localStorage) {}

  async anchor(): Promise<string | null> {
    return this.storage.getItem(ANCHOR)
  }

  async pinAnchor(text: string): Promise<void> {
    try {
      this.storage.setItem(ANCHOR, text)
      this.storage.setItem(SINCE, String(Math.floor(Date.now() / 1000)))
    } catch {
      throw new Problem('storage', 'localStorage')
    }
  }

  async moveAnchor(expected: string, moved: string): Promise<void> {
    if (this.storage.getItem(ANCHOR) === expected) this.storage.setItem(ANCHOR, moved)
  }

  /** When the anchor was pinned, in Unix seconds; null before the first visit. */
  pinnedSince(): number | null {
    const since = Number(this.storage.getItem(SINCE) ?? Number.NaN)
    return Number.isSafeInteger(since) ? since : null
  }

  async newestHead(): Promise<Head | null> {
    const text = this.storage.getItem(HEAD)
    if (text === null) return null
    const value = parseJson(text)
    if (!isObject(value)) throw new Problem('storage', 'head')
    const { size, height, time, logRoot, stateRoot } = value
    return {
      size: Number(size),
      height: Number(height),
      time: Number(time),
      logRoot: base64Decode(String(logRoot)),
      stateRoot: base64Decode(String(stateRoot)),
    }
  }

  async rememberHead(head: Head): Promise<void> {
    const { size, height, time } = head
    const roots = { logRoot: base64Encode(head.logRoot), stateRoot: base64Encode(head.stateRoot) }
    this.storage.setItem(HEAD, JSON.stringify({ size, height, time, ...roots }))
  }

  /** Begin anew, as on a first visit; only a visitor who knows that the ledger is a new one should. */
  forget(): void {
    for (const name of [ANCHOR, SINCE, HEAD]) this.storage.removeItem(name)
  }
}
