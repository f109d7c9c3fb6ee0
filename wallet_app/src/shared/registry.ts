/**
 * Reads of the registry that need to trust no node: each comes with a proof under a signed head.
 *
 * The trust anchor is pinned at first use and heads may never shrink; what cannot be proven is an
 * error, never an absence.
 */
import { equalBytes, isObject, parseJson, parseJsonObject, type JsonObject } from './encoding'
import { request, requestJson, type Fetch } from './http'
import { parseJwk, parseMultikey, type PublicKey } from './keys'
import { newestOf } from './light/consortium'
import { LightProblem } from './light/verification'
import { verifyGrowth } from './log'
import { Problem } from './problem'
import { verifyRecord } from './state_map'
import {
  anchorAfterBlock,
  consortiumAnchorJson,
  engineHeight,
  followHead,
  isSameRegistry,
  parseTrustAnchor,
  verifyHead,
  type ConsortiumAnchor,
  type Head,
  type TrustAnchor,
} from './trust'

const MAX_HOPS = 512 // light blocks fetched for one head; each halves the way that is left
const DAY = 86_400n * 1_000_000_000n

/** What a reader must remember between visits. */
export interface TrustMemory {
  anchor(): Promise<string | null>
  pinAnchor(text: string): Promise<void>
  /** Replace the anchor, if it still is `expected`: a consortium's moves on. */
  moveAnchor(expected: string, moved: string): Promise<void>
  newestHead(): Promise<Head | null>
  rememberHead(head: Head): Promise<void>
}

export interface RegisteredPurpose {
  readonly purpose: string
  readonly description: Readonly<Record<string, string>>
  readonly credentials: readonly { type: string; claims: readonly (readonly (string | number | null)[])[] }[]
  readonly pseudonym?: boolean // may it ask to know the same wallet again?
}

export interface RegisteredParty {
  readonly did: string
  readonly name: string
  readonly purposes: readonly RegisteredPurpose[]
}

export class Registry {
  private last: Promise<unknown> = Promise.resolve()

  constructor(
    private readonly base: string, // `{base}/registry`
    private readonly memory: TrustMemory,
    private readonly fetcher: Fetch = fetch,
  ) {}

  /** The pinned trust anchor; the first call of a wallet's life fetches and pins it. */
  async trustAnchor(): Promise<TrustAnchor> {
    const pinned = await this.memory.anchor()
    if (pinned !== null) return parseTrustAnchor(parseJson(pinned))
    const text = JSON.stringify(await requestJson(`${this.base}/trust-anchor`, {}, this.fetcher))
    const anchor = parseTrustAnchor(parseJson(text))
    await this.memory.pinAnchor(text)
    return anchor
  }

  /**
   * Verify a head against the anchor and what was seen before: it may not go back, and the log of the
   * older head must be the beginning of its log.
   */
  async admitHead(text: string): Promise<Head> {
    const head = await this.believe(text)
    const newest = await this.memory.newestHead()
    if (newest) await this.admitGrowth(newest, head)
    await this.memory.rememberHead(head)
    return head
  }

  /**
   * The anchor under which a head of somebody else's, as in a receipt, can be verified. A consortium's
   * validators may have changed since this reader last looked.
   */
  async trustFor(text: string): Promise<TrustAnchor> {
    const anchor = await this.trustAnchor()
    if (anchor.kind === 'operator') return anchor
    return this.bridge(text, anchor)
  }

  /** A record with its proof checked, or null when its absence is proven. */
  record(key: string): Promise<JsonObject | null> {
    // One after the other: an answer that overtakes another would look like a registry going back.
    const turn = this.last.then(() => this.read(key))
    this.last = turn.catch(() => undefined)
    return turn
  }

  /** The head, when those whom the reader trusts vouch for it; the trust then moves on. */
  private async believe(text: string): Promise<Head> {
    const anchor = await this.trustAnchor()
    try {
      const from = anchor.kind === 'operator' ? anchor : await this.bridge(text, anchor)
      const { head, anchor: after } = followHead(text, from)
      await this.move(anchor, after)
      return head
    } catch (error) {
      throw (await this.anchorChanged()) ? new Problem('anchor-changed') : error
    }
  }

  /**
   * Trust light blocks between the anchor and the head of a consortium, until the head's own can be verified:
   * the middle of the way that is left, each time.
   */
  private async bridge(text: string, from: ConsortiumAnchor): Promise<ConsortiumAnchor> {
    const isEnough = (anchor: ConsortiumAnchor): boolean => couldHelp(() => verifyHead(text, anchor))
    if (isEnough(from)) return from
    let anchor = from
    const way = [engineHeight(text, from)]
    for (let hop = 0; hop < MAX_HOPS && way.length > 0; hop++) {
      const target = way.at(-1) as number
      const stands = newestOf(anchor.chain).height
      if (target <= stands) throw new Problem('proof', 'the head is older than what is trusted')
      const { status, bytes } = await request(`${this.base}/light-blocks/${target}`, {}, this.fetcher)
      if (status !== 200) throw new Problem('server', 'light block')
      if (couldHelp(() => (anchor = anchorAfterBlock(bytes, target, anchor)))) {
        way.pop()
        continue
      }
      const middle = Math.floor((stands + target) / 2)
      if (middle === stands) throw new Problem('proof', 'no way leads from the trusted validators to the head')
      way.push(middle)
    }
    if (way.length > 0) throw new Problem('proof', 'the way to the head has too many steps')
    await this.move(from, anchor)
    return anchor
  }

  /** Keep how far a consortium was followed, where it is worth a write: other validators, or a day later. */
  private async move(before: TrustAnchor, after: TrustAnchor): Promise<void> {
    if (before.kind === 'operator' || after.kind === 'operator' || before === after) return
    const [old, fresh] = [newestOf(before.chain), newestOf(after.chain)]
    const moved = !equalBytes(old.nextValidatorsHash, fresh.nextValidatorsHash) || fresh.time - old.time > DAY
    const kept = await this.memory.anchor()
    if (!moved || kept === null) return
    const now = parseTrustAnchor(parseJson(kept))
    if (now.kind === 'operator' || newestOf(now.chain).height >= fresh.height) return // another page was faster
    await this.memory.moveAnchor(kept, JSON.stringify(consortiumAnchorJson(parseJsonObject(kept), after)))
  }

  private async admitGrowth(older: Head, newer: Head): Promise<void> {
    verifyFollows(older, newer)
    if (older.size === newer.size) return
    const query = new URLSearchParams({ first: String(older.size), second: String(newer.size) })
    verifyGrowth(await requestJson(`${this.base}/log/consistency?${query}`, {}, this.fetcher), older, newer)
  }

  private async read(key: string): Promise<JsonObject | null> {
    const query = new URLSearchParams({ key, proof: 'true' })
    const witnessed = (await this.trustAnchor()).witnesses ? await this.witnessedHead() : null
    if (witnessed) query.set('height', String(witnessed.height))
    const answer = await request(`${this.base}/records?${query}`, {}, this.fetcher)
    if (answer.status >= 500 || answer.status === 429) throw new Problem('server', 'registry')
    const body = parseJson(answer.text)
    if (!isObject(body) || typeof body.head !== 'string') throw new Problem('proof', 'no head')
    const head = witnessed ?? (await this.admitHead(body.head))
    const record = body.record ?? null
    if (record !== null && !isObject(record)) throw new Problem('proof', 'record is no object')
    return verifyRecord(body.proof, { key, record, root: head.stateRoot })
  }

  /** The newest head with its quorum: what the registry proves, it proves under this one. */
  private async witnessedHead(): Promise<Head> {
    const answer = await request(`${this.base}/head?cosigned=true`, {}, this.fetcher)
    if (answer.status !== 200) throw new Problem('server', 'registry')
    return this.admitHead(answer.text)
  }

  /** The relying party's registration, or null when it has none or an inactive one. */
  async relyingParty(did: string): Promise<RegisteredParty | null> {
    const record = await this.record(`relying-party/${did}`)
    if (!record || !Array.isArray(record.purposes)) return null
    return { did, name: String(record.name), purposes: record.purposes as unknown as RegisteredPurpose[] }
  }

  /**
   * The key that a DID URL names, if the DID lists it for this purpose now.
   *
   * Only did:cairn: who asks citizens, or issues to them, is known to the ledger.
   *
   * @throws Problem 'party-unknown'
   */
  async key(didUrl: string, purpose: 'authentication' | 'assertionMethod'): Promise<PublicKey> {
    const [did, fragment] = didUrl.split('#') as [string, string | undefined]
    if (!did.startsWith('did:cairn:') || !fragment) throw new Problem('party-unknown', 'unknown DID method')
    const record = await this.didRecord(did)
    const methods = Array.isArray(record.verificationMethods) ? record.verificationMethods : []
    const method = methods.find((entry) => isObject(entry) && entry.fragment === fragment)
    if (!isObject(method) || !Array.isArray(method.purposes) || !method.purposes.includes(purpose)) {
      throw new Problem('party-unknown', 'key is not listed for this purpose')
    }
    return isObject(method.publicKeyJwk) ? parseJwk(method.publicKeyJwk) : parseMultikey(method.publicKeyMultibase)
  }

  /** Every key that a did:cairn lists for this purpose now. @throws Problem 'party-unknown' */
  async keys(did: string, purpose: 'authentication' | 'assertionMethod'): Promise<PublicKey[]> {
    const record = await this.didRecord(did)
    const methods = Array.isArray(record.verificationMethods) ? record.verificationMethods : []
    return methods.flatMap((method) =>
      isObject(method) && Array.isArray(method.purposes) && method.purposes.includes(purpose)
        ? [isObject(method.publicKeyJwk) ? parseJwk(method.publicKeyJwk) : parseMultikey(method.publicKeyMultibase)]
        : [],
    )
  }

  /** The record of an active did:cairn. @throws Problem 'party-unknown' */
  async didRecord(did: string): Promise<JsonObject> {
    const record = await this.record(`did/${did}`)
    if (!record) throw new Problem('party-unknown', 'DID is not on the ledger')
    if (record.deactivated === true) throw new Problem('party-unknown', 'DID is deactivated')
    return record
  }

  private async anchorChanged(): Promise<boolean> {
    try {
      const served = parseTrustAnchor(await requestJson(`${this.base}/trust-anchor`, {}, this.fetcher))
      const pinned = await this.trustAnchor()
      return !isSameRegistry(served, pinned)
    } catch {
      return false
    }
  }
}

/** Whether a check passes; false when too few of the trusted validators have signed. @throws Problem otherwise */
function couldHelp(check: () => unknown): boolean {
  try {
    check()
    return true
  } catch (error) {
    if (error instanceof LightProblem && error.reason === 'not-enough-trust') return false
    throw error
  }
}

/**
 * A newer head may follow an older one: height, size and time never go back, and one height or one
 * size has one head.
 *
 * @throws Problem 'proof'
 */
export function verifyFollows(older: Head, newer: Head): void {
  const roots = equalBytes(older.logRoot, newer.logRoot) && equalBytes(older.stateRoot, newer.stateRoot)
  if (newer.height < older.height || newer.size < older.size || newer.time < older.time) {
    throw new Problem('proof', 'the registry shows an older state than before')
  }
  const same = newer.size === older.size && newer.time === older.time
  if ((newer.height === older.height && !same) || (newer.size === older.size && !roots)) {
    throw new Problem('proof', 'the registry shows two different histories')
  }
}
