/** How a claim reads to people: its name, and its value. */
import { isObject, type Json } from './encoding'
import { pick, t, type Localized } from './language.svelte'

/** `family_name` -> `Family name`, for claims that nobody described. */
export function claimName(name: string, labels: Readonly<Record<string, Localized>> = {}): string {
  const words = name.replaceAll(/[_-]+/g, ' ')
  return pick(labels[name], words.charAt(0).toUpperCase() + words.slice(1))
}

export function claimValue(value: Json): string {
  if (value === true) return t('yes')
  if (value === false) return t('no')
  if (value === null) return t('nothing')
  if (Array.isArray(value)) return value.map(claimValue).join(', ')
  if (isObject(value)) {
    return Object.entries(value)
      .map(([name, member]) => `${claimName(name)}: ${claimValue(member)}`)
      .join('; ')
  }
  return String(value)
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
