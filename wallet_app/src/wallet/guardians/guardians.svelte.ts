/** Guardians, as the page shows them: whom she chose, whom she guards, and recoveries under way. */
import { localized } from '../../shared/claims'
import type { JsonObject } from '../../shared/encoding'
import { requestJson } from '../../shared/http'
import { thumbprint } from '../../shared/keys'
import type { Localized } from '../../shared/language.svelte'
import { asProblem, Problem } from '../../shared/problem'
import type { Card } from '../cards'
import { makeHolderKey } from '../holder_keys'
import { wellKnown } from '../offers'
import { agenciesOf } from '../own_record'
import type { Ask, GuardianLink, RecoveryCard } from './codes'
import * as desk from './desk'
import { findUnderWay, waysIn, type Host } from './looking'
import type { Arrangement, Guarded, Guardian, Look, Recovery } from './memory'
import { isBlind, nextLook } from './watching'

const TICK_MS = 5000

/** A recovery that waits, and that this wallet can stop. */
export interface Notice {
  readonly agency: string
  readonly agencyName: Localized
  readonly recovery: string
  readonly since: number // unix seconds
  readonly endsAt: number | null // not known for an arrangement of another phone
}

/** What an agency calls itself. */
export async function nameOf(agency: string): Promise<Localized> {
  const metadata = await requestJson(wellKnown(agency, 'openid-credential-issuer'))
  if (metadata.credential_issuer !== agency) throw new Problem('malformed', 'metadata of another issuer')
  return localized(metadata.display, new URL(agency).host)
}

export class Guardians {
  arrangements = $state.raw<readonly Arrangement[]>([])
  guarded = $state.raw<readonly Guarded[]>([])
  recovery = $state.raw<Recovery | null>(null)
  notices = $state.raw<readonly Notice[]>([])
  blind = $state.raw<readonly Arrangement[]>([]) // where looks failed, so that nothing is known
  notReady = $state(false) // the agency refused to complete the recovery of this phone
  draft = $state.raw<readonly Guardian[]>([]) // chosen, not signed yet; survives a look elsewhere
  card = $state.raw<RecoveryCard | null>(null) // scanned, not begun yet
  ask = $state.raw<Ask | null>(null) // scanned, not approved yet
  keyProblem = $state.raw<Problem | null>(null) // why a scanned key is not in the draft
  private looking = false

  constructor(private readonly host: Host) {}

  async start(): Promise<void> {
    await this.reload()
    const look = (): void => void this.look()
    setInterval(look, TICK_MS)
    document.addEventListener('visibilitychange', look)
    look()
  }

  async reload(): Promise<void> {
    const { guardians } = this.host.store
    this.arrangements = await guardians.arrangements()
    this.guarded = await guardians.guarded()
    this.recovery = await guardians.recovery()
  }

  /** Cards with which an arrangement can be signed, one for each agency. */
  get usable(): readonly Card[] {
    return agenciesOf(this.host.cards)
  }

  /** Agencies where she chose guardians and every card of hers has ended since. */
  get ended(): readonly Arrangement[] {
    return this.arrangements.filter(({ agency }) => {
      const cards = this.host.cards.filter(({ issuer }) => issuer === agency)
      return cards.length > 0 && cards.every(({ status }) => status.state === 'revoked')
    })
  }

  /** Take what was scanned elsewhere to where it belongs. A key that cannot be taken is told there. */
  accept(link: GuardianLink): 'choose' | 'recover' | 'approve' {
    if (link.kind === 'guardian-key') {
      this.keyProblem = null
      try {
        this.propose(link.jwk)
      } catch (error) {
        this.keyProblem = asProblem(error)
      }
      return 'choose'
    }
    if (link.kind === 'recovery-card') {
      this.card = link.card
      return 'recover'
    }
    this.ask = link.ask
    return 'approve'
  }

  /** @throws Problem 'refused' for a key that stands there already, or is this wallet's own */
  propose(jwk: JsonObject): void {
    const id = thumbprint(jwk)
    if (this.draft.some((one) => thumbprint(one.jwk) === id)) throw new Problem('refused', 'key-twice')
    if (this.guarded.some((one) => one.id === id)) throw new Problem('refused', 'own-key')
    this.draft = [...this.draft, { jwk, name: '' }]
  }

  /** Begin a choice with those who stand. */
  redraft(arrangement: Arrangement): void {
    if (this.draft.length === 0) this.draft = arrangement.guardians
  }

  rename(index: number, name: string): void {
    this.draft = this.draft.map((one, at) => (at === index ? { ...one, name } : one))
  }

  drop(index: number): void {
    this.draft = this.draft.filter((_, at) => at !== index)
  }

  /** Make a key with which to bring back somebody, called `name` in this wallet alone. */
  async guard(name: string): Promise<Guarded> {
    const key = await makeHolderKey()
    const guarded = { id: key.id, name, key, madeAt: this.host.now() }
    await this.host.store.guardians.keepGuarded(guarded)
    void navigator.storage?.persist?.()
    await this.reload()
    return guarded
  }

  async stopGuarding(id: string): Promise<void> {
    await this.host.store.guardians.forgetGuarded(id)
    await this.reload()
  }

  /** Sign the drafted arrangement; it replaces another one at this agency. */
  async arrange(card: Card, threshold: number, waitSeconds: number): Promise<Arrangement> {
    const guardians = this.draft.map(({ jwk, name }) => ({ jwk, name: name.trim() }))
    const more = { guardians: guardians.map(({ jwk }) => jwk), threshold, wait_seconds: waitSeconds }
    const name = (await desk.order(card, 'set', more, this.host)) as string
    const arrangement: Arrangement = {
      agency: card.issuer,
      agencyName: card.issuerName,
      arrangement: name,
      threshold,
      waitSeconds,
      guardians,
      setAt: this.host.now(),
    }
    await this.host.store.guardians.keepArrangement(arrangement)
    this.draft = []
    await this.note(arrangement, { at: this.host.now(), found: [] }) // a new arrangement stops the recoveries of the old one
    await this.reload()
    return arrangement
  }

  async withdraw(arrangement: Arrangement): Promise<void> {
    try {
      await desk.order(this.cardOf(arrangement.agency), 'withdraw', {}, this.host)
    } catch (error) {
      // It is gone there already: another phone of hers, or an officer, was first.
      if (asProblem(error).detail !== 'no-such-arrangement') throw error
    }
    await this.host.store.guardians.forgetArrangement(arrangement.agency)
    await this.note(arrangement, { at: this.host.now(), found: [] })
    await this.reload()
  }

  /** Her guardians at an agency where nothing can be signed any more: this phone forgets them. */
  async forget(agency: string): Promise<void> {
    await this.host.store.guardians.forgetArrangement(agency)
    await this.reload()
  }

  /** Stop a recovery; afterwards it can never complete. */
  async stop(notice: Notice): Promise<void> {
    await this.orderStop(notice)
    const { guardians } = this.host.store
    const { found } = await guardians.lastLook(notice.agency)
    const left = found.filter(({ recovery }) => recovery !== notice.recovery)
    await guardians.noteLook(notice.agency, { at: this.host.now(), found: left })
    this.notices = this.notices.filter(({ recovery }) => recovery !== notice.recovery)
  }

  /** Begin to recover on this phone, which makes the key that guardians approve. */
  async begin(card: RecoveryCard): Promise<desk.View> {
    const agencyName = await nameOf(card.agency)
    const key = await makeHolderKey()
    const view = await desk.begin(card, key, this.host)
    const recovery: Recovery = { id: 'own', ask: view.ask, agencyName, key, begunAt: this.host.now() }
    await this.host.store.guardians.keepRecovery(recovery)
    void navigator.storage?.persist?.()
    this.card = null
    await this.reload()
    return view
  }

  async giveUp(): Promise<void> {
    await this.host.store.guardians.forgetRecovery()
    this.notReady = false
    await this.reload()
  }

  /** Her guardians stand as before; this phone does not know who they are. */
  async recovered(recovery: Recovery, threshold: number): Promise<void> {
    const { agency, arrangement } = recovery.ask
    await this.host.store.guardians.keepArrangement({
      agency,
      agencyName: recovery.agencyName,
      arrangement,
      threshold,
      waitSeconds: 0,
      guardians: [],
      setAt: recovery.begunAt,
    })
    await this.giveUp()
  }

  /** Look for recoveries at agencies where she chose guardians, when it is time again. */
  async look(): Promise<void> {
    if (this.looking || document.visibilityState === 'hidden' || !navigator.onLine) return
    this.looking = true
    try {
      for (const arrangement of this.arrangements) {
        const last = await this.host.store.guardians.lastLook(arrangement.agency)
        const now = this.host.now()
        const turnedBack = now < Math.max(last.at, last.failedAt ?? 0) // the phone's clock
        if (now >= nextLook(last, arrangement.waitSeconds) || turnedBack) await this.lookAt(arrangement, last)
        else this.show(arrangement, last) // also what another tab saw
      }
    } finally {
      this.looking = false
    }
  }

  private async lookAt(arrangement: Arrangement, last: Look): Promise<void> {
    const { agency } = arrangement
    if (!this.host.cards.some(({ issuer }) => issuer === agency)) return // nothing to look with
    const found = await findUnderWay(agency, this.host)
    const now = this.host.now()
    if (found !== null) await this.note(arrangement, { at: now, found })
    else await this.note(arrangement, { ...last, at: Math.min(last.at, now), failures: (last.failures ?? 0) + 1, failedAt: now })
  }

  private async note(arrangement: Arrangement, look: Look): Promise<void> {
    await this.host.store.guardians.noteLook(arrangement.agency, look)
    this.show(arrangement, look)
  }

  private show(arrangement: Arrangement, look: Look): void {
    const { agency, agencyName, waitSeconds } = arrangement
    const fresh = look.found.map(({ recovery, since }): Notice => ({
      agency,
      agencyName,
      recovery,
      since,
      endsAt: waitSeconds > 0 ? since + waitSeconds : null,
    }))
    this.notices = [...this.notices.filter((notice) => notice.agency !== agency), ...fresh]
    const others = this.blind.filter((one) => one.agency !== agency)
    this.blind = isBlind(look) ? [...others, arrangement] : others
  }

  /** With the first card whose word the agency takes: one may be suspended, a copy superseded. */
  private async orderStop({ agency, recovery }: Notice): Promise<void> {
    let problem = new Problem('card-dead', agency)
    for (const card of waysIn(this.host.cards.filter(({ issuer }) => issuer === agency))) {
      try {
        await desk.order(card, 'stop', { recovery }, this.host)
        return
      } catch (error) {
        problem = asProblem(error)
        if (problem.detail !== 'not-her-order') break
      }
    }
    throw problem
  }

  private cardOf(agency: string): Card {
    const card = this.usable.find(({ issuer }) => issuer === agency)
    if (!card) throw new Problem('card-dead', agency)
    return card
  }
}
