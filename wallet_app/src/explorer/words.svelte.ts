/** The explorer's words in the language shown, and names of things it meets. */
import { fill, language, type Localized } from '../shared/language.svelte'
import { en, zh, type TextKey } from './text'

export function e(key: TextKey, values: Readonly<Record<string, string | number>> = {}): string {
  return fill((language() === 'zh' ? zh : en)[key], values)
}

/** Words for a code from the ledger; the code itself when this page has none for it. */
export function coded(prefix: 'role' | 'state' | 'change' | 'vote', code: string): string {
  const key = `${prefix}.${code}`
  return Object.hasOwn(en, key) ? e(key as TextKey) : code
}

export function actionName(action: string): string {
  const key = `action.${action}`
  return e(Object.hasOwn(en, key) ? (key as TextKey) : 'action.other')
}

/** What DIDs, credential types and claims are called. */
export interface Names {
  readonly dids: ReadonlyMap<string, string>
  readonly types: ReadonlyMap<string, Localized>
  readonly claims: ReadonlyMap<string, Localized>
}
