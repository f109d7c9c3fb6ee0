/**
 * What the wallet remembers about guardians. Names are hers: they stay here and are sent to nobody.
 * Guardian keys and the key of a new phone are kept apart from the keys of cards.
 */
import type { IDBPDatabase } from 'idb'
import type { JsonObject } from '../../shared/encoding'
import type { Localized } from '../../shared/language.svelte'
import type { HolderKey } from '../holder_keys'
import type { WalletSchema } from '../store'
import type { Ask } from './codes'

/** Somebody who may bring this wallet's owner back. */
export interface Guardian {
  readonly jwk: JsonObject
  readonly name: string
}

/** What stands at one agency. */
export interface Arrangement {
  readonly agency: string // issuer URL
  readonly agencyName: Localized
  readonly arrangement: string
  readonly threshold: number
  readonly waitSeconds: number // 0: not known on this phone
  readonly guardians: readonly Guardian[] // none: chosen on a phone that was lost
  readonly setAt: number
}

/** Somebody whom this wallet's owner may bring back: one key for each, used for nothing else. */
export interface Guarded {
  readonly id: string // thumbprint
  readonly name: string
  readonly key: HolderKey
  readonly madeAt: number
}

/** A recovery that this phone has begun. */
export interface Recovery {
  readonly id: 'own'
  readonly ask: Ask
  readonly agencyName: Localized
  readonly key: HolderKey
  readonly begunAt: number
}

/** Which recoveries waited, when the record was last read; and the looks that failed since then. */
export interface Look {
  readonly at: number // unix seconds
  readonly found: readonly UnderWay[]
  readonly failures?: number
  readonly failedAt?: number // the last of them, unix seconds
}

export interface UnderWay {
  readonly recovery: string
  readonly since: number // unix seconds
}

export class GuardianMemory {
  constructor(private readonly database: IDBPDatabase<WalletSchema>) {}

  async arrangements(): Promise<Arrangement[]> {
    return this.database.getAll('arrangements')
  }

  async keepArrangement(arrangement: Arrangement): Promise<void> {
    await this.database.put('arrangements', arrangement)
  }

  async forgetArrangement(agency: string): Promise<void> {
    await this.database.delete('arrangements', agency)
  }

  async guarded(): Promise<Guarded[]> {
    return (await this.database.getAll('guarded')).sort((a, b) => a.madeAt - b.madeAt || a.id.localeCompare(b.id))
  }

  async keepGuarded(guarded: Guarded): Promise<void> {
    await this.database.add('guarded', guarded)
  }

  async forgetGuarded(id: string): Promise<void> {
    await this.database.delete('guarded', id)
  }

  async recovery(): Promise<Recovery | null> {
    return (await this.database.get('recoveries', 'own')) ?? null
  }

  async keepRecovery(recovery: Recovery): Promise<void> {
    await this.database.put('recoveries', recovery)
  }

  async forgetRecovery(): Promise<void> {
    await this.database.delete('recoveries', 'own')
  }

  /** The last look into the record at an agency for recoveries. */
  async lastLook(agency: string): Promise<Look> {
    return ((await this.database.get('trust', `guardians ${agency}`)) as Look | undefined) ?? { at: 0, found: [] }
  }

  async noteLook(agency: string, look: Look): Promise<void> {
    await this.database.put('trust', look, `guardians ${agency}`)
  }
}
