/**
 * SD-JWT (RFC 9901): read a credential, find which disclosure shows which claim, present a selection.
 */
import { base64urlDecode, base64urlEncode, isObject, parseJson, utf8, utf8Decode, type Json, type JsonObject } from './encoding'
import { sha256 } from './hashing'
import { parseCompact, type UnverifiedJws } from './jose'
import { Problem } from './problem'

export type Path = readonly (string | number | null)[]

const MAX_DISCLOSURES = 256
const MAX_SD_JWT_CHARS = 1 << 18

/** A disclosable value and where it sits in the processed claims. */
export interface Disclosure {
  readonly text: string // base64url, as it travels
  readonly path: readonly (string | number)[]
  readonly parents: readonly string[] // digests of the disclosures it sits in
  readonly digest: string
}

export interface SdJwt {
  readonly jws: UnverifiedJws
  readonly jwt: string
  readonly disclosures: readonly Disclosure[]
  readonly claims: JsonObject // processed: digests replaced by what they disclose
}

interface Parsed {
  text: string
  name: string | null // null for array elements
  value: Json
  used: boolean
}

/**
 * Read an SD-JWT without key binding and put each disclosure in its place.
 *
 * Each disclosure must be referred to exactly once (RFC 9901 §7.1 steps 3 to 5); an unused one, a
 * repeated digest, or a name that is taken already are refused. The signature is the caller's.
 *
 * @throws Problem 'malformed'
 */
export function parseSdJwt(text: string): SdJwt {
  if (text.length > MAX_SD_JWT_CHARS || !text.endsWith('~')) throw new Problem('malformed', 'not an SD-JWT')
  const [jwt, ...parts] = text.slice(0, -1).split('~') as [string, ...string[]]
  if (parts.length > MAX_DISCLOSURES) throw new Problem('malformed', 'too many disclosures')
  const jws = parseCompact(jwt)
  const algorithm = jws.payload._sd_alg ?? 'sha-256'
  if (algorithm !== 'sha-256') throw new Problem('malformed', 'unknown digest algorithm')

  const byDigest = new Map<string, Parsed>()
  for (const part of parts) {
    const content = parseJson(utf8Decode(base64urlDecode(part)))
    if (!Array.isArray(content) || content.length < 2 || content.length > 3) {
      throw new Problem('malformed', 'disclosure has another form')
    }
    const name = content.length === 3 ? content[1] : null
    if (typeof content[0] !== 'string' || (name !== null && typeof name !== 'string')) {
      throw new Problem('malformed', 'disclosure has another form')
    }
    if (name === '_sd' || name === '...') throw new Problem('malformed', 'disclosure of a reserved name')
    const digest = base64urlEncode(sha256(utf8(part)))
    if (byDigest.has(digest)) throw new Problem('malformed', 'disclosure is repeated')
    byDigest.set(digest, { text: part, name: name as string | null, value: content.at(-1) as Json, used: false })
  }

  const seen = new Set<string>()
  const found: Disclosure[] = []
  const take = (digest: Json, array: boolean): Parsed | null => {
    if (typeof digest !== 'string' || seen.has(digest)) throw new Problem('malformed', 'digest is repeated')
    seen.add(digest)
    const parsed = byDigest.get(digest)
    if (!parsed) return null // a decoy, or a claim that is not shown
    if ((parsed.name === null) !== array) throw new Problem('malformed', 'disclosure in the wrong place')
    parsed.used = true
    return parsed
  }
  const walk = (value: Json, path: (string | number)[], parents: string[]): Json => {
    if (Array.isArray(value)) {
      const result: Json[] = []
      for (const item of value) {
        if (isObject(item) && '...' in item) {
          if (Object.keys(item).length !== 1) throw new Problem('malformed', 'array digest has other members')
          const parsed = take(item['...'] as Json, true)
          if (!parsed) continue
          const digest = item['...'] as string
          const here = [...path, result.length]
          found.push({ text: parsed.text, path: here, parents, digest })
          result.push(walk(parsed.value, here, [...parents, digest]))
        } else {
          result.push(walk(item, [...path, result.length], parents))
        }
      }
      return result
    }
    if (!isObject(value)) return value
    const result: JsonObject = {}
    for (const [name, member] of Object.entries(value)) {
      if (name === '_sd' || (name === '_sd_alg' && path.length === 0)) continue
      if (name === '...') throw new Problem('malformed', 'reserved name')
      define(result, name, walk(member, [...path, name], parents))
    }
    if (value._sd !== undefined) {
      if (!Array.isArray(value._sd)) throw new Problem('malformed', '_sd is no array')
      for (const digest of value._sd) {
        const parsed = take(digest, false)
        if (!parsed) continue
        const name = parsed.name as string
        if (Object.hasOwn(result, name)) throw new Problem('malformed', 'claim is disclosed twice')
        const here = [...path, name]
        found.push({ text: parsed.text, path: here, parents, digest: digest as string })
        define(result, name, walk(parsed.value, here, [...parents, digest as string]))
      }
    }
    return result
  }
  const claims = walk(jws.payload, [], []) as JsonObject
  if ([...byDigest.values()].some((parsed) => !parsed.used)) {
    throw new Problem('malformed', 'a disclosure belongs to no digest')
  }
  return { jws, jwt, disclosures: found, claims }
}

/** The SD-JWT with only what `paths` need: each disclosure on the way, and all below the end. */
export function selectDisclosures(sdJwt: SdJwt, paths: readonly Path[]): string {
  const shown = sdJwt.disclosures.filter((disclosure) =>
    paths.some((path) =>
      // As far as both go they agree: the disclosure is on the way to the end, or below it.
      disclosure.path.every((step, at) => at >= path.length || path[at] === null || path[at] === step),
    ),
  )
  return [sdJwt.jwt, ...shown.map(({ text }) => text), ''].join('~')
}

/** Members of an SD-JWT VC payload that are about the credential, not about its subject. */
const REGISTERED = new Set(['iss', 'vct', 'vct#integrity', 'iat', 'nbf', 'exp', 'cnf', 'status', 'anchor', 'jti', 'sub', '_sd_alg'])

/** What the credential says about its subject. */
export function subjectClaims(claims: JsonObject): JsonObject {
  return Object.fromEntries(Object.entries(claims).filter(([name]) => !REGISTERED.has(name)))
}

function define(target: JsonObject, name: string, value: Json): void {
  // `__proto__` as a claim name must be a member like any other.
  Object.defineProperty(target, name, { value, enumerable: true, writable: true, configurable: true })
}
