/** Names of claims in both languages, from the published description of the credential type. */
import { isObject } from '../shared/encoding'
import { requestJson } from '../shared/http'
import type { Localized } from '../shared/language.svelte'

type Labels = Readonly<Record<string, Localized>>

const known = new Map<string, Promise<Labels>>()

/** Never fails: without a description a claim goes by its own name. */
export function labelsOf(base: string, type: string): Promise<Labels> {
  let labels = known.get(type)
  if (!labels) {
    labels = requestJson(`${base}/schemas/${encodeURIComponent(type)}/1/display.json`)
      .then((display) => (isObject(display.claims) ? (display.claims as unknown as Labels) : {}))
      .catch(() => {
        known.delete(type)
        return {}
      })
    known.set(type, labels)
  }
  return labels
}
