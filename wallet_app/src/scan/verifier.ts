/** What the relying party's page asks its own verifier, and how it reads the answer. */
import { isObject, type Json, type JsonObject } from '../shared/encoding'
import { json, jsonOf, request, requestJson, type Fetch } from '../shared/http'
import type { Localized } from '../shared/language.svelte'
import { Problem } from '../shared/problem'

export interface Purpose {
  readonly code: string
  readonly description: Localized
  readonly claims: readonly { readonly type: string; readonly path: readonly (string | number | null)[] }[]
  readonly pseudonym: boolean // registered to know the same wallet again
}

export interface Party {
  readonly name: Localized
  readonly purposes: readonly Purpose[]
}

export interface Asking {
  readonly id: string
  readonly link: string
  readonly secret: string
  readonly matchingCode: string // the wallet shows the same digits
  readonly expiresAt: number // milliseconds
}

export interface Check {
  readonly check: string
  readonly outcome: 'passed' | 'failed' | 'not_applicable'
  readonly reason: string
  readonly detail: string
}

export interface Verdict {
  readonly verified: boolean
  readonly checks: readonly Check[]
  readonly credentials: readonly { readonly type: string; readonly claims: JsonObject }[]
  readonly pseudonym: string | null
}

export type Result =
  | { readonly state: 'pending' | 'declined' | 'expired' }
  | { readonly state: 'answered'; readonly verdict: Verdict }

const REFERENCE = /^[A-Za-z0-9_-]{8,128}$/

/** The verifier of one relying party. Only its own page holds the access key. */
export class Verifier {
  constructor(
    private readonly url: string, // `{base}/verifiers/{party}`
    private readonly key: string,
    private readonly fetcher: Fetch = fetch,
  ) {}

  /** Name and purposes of the party: as its verifier tells them, else as the ledger has them. */
  async party(registered: string | null): Promise<Party> {
    const headers = { Authorization: `Bearer ${this.key}` }
    const answer = await request(this.url, { headers }, this.fetcher)
    if (answer.status === 401 || answer.status === 403) throw new Problem('access-key')
    if ([404, 405].includes(answer.status) && registered) {
      const { record } = await requestJson(registered, {}, this.fetcher)
      return parseParty(isObject(record) ? record : {})
    }
    return parseParty(jsonOf(answer))
  }

  /**
   * Ask for a purpose; with a reference, the request goes to the customer's phone by itself.
   *
   * @param recognise - want to know the wallet again; only for purposes that are registered for it.
   */
  async ask(purpose: string, reference: string | null, now: number, recognise = false): Promise<Asking> {
    const wish: JsonObject = recognise ? { pseudonym: 'wanted' } : {}
    const body: JsonObject = reference ? { purpose, reference, ...wish } : { purpose, ...wish }
    const answer = await request(`${this.url}/requests`, json(body, this.key), this.fetcher)
    if (answer.status === 401 || answer.status === 403) throw new Problem('access-key')
    if (reference && [404, 409, 410].includes(answer.status)) throw new Problem('code-expired')
    const { request: id, link, result_secret: secret, expires_in: lifetime, matching_code: code } = jsonOf(answer)
    if (typeof id !== 'string' || typeof link !== 'string' || typeof secret !== 'string') {
      throw new Problem('malformed', 'request')
    }
    const seconds = typeof lifetime === 'number' && lifetime > 0 ? lifetime : 120
    const matchingCode = typeof code === 'string' ? code.slice(0, 8) : ''
    return { id, link, secret, matchingCode, expiresAt: now + seconds * 1000 }
  }

  async result(asking: Asking): Promise<Result> {
    const url = `${this.url}/requests/${encodeURIComponent(asking.id)}/result`
    const headers = { Authorization: `Bearer ${asking.secret}` }
    const body = await requestJson(url, { headers }, this.fetcher)
    if (body.state === 'answered') return { state: 'answered', verdict: parseVerdict(body.verdict) }
    if (body.state === 'pending' || body.state === 'declined' || body.state === 'expired') return { state: body.state }
    throw new Problem('malformed', 'result')
  }
}

/** The reference in a customer's code, or null. The code is a link to a scan page: `…/scan/#r=…`. */
export function readReference(text: string): string | null {
  const found = /^(?:https?:\/\/[^\s#]+)?#r=([^&\s]+)$/.exec(text.trim())?.[1] ?? ''
  return REFERENCE.test(found) ? found : null
}

/** What makes this page a party's own. `did` is optional. */
export interface Access {
  readonly party: string
  readonly key: string
  readonly did: string
}

/** Party and access key from `#party=…&key=…[&did=…]`, or null. */
export function readAccess(fragment: string): Access | null {
  const given = new URLSearchParams(fragment.replace(/^#/, ''))
  const party = given.get('party') ?? ''
  const key = given.get('key') ?? ''
  const did = /^did:cairn:[a-z0-9-]{1,32}:[1-9A-HJ-NP-Za-km-z]{1,64}$/.exec(given.get('did') ?? '')?.[0] ?? ''
  return /^[a-z0-9-]{1,64}$/.test(party) && /^[\x21-\x7e]{8,512}$/.test(key) ? { party, key, did } : null
}

export function parseParty(body: JsonObject): Party {
  const purposes = Array.isArray(body.purposes) ? body.purposes : []
  const parsed = purposes.flatMap((entry): Purpose[] => {
    if (!isObject(entry)) return []
    const code = entry.purpose ?? entry.code
    if (typeof code !== 'string') return []
    const credentials = Array.isArray(entry.credentials) ? entry.credentials : []
    const claims = credentials.flatMap((credential) =>
      isObject(credential) && Array.isArray(credential.claims)
        ? credential.claims.flatMap((path) =>
            Array.isArray(path) ? [{ type: String(credential.type), path: path as (string | number | null)[] }] : [],
          )
        : [],
    )
    return [{ code, description: localizedText(entry.description, code), claims, pseudonym: entry.pseudonym === true }]
  })
  if (parsed.length === 0) throw new Problem('malformed', 'no purposes')
  return { name: localizedText(body.name, ''), purposes: parsed }
}

/**
 * A verdict is a yes only when it says so itself, names its checks, and none of them failed.
 *
 * @throws Problem 'malformed'
 */
export function parseVerdict(value: Json | undefined): Verdict {
  if (!isObject(value) || !Array.isArray(value.checks)) throw new Problem('malformed', 'verdict')
  const checks = value.checks.map((entry): Check => {
    if (!isObject(entry) || typeof entry.check !== 'string') throw new Problem('malformed', 'check')
    const known = ['passed', 'failed', 'not_applicable'].includes(entry.outcome as string)
    return {
      check: entry.check,
      outcome: known ? (entry.outcome as Check['outcome']) : 'failed',
      reason: typeof entry.reason === 'string' ? entry.reason : '',
      detail: typeof entry.detail === 'string' ? entry.detail : '',
    }
  })
  const credentials = (Array.isArray(value.credentials) ? value.credentials : []).filter(isObject).map((entry) => ({
    type: typeof entry.type === 'string' ? entry.type : '',
    claims: isObject(entry.claims) ? entry.claims : {},
  }))
  const good = checks.some(({ outcome }) => outcome === 'passed') && checks.every(({ outcome }) => outcome !== 'failed')
  const verified = value.verified === true && good
  const named = typeof value.pseudonym === 'string' && /^[A-Za-z0-9_-]{43}$/.test(value.pseudonym)
  return { verified, checks, credentials, pseudonym: verified && named ? (value.pseudonym as string) : null }
}

/** The facts that the purpose asks for, and no others: what more came is not for these eyes. */
export function askedFacts(verdict: Verdict, purpose: Purpose): { type: string; name: string; value: Json }[] {
  const facts: { type: string; name: string; value: Json }[] = []
  for (const { type, claims } of verdict.credentials) {
    for (const claim of purpose.claims) {
      const name = claim.path[0]
      if (typeof name !== 'string' || !sameType(type, claim.type) || !Object.hasOwn(claims, name)) continue
      if (!facts.some((fact) => fact.type === claim.type && fact.name === name)) {
        facts.push({ type: claim.type, name, value: claims[name] as Json })
      }
    }
  }
  return facts
}

/** The verdict may name a type by its plain name or by its vct, `…/resident-identity/1`. */
function sameType(given: string, name: string): boolean {
  return given === name || given.split('/').at(-2) === name
}

function localizedText(value: Json | undefined, fallback: string): Localized {
  if (typeof value === 'string') return { en: value }
  if (!isObject(value)) return { en: fallback }
  return Object.fromEntries(Object.entries(value).filter(([, text]) => typeof text === 'string')) as Localized
}
