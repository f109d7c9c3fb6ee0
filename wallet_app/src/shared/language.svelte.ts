/** The language of the page: English or Simplified Chinese, remembered, and told to the browser. */
import { en, zh, type TextKey } from './text'

export type Language = 'en' | 'zh'
/** Text by language tag, as the issuer, the party or the schema wrote it. */
export type Localized = Readonly<Record<string, string>>

const STORED = 'cairn-language'
const TAGS: Record<Language, string> = { en: 'en', zh: 'zh-Hans' }

function initial(): Language {
  const stored = globalThis.localStorage?.getItem(STORED)
  if (stored === 'en' || stored === 'zh') return stored
  return globalThis.navigator?.language.toLowerCase().startsWith('zh') ? 'zh' : 'en'
}

let current = $state<Language>(initial())

export function language(): Language {
  return current
}

export function languageTag(): string {
  return TAGS[current]
}

export function setLanguage(next: Language): void {
  current = next
  globalThis.localStorage?.setItem(STORED, next)
  showLanguage()
}

/** Put the language on the document, for screen readers and fonts. */
export function showLanguage(): void {
  document.documentElement.lang = TAGS[current]
}

/** The text of the page for `key`, with `{name}` replaced from `values`. */
export function t(key: TextKey, values: Readonly<Record<string, string | number>> = {}): string {
  return fill((current === 'zh' ? zh : en)[key], values)
}

/** Put values in the places of a text. */
export function fill(text: string, values: Readonly<Record<string, string | number>>): string {
  return text.replace(/\{(\w+)\}/g, (whole, name: string, at: number) => {
    const value = String(values[name] ?? whole)
    // Latin words keep a space between them and Chinese ones.
    const before = HAN.test(text.charAt(at - 1)) && LATIN.test(value.charAt(0)) ? ' ' : ''
    const after = HAN.test(text.charAt(at + whole.length)) && LATIN.test(value.charAt(value.length - 1)) ? ' ' : ''
    return before + value + after
  })
}

const HAN = /\p{Script=Han}/u
const LATIN = /[A-Za-z0-9]/

/** Several sentences in a row, with a space between them where the language wants one. */
export function sentences(...texts: readonly string[]): string {
  return texts.filter(Boolean).join(current === 'zh' ? '' : ' ')
}

/** The best of several translations: this language, then English, then whatever there is. */
export function pick(localized: Localized | null | undefined, fallback = ''): string {
  if (!localized) return fallback
  const wanted = Object.keys(localized).find((tag) => tag.toLowerCase().split(/[-_]/)[0] === current)
  return (wanted && localized[wanted]) || localized.en || Object.values(localized)[0] || fallback
}

export function formatTime(unixSeconds: number): string {
  const style = { dateStyle: 'medium', timeStyle: 'short' } as const
  return new Intl.DateTimeFormat(TAGS[current], style).format(unixSeconds * 1000)
}

export function formatDate(unixSeconds: number): string {
  return new Intl.DateTimeFormat(TAGS[current], { dateStyle: 'medium' }).format(unixSeconds * 1000)
}
