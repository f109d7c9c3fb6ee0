/**
 * What guardians and the people they guard hand each other: as a code to scan or a text to paste. All
 * are links to a wallet page, so that a phone's own camera opens the wallet; what they say stands
 * behind `#`, where servers do not see it. None holds a name.
 */
import { isObject, parseJson, utf8, type JsonObject } from '../../shared/encoding'
import { labelledHash } from '../../shared/hashing'
import { safeUrl } from '../../shared/http'
import { parseJwk, thumbprint } from '../../shared/keys'
import { Problem } from '../../shared/problem'

/** Where an arrangement stands and what it is called: all that a new phone needs to begin. */
export interface RecoveryCard {
  readonly agency: string // issuer URL
  readonly arrangement: string
}

/** What a guardian is asked to approve: one recovery, for one new key. */
export interface Ask extends RecoveryCard {
  readonly recovery: string
  readonly newKey: string // RFC 7638 thumbprint
}

export type GuardianLink =
  | { readonly kind: 'guardian-key'; readonly jwk: JsonObject }
  | { readonly kind: 'recovery-card'; readonly card: RecoveryCard }
  | { readonly kind: 'recovery-ask'; readonly ask: Ask }

const MAX_CHARS = 1024
const NAME = /^[A-Za-z0-9_-]{21}[AQgw]$/ // 16 bytes
const THUMBPRINT = /^[A-Za-z0-9_-]{43}$/
const GROUPS = 5 // of four digits: 66 bits, so that nobody makes a key whose code is the same

/** A guardian's public key. */
export function keyText(base: string, jwk: JsonObject): string {
  const parts = [jwk.crv, jwk.x, ...(jwk.kty === 'EC' ? [jwk.y] : [])]
  return `${base}/wallet/#guardian_key=${parts.join('.')}`
}

export function cardText(base: string, card: RecoveryCard): string {
  return `${base}/wallet/#${new URLSearchParams({ recovery_card: card.arrangement, agency: card.agency }).toString()}`
}

export function askText(base: string, ask: Ask): string {
  const { recovery, arrangement, newKey, agency } = ask
  return `${base}/wallet/#${new URLSearchParams({ recovery, arrangement, new_key: newKey, agency }).toString()}`
}

/**
 * Read any of the three; null when the text is something else.
 *
 * A key may also be the JWK that `cairn guardian keygen` prints.
 *
 * @throws Problem 'not-a-link' when it is one of them, but broken
 */
export function parseGuardianLink(text: string): GuardianLink | null {
  const trimmed = text.trim()
  if (trimmed.startsWith('{')) return { kind: 'guardian-key', jwk: publicJwk(trimmed) }
  const hash = trimmed.indexOf('#')
  if (hash < 0 || trimmed.length > MAX_CHARS) return null
  const said = new URLSearchParams(trimmed.slice(hash + 1))
  const key = said.get('guardian_key')
  if (key !== null) return { kind: 'guardian-key', jwk: keyOf(key) }
  const card = said.get('recovery_card')
  const agency = said.get('agency')
  if (card !== null) return { kind: 'recovery-card', card: { arrangement: named(card), agency: agencyOf(agency) } }
  const recovery = said.get('recovery')
  if (recovery === null) return null
  const newKey = said.get('new_key') ?? ''
  if (!THUMBPRINT.test(newKey)) throw new Problem('not-a-link', 'new key')
  const arrangement = named(said.get('arrangement'))
  return { kind: 'recovery-ask', ask: { recovery: named(recovery), arrangement, newKey, agency: agencyOf(agency) } }
}

/** Digits that two people compare before they believe a guardian's key. */
export function keyCode(jwk: JsonObject): string {
  return digits(labelledHash('cairn/guardian-code/v1', utf8(thumbprint(jwk))))
}

/** Digits that a guardian and the new phone compare before she approves. */
export function recoveryCode(ask: Ask): string {
  const parts = [ask.agency, ask.arrangement, ask.recovery, ask.newKey].map(utf8)
  return digits(labelledHash('cairn/recovery-code/v1', ...parts))
}

function digits(hash: Uint8Array): string {
  const number = hash.slice(0, 12).reduce((sum, byte) => sum * 256n + BigInt(byte), 0n)
  const text = (number % 10n ** BigInt(4 * GROUPS)).toString().padStart(4 * GROUPS, '0')
  return (text.match(/.{4}/g) as string[]).join(' ')
}

function keyOf(text: string): JsonObject {
  const [crv, x, y, ...more] = text.split('.')
  if (more.length > 0 || !crv || !x) throw new Problem('not-a-link', 'key')
  return admitted(y === undefined ? { kty: 'OKP', crv, x } : { kty: 'EC', crv, x, y })
}

function publicJwk(text: string): JsonObject {
  let value
  try {
    value = parseJson(text, MAX_CHARS)
  } catch {
    throw new Problem('not-a-link', 'key')
  }
  if (!isObject(value)) throw new Problem('not-a-link', 'key')
  const { kty, crv, x, y } = value
  // A private half is refused below, not dropped in silence: it has been shown to somebody.
  if ('d' in value || 'k' in value) throw new Problem('not-a-link', 'private key')
  return admitted({ kty, crv, x, ...(y === undefined ? {} : { y }) } as JsonObject)
}

function admitted(jwk: JsonObject): JsonObject {
  try {
    parseJwk(jwk)
  } catch {
    throw new Problem('not-a-link', 'key')
  }
  return jwk
}

function named(text: string | null): string {
  if (text === null || !NAME.test(text)) throw new Problem('not-a-link', 'name')
  return text
}

function agencyOf(text: string | null): string {
  try {
    return safeUrl(text ?? '')
  } catch (error) {
    throw error instanceof Problem && error.code === 'insecure-address' ? error : new Problem('not-a-link', 'agency')
  }
}
