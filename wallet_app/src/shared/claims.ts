/** How a claim reads to people: its name, and its value. */
import { isObject, type Json } from './encoding'
import { languageTag, pick, t, type Localized } from './language.svelte'
import type { TextKey } from './text'

/** `family_name` -> `Family name`, for claims that nobody described. */
export function claimName(name: string, labels: Readonly<Record<string, Localized>> = {}): string {
  const words = name.replaceAll(/[_-]+/g, ' ')
  return pick(labels[name], words.charAt(0).toUpperCase() + words.slice(1))
}

/** A value in the language of the page. `name` helps where the bare value says too little. */
export function claimValue(value: Json, name = ''): string {
  if (value === true) return t('yes')
  if (value === false) return t('no')
  if (value === null) return t('nothing')
  if (Array.isArray(value)) return value.map((item) => claimValue(item, name)).join(', ')
  if (isObject(value)) {
    return Object.entries(value)
      .map(([name, member]) => `${claimName(name)}: ${claimValue(member, name)}`)
      .join('; ')
  }
  return wellKnown(String(value), name)
}

const COUNTRIES = new Set(['nationality', 'country', 'issuing_country'])
const SEXES: Readonly<Record<string, TextKey>> = { female: 'sex.female', male: 'sex.male' }

function wellKnown(value: string, name: string): string {
  if (COUNTRIES.has(name) && /^[A-Z]{2}$/.test(value)) {
    return new Intl.DisplayNames(languageTag(), { type: 'region', fallback: 'code' }).of(value) ?? value
  }
  const sex = name === 'sex' ? SEXES[value] : undefined
  if (sex) return t(sex)
  if (/^\d{4}-\d{2}-\d{2}$/.test(value) && !Number.isNaN(Date.parse(value))) {
    const style = { dateStyle: 'medium', timeZone: 'UTC' } as const
    return new Intl.DateTimeFormat(languageTag(), style).format(Date.parse(value))
  }
  return value
}

/** Claims in the order in which their issuer describes them; the order of digests means nothing. */
export function inOrder(names: readonly string[], labels: Readonly<Record<string, Localized>>): string[] {
  const order = Object.keys(labels)
  const place = (name: string): number => (order.includes(name) ? order.indexOf(name) : order.length)
  return [...names].sort((a, b) => place(a) - place(b))
}

/** Display entries of OpenID4VCI (`[{name, locale}]`) as text by language. */
export function localized(display: Json | undefined, fallback: string): Localized {
  const texts: Record<string, string> = {}
  for (const entry of Array.isArray(display) ? display.slice(0, 32) : []) {
    if (!isObject(entry) || typeof entry.name !== 'string' || !entry.name) continue
    const tag = typeof entry.locale === 'string' ? entry.locale : 'en'
    texts[tag] ??= entry.name.slice(0, 200)
  }
  return Object.keys(texts).length > 0 ? texts : { en: fallback }
}
