/** What the wallet page is doing: its cards, its screen, and the flows that lead from one to the next. */
import { ownBase } from '../shared/http'
import { pick, t, type Localized } from '../shared/language.svelte'
import { asProblem, type Problem } from '../shared/problem'
import { Registry } from '../shared/registry'
import { anchorPatiently, isAnchored } from './anchoring'
import { beginAuthorization, finishAuthorization, isAnswer } from './authorizing'
import type { Card, HistoryEntry } from './cards'
import type { Ask } from './guardians/codes'
import { complete, type View } from './guardians/desk'
import { Guardians } from './guardians/guardians.svelte'
import type { Recovery } from './guardians/memory'
import { linkOfPage, parseLink, type Link } from './links'
import { readCatalogue, readOffer, type Offer } from './offers'
import { answerRequest, choicesFor, type Choice, type Choices } from './presenting'
import { fetchDeferred, receiveOffer, receiveWith, type PendingCard } from './receiving'
import { declineRequest, readRequest, type VerifiedRequest } from './requests'
import { checkStatus } from './status'
import { Store } from './store'

const GUARDING = ['guardians', 'guard', 'choose', 'approve', 'recover'] as const
const PLAIN = ['home', 'add', 'share', 'show', 'history', 'record', 'settings', ...GUARDING] as const
type Plain = (typeof PLAIN)[number]

export type Screen =
  | { [Name in Plain]: { readonly name: Name } }[Plain]
  | { readonly name: 'card'; readonly id: string }
  | { readonly name: 'working'; readonly what: 'opening' | 'receiving' | 'sending' | 'leaving' }
  | { readonly name: 'offer'; readonly offer: Offer; readonly problem: Problem | null }
  | { readonly name: 'received'; readonly cards: readonly Card[] }
  | { readonly name: 'waiting'; readonly issuer: Localized }
  | { readonly name: 'consent'; readonly asked: VerifiedRequest; readonly choices: Choices }
  | { readonly name: 'shared'; readonly party: string; readonly next: string | null }
  | { readonly name: 'declined'; readonly party: string }
  | { readonly name: 'problem'; readonly problem: Problem; readonly party?: string }

export class Wallet {
  cards = $state.raw<readonly Card[]>([])
  screen = $state.raw<Screen>({ name: 'home' })
  linkProblem = $state.raw<Problem | null>(null)
  waiting = $state.raw<readonly PendingCard[]>([])
  anchorProblem = $state.raw<{ card: string; problem: Problem } | null>(null)
  readonly base = ownBase()
  readonly registry: Registry
  readonly guardians: Guardians

  constructor(readonly store: Store) {
    this.registry = new Registry(`${this.base}/registry`, store)
    this.guardians = new Guardians(this)
  }

  readonly now = (): number => Math.floor(Date.now() / 1000)

  async start(): Promise<void> {
    this.cards = await this.store.cards()
    addEventListener('popstate', () => (this.screen = screenOf(location.hash)))
    addEventListener('hashchange', () => this.openPageLink())
    if (isAnswer(location.href)) void this.comeBack()
    else if (!this.openPageLink()) this.screen = screenOf(location.hash)
    for (const card of this.cards) if (!isAnchored(card)) void this.anchor(card)
    void this.lookAgain()
    await this.guardians.start()
  }

  /** Where agencies send the citizen back to; it stands for this wallet as a client as well. */
  private get redirectUri(): string {
    return `${this.base}/wallet/`
  }

  /** Leave for the agency's page, where the citizen says who she is. */
  async authorize(offer: Offer): Promise<void> {
    this.go({ name: 'working', what: 'leaving' })
    try {
      location.assign(await beginAuthorization(offer, this.redirectUri, this))
    } catch (error) {
      this.go({ name: 'problem', problem: asProblem(error) })
    }
  }

  /** The browser came back from the agency's page; the code goes out of the address at once. */
  private async comeBack(): Promise<void> {
    const address = location.href
    history.replaceState(null, '', location.pathname + '#/')
    this.screen = { name: 'working', what: 'receiving' }
    try {
      const { offer, access } = await finishAuthorization(address, this.redirectUri, this)
      await this.received(offer, await receiveWith(offer, access, this))
    } catch (error) {
      this.cards = await this.store.cards()
      this.go({ name: 'problem', problem: asProblem(error) })
    }
  }

  /** Ask for cards that agencies had to decide on. */
  async lookAgain(): Promise<void> {
    for (const pending of await this.store.deferred()) {
      try {
        const card = await fetchDeferred(pending, this)
        if (card) void this.anchor(card)
      } catch {
        // refused: it is gone; no answer: it stays for the next time
      }
    }
    this.waiting = await this.store.deferred()
    await this.reload()
  }

  private async received(offer: Offer, cards: readonly Card[]): Promise<void> {
    // Safari may throw away what a page keeps unless it asks.
    void navigator.storage?.persist?.()
    this.cards = await this.store.cards()
    this.waiting = await this.store.deferred()
    this.go(cards.length > 0 ? { name: 'received', cards } : { name: 'waiting', issuer: offer.issuerName })
    for (const card of cards) void this.anchor(card)
  }

  /** Move to a screen; the browser's back button leads home from those that hold data. */
  go(screen: Screen): void {
    this.linkProblem = null
    this.screen = screen
    const plain = PLAIN.find((name) => name === screen.name)
    const hash = screen.name === 'card' ? `#/card/${screen.id}` : plain && plain !== 'home' ? `#/${plain}` : '#/'
    if (location.hash !== hash) history.pushState(null, '', hash)
  }

  /** Open what the address of the page carries, and take it out of the address. */
  private openPageLink(): boolean {
    const link = linkOfPage(location.href)
    if (!link) return false
    history.replaceState(null, '', location.pathname + '#/')
    void this.open(link)
    return true
  }

  /** Open a scanned code or a pasted text. */
  async openText(text: string): Promise<void> {
    let link: Link
    try {
      link = parseLink(text)
    } catch (error) {
      this.linkProblem = asProblem(error)
      return
    }
    await this.open(link)
  }

  private async open(link: Link): Promise<void> {
    this.go({ name: 'working', what: 'opening' })
    try {
      if (link.kind === 'offer' || link.kind === 'issuer') {
        const offer = link.kind === 'offer' ? await readOffer(link) : await readCatalogue(link)
        this.go({ name: 'offer', offer, problem: null })
        return
      }
      if (link.kind !== 'request') return this.go({ name: this.guardians.accept(link) })
      const asked = await readRequest(link, this)
      const choices = await this.choices(asked)
      if (choices) this.go({ name: 'consent', asked, choices })
    } catch (error) {
      this.go({ name: 'problem', problem: asProblem(error) })
    }
  }

  private async choices(asked: VerifiedRequest): Promise<Choices | null> {
    try {
      this.cards = await this.store.cards() // another tab may have spent a copy
      return choicesFor(asked, this.cards, this.now())
    } catch (error) {
      this.go({ name: 'problem', problem: asProblem(error), party: partyName(asked) })
      // The same answer as a refusal, and only to those who may ask: nobody else learns anything.
      if (asked.party && asked.excess.length === 0) void declineRequest(asked)
      return null
    }
  }

  async receive(offer: Offer, txCode: string): Promise<void> {
    this.go({ name: 'working', what: 'receiving' })
    try {
      await this.received(offer, await receiveOffer(offer, txCode, this))
    } catch (error) {
      const problem = asProblem(error)
      this.cards = await this.store.cards()
      this.go(problem.code === 'tx-code' ? { name: 'offer', offer, problem } : { name: 'problem', problem })
    }
  }

  /** A guardian is asked to approve; without `ask` she scans it first. */
  askedToApprove(ask: Ask | null): void {
    this.guardians.ask = ask
    this.go({ name: 'approve' })
  }

  /** After the wait: end what the old phone held, and receive it anew with the approved key. */
  async completeRecovery(recovery: Recovery, { state, threshold }: View): Promise<void> {
    this.go({ name: 'working', what: 'receiving' })
    try {
      const cards: Card[] = []
      let offer: Offer | null = null
      for (const { link, txCode } of await complete(recovery.ask, recovery.key, this)) {
        offer = await readOffer(parseLink(link) as Extract<Link, { kind: 'offer' }>)
        cards.push(...(await receiveOffer(offer, txCode, this, recovery.key)))
      }
      await this.guardians.recovered(recovery, threshold)
      if (offer) await this.received(offer, cards)
      else this.go({ name: 'received', cards })
    } catch (error) {
      this.cards = await this.store.cards()
      const problem = asProblem(error)
      // Only then is it the day that is over, and not another call that completes it in this moment.
      this.guardians.notReady = problem.detail === 'recovery-not-ready' && state === 'completed'
      this.go({ name: 'problem', problem })
    }
  }

  /** Fetch receipts in the background; a receipt that does not hold is shown on the card. */
  async anchor(card: Card): Promise<void> {
    try {
      await anchorPatiently(card, this, () => this.reload())
    } catch (error) {
      const problem = asProblem(error)
      if (problem.code === 'proof' || problem.code === 'malformed') this.anchorProblem = { card: card.id, problem }
    }
  }

  async refreshStatus(card: Card): Promise<void> {
    const status = await checkStatus(card, this)
    await this.store.changeCard(card.id, (newest) => ({ ...newest, status }))
    await this.reload()
  }

  async approve(asked: VerifiedRequest, choices: readonly Choice[], recognised: boolean): Promise<void> {
    this.go({ name: 'working', what: 'sending' })
    try {
      const next = await answerRequest(asked, choices, { store: this.store, now: this.now, recognised })
      await this.note(asked, choices, 'shared')
      this.go({ name: 'shared', party: partyName(asked), next })
    } catch (error) {
      const problem = asProblem(error)
      await this.note(asked, choices, problem.code === 'refused' ? 'refused' : 'failed')
      this.go({ name: 'problem', problem, party: partyName(asked) })
      // Perhaps a card was withdrawn and nobody told us.
      if (problem.code === 'refused') for (const { card } of choices) this.refreshStatus(card).catch(() => undefined)
    }
    this.cards = await this.store.cards()
  }

  async decline(asked: VerifiedRequest, choices: readonly Choice[]): Promise<void> {
    this.go({ name: 'declined', party: partyName(asked) })
    await this.note(asked, choices, 'declined')
    await declineRequest(asked)
  }

  async remove(card: Card): Promise<void> {
    await this.store.removeCard(card)
    this.cards = await this.store.cards()
    this.go({ name: 'home' })
  }

  /** The store is the truth; what the page holds is only its newest picture. */
  private async reload(): Promise<void> {
    this.cards = await this.store.cards()
  }

  private async note(asked: VerifiedRequest, choices: readonly Choice[], outcome: HistoryEntry['outcome']): Promise<void> {
    await this.store.addHistory({
      id: crypto.randomUUID(),
      time: this.now(),
      party: asked.did,
      partyName: asked.party?.name ?? '',
      why: asked.why,
      fields: choices.map(({ card, shown }) => ({
        card: card.name,
        names: Object.keys(shown).map((name): Localized => card.labels[name] ?? { en: name }),
      })),
      outcome,
      warned: asked.excess.length > 0 || asked.party === null,
    })
  }
}

/** The registered name. What an unregistered party calls itself is never shown. */
export function partyName(asked: VerifiedRequest): string {
  return asked.party?.name || t('party.unknown')
}

export function cardTitle(card: Card): string {
  return pick(card.name)
}

function screenOf(hash: string): Screen {
  const [, name, id] = hash.split('/')
  if (name === 'card' && id) return { name: 'card', id }
  const plain = PLAIN.find((known) => known === name)
  return { name: plain ?? 'home' }
}
