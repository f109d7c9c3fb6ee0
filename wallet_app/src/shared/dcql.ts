/**
 * DCQL (OpenID4VP 1.0 §6) for `dc+sd-jwt`: which card can answer which question, showing what.
 */
import { isObject, type Json, type JsonObject } from './encoding'
import { Problem } from './problem'
import type { Path } from './sd_jwt'

const MAX_QUERIES = 16
const MAX_CLAIMS = 64

export interface CredentialQuery {
  readonly id: string
  readonly vcts: readonly string[]
  readonly claims: readonly ClaimQuery[] | null // null: no selectively disclosable claim is asked
  readonly claimSets: readonly (readonly string[])[] | null
}

export interface ClaimQuery {
  readonly id: string | null
  readonly path: Path
  readonly values: readonly Json[] | null
}

export interface DcqlQuery {
  readonly credentials: readonly CredentialQuery[]
  readonly sets: readonly { options: readonly (readonly string[])[]; required: boolean }[]
}

/** @throws Problem 'request-invalid' for anything that OpenID4VP 1.0 §6 does not allow. */
export function parseDcql(value: Json | undefined): DcqlQuery {
  const query = object(value, 'dcql_query')
  const credentials = list(query.credentials, 'credentials', MAX_QUERIES).map(parseCredentialQuery)
  const ids = credentials.map(({ id }) => id)
  if (new Set(ids).size !== ids.length) fail('an id is used twice')
  const sets =
    query.credential_sets === undefined
      ? ids.map((id) => ({ options: [[id]], required: true }))
      : list(query.credential_sets, 'credential_sets', MAX_QUERIES).map((entry) => {
          const set = object(entry, 'credential set')
          if (set.required !== undefined && typeof set.required !== 'boolean') fail('required')
          const options = list(set.options, 'options', MAX_QUERIES).map((option) =>
            list(option, 'option', MAX_QUERIES).map((id) =>
              ids.includes(id as string) ? (id as string) : fail('option names an unknown id'),
            ),
          )
          return { options, required: set.required !== false }
        })
  return { credentials, sets }
}

function parseCredentialQuery(value: Json): CredentialQuery {
  const query = object(value, 'credential query')
  if (typeof query.id !== 'string' || !/^[A-Za-z0-9_-]{1,64}$/.test(query.id)) fail('id')
  if (typeof query.format !== 'string') fail('format')
  const meta = object(query.meta, 'meta')
  // A format we do not hold cannot be answered, but another option of a set may be.
  const vcts = query.format === 'dc+sd-jwt' ? list(meta.vct_values, 'vct_values', MAX_QUERIES).map(text) : []
  if (query.claims === undefined) {
    if (query.claim_sets !== undefined) fail('claim_sets without claims')
    return { id: query.id as string, vcts, claims: null, claimSets: null }
  }
  const claims = list(query.claims, 'claims', MAX_CLAIMS).map(parseClaimQuery)
  const ids = claims.flatMap(({ id }) => (id === null ? [] : [id]))
  if (new Set(ids).size !== ids.length) fail('a claim id is used twice')
  const claimSets =
    query.claim_sets === undefined
      ? null
      : list(query.claim_sets, 'claim_sets', MAX_CLAIMS).map((set) =>
          list(set, 'claim set', MAX_CLAIMS).map((id) =>
            ids.includes(id as string) ? (id as string) : fail('claim set names an unknown id'),
          ),
        )
  return { id: query.id as string, vcts, claims, claimSets }
}

function parseClaimQuery(value: Json): ClaimQuery {
  const claim = object(value, 'claim')
  const path = list(claim.path, 'path', 16).map((step) => {
    const index = typeof step === 'number' && Number.isInteger(step) && step >= 0
    return typeof step === 'string' || step === null || index ? (step as string | number | null) : fail('path')
  })
  if (claim.id !== undefined && typeof claim.id !== 'string') fail('claim id')
  const values = claim.values === undefined ? null : list(claim.values, 'values', MAX_CLAIMS)
  return { id: (claim.id as string | undefined) ?? null, path, values }
}

/** The values at a claims path pointer (OpenID4VP 1.0 §7); none when it leads nowhere. */
export function valuesAt(claims: Json, path: Path): Json[] {
  let selected: Json[] = [claims]
  for (const step of path) {
    selected = selected.flatMap((value) => {
      if (step === null) return Array.isArray(value) ? value : []
      if (typeof step === 'number') return Array.isArray(value) && step < value.length ? [value[step] as Json] : []
      return isObject(value) && Object.hasOwn(value, step) ? [value[step] as Json] : []
    })
  }
  return selected
}

/**
 * The paths that answer `query` from a card's claims, or null when the card cannot.
 *
 * Of several claim sets the first that the card can answer is taken: the asker's order of preference
 * (§6.4.1), and never more than one set.
 */
export function answerPaths(query: CredentialQuery, vct: string, claims: JsonObject): readonly Path[] | null {
  if (!query.vcts.includes(vct)) return null
  if (query.claims === null) return []
  const fits = (claim: ClaimQuery): boolean => {
    const found = valuesAt(claims, claim.path)
    return found.length > 0 && (claim.values === null || found.some((value) => claim.values?.includes(value)))
  }
  if (query.claimSets === null) {
    return query.claims.every(fits) ? query.claims.map(({ path }) => path) : null
  }
  for (const set of query.claimSets) {
    const chosen = query.claims.filter(({ id }) => id !== null && set.includes(id))
    if (chosen.every(fits)) return chosen.map(({ path }) => path)
  }
  return null
}

/**
 * Which queries to answer, given those that can be: for each required set its first possible option.
 *
 * Optional sets are left unanswered, so that nothing leaves the wallet that was not needed.
 * Null when a required set has no possible option.
 */
export function chooseQueries(query: DcqlQuery, possible: ReadonlySet<string>): readonly string[] | null {
  const chosen = new Set<string>()
  for (const set of query.sets) {
    if (!set.required) continue
    const option = set.options.find((ids) => ids.every((id) => possible.has(id)))
    if (!option) return null
    option.forEach((id) => chosen.add(id))
  }
  return [...chosen]
}

function object(value: Json | undefined, name: string): JsonObject {
  return isObject(value) ? value : fail(name)
}

function list(value: Json | undefined, name: string, most: number): Json[] {
  return Array.isArray(value) && value.length > 0 && value.length <= most ? value : fail(name)
}

function text(value: Json): string {
  return typeof value === 'string' ? value : fail('text')
}

function fail(detail: string): never {
  throw new Problem('request-invalid', detail)
}
