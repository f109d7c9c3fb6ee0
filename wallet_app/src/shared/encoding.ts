/**
 * Strict codecs: one byte string for one value, in both directions.
 *
 * `atob` skips white space and ignores trailing bits, `JSON.parse` keeps the last of two equal
 * names. Everything that is signed, or that decides something, passes through here instead.
 */
import { Problem } from './problem'

export type Json = null | boolean | number | string | Json[] | JsonObject
export interface JsonObject {
  [name: string]: Json
}
export type Bytes = Uint8Array<ArrayBuffer>

export const MAX_JSON_CHARS = 1 << 20 // the largest document read is a status list token
const MAX_JSON_DEPTH = 32 // as in the registry; credentials in the field stay below 12
const MAX_BASE58_CHARS = 512 // base58 is quadratic; the longest key has 140

const BASE58 = '123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz'

export function utf8(text: string): Bytes {
  return new TextEncoder().encode(text)
}

/** @throws Problem 'malformed' when the bytes are not UTF-8. */
export function utf8Decode(data: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(data)
  } catch {
    throw new Problem('malformed', 'not UTF-8')
  }
}

export function concat(...parts: Uint8Array[]): Bytes {
  const whole = new Uint8Array(parts.reduce((length, part) => length + part.length, 0))
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.length
  }
  return whole
}

export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, index) => byte === b[index])
}

export function hex(data: Uint8Array): string {
  return Array.from(data, (byte) => byte.toString(16).padStart(2, '0')).join('')
}

/** Standard, padded base64 (RFC 4648 §4). */
export function base64Encode(data: Uint8Array): string {
  let binary = ''
  for (let at = 0; at < data.length; at += 0x8000) {
    binary += String.fromCharCode(...data.subarray(at, at + 0x8000))
  }
  return btoa(binary)
}

/** @throws Problem 'malformed' for anything that `base64Encode` would not have written. */
export function base64Decode(text: string): Bytes {
  let binary: string
  try {
    binary = atob(text)
  } catch {
    throw new Problem('malformed', 'not base64')
  }
  if (btoa(binary) !== text) throw new Problem('malformed', 'base64 is not canonical')
  return Uint8Array.from(binary, (char) => char.charCodeAt(0))
}

/** base64url without padding (RFC 7515 §2). */
export function base64urlEncode(data: Uint8Array): string {
  return base64Encode(data).replace(/=+$/, '').replaceAll('+', '-').replaceAll('/', '_')
}

/** @throws Problem 'malformed' unless exactly the text that `base64urlEncode` writes. */
export function base64urlDecode(text: Json | undefined): Bytes {
  if (typeof text !== 'string' || !/^[A-Za-z0-9_-]*$/.test(text) || text.length % 4 === 1) {
    throw new Problem('malformed', 'not base64url')
  }
  const standard = text.replaceAll('-', '+').replaceAll('_', '/')
  return base64Decode(standard + '='.repeat((4 - (standard.length % 4)) % 4))
}

/** Bitcoin alphabet. @throws Problem 'malformed' for foreign characters and long text. */
export function base58Decode(text: string): Bytes {
  if (text.length > MAX_BASE58_CHARS) throw new Problem('malformed', 'base58 is too long')
  let value = 0n
  for (const char of text) {
    const digit = BASE58.indexOf(char)
    if (digit < 0) throw new Problem('malformed', 'not base58')
    value = value * 58n + BigInt(digit)
  }
  const bytes: number[] = []
  for (; value > 0n; value >>= 8n) bytes.unshift(Number(value & 0xffn))
  const zeros = text.length - text.replace(/^1+/, '').length
  return Uint8Array.from([...new Array<number>(zeros).fill(0), ...bytes])
}

/** Bitcoin alphabet. */
export function base58Encode(data: Uint8Array): string {
  let text = ''
  for (let value = BigInt(`0x0${hex(data)}`); value > 0n; value /= 58n) text = BASE58[Number(value % 58n)] + text
  const zeros = data.findIndex((byte) => byte !== 0)
  return '1'.repeat(zeros < 0 ? data.length : zeros) + text
}

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/**
 * The value is an object with every required member and no other but the optional ones.
 *
 * @throws Problem 'malformed'
 */
export function withMembers(value: Json | undefined, required: readonly string[], optional: readonly string[] = []): JsonObject {
  if (!isObject(value)) throw new Problem('malformed', 'not an object')
  const missing = required.some((name) => !Object.hasOwn(value, name))
  const unknown = Object.keys(value).some((name) => !required.includes(name) && !optional.includes(name))
  if (missing || unknown) throw new Problem('malformed', 'a member is missing or unknown')
  return value
}

/**
 * JSON Canonicalization Scheme (RFC 8785).
 *
 * Names sort by UTF-16 code units and numbers print as ECMAScript prints them, so the platform does
 * both; what it would let pass (lone surrogates, NaN) is refused here, and integers beyond 2^53,
 * which it would round, in `parseJson`.
 */
export function canonicalJson(value: Json): string {
  if (value === null || typeof value === 'boolean') return String(value)
  if (typeof value === 'number') {
    if (!Number.isFinite(value)) throw new Problem('malformed', 'number has no canonical form')
    return JSON.stringify(value)
  }
  if (typeof value === 'string') {
    // \p{Cs} with the `u` flag matches only surrogates that have no partner.
    if (/\p{Cs}/u.test(value)) throw new Problem('malformed', 'lone surrogate')
    return JSON.stringify(value)
  }
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`
  const members = Object.keys(value)
    .sort()
    .map((name) => `${canonicalJson(name)}:${canonicalJson(value[name] as Json)}`)
  return `{${members.join(',')}}`
}

/**
 * Read one JSON text: bounded, not too deep, and no object names a member twice.
 *
 * @throws Problem 'malformed'
 */
export function parseJson(text: string, maxChars = MAX_JSON_CHARS): Json {
  if (text.length > maxChars) throw new Problem('malformed', 'JSON is too long')
  checkNesting(text)
  try {
    return JSON.parse(text) as Json
  } catch {
    throw new Problem('malformed', 'not JSON')
  }
}

/** `parseJson`, and the value is an object. @throws Problem 'malformed' */
export function parseJsonObject(text: string, maxChars = MAX_JSON_CHARS): JsonObject {
  const value = parseJson(text, maxChars)
  if (!isObject(value)) throw new Problem('malformed', 'JSON is not an object')
  return value
}

/** Walk the tokens once: bound depth and integers, and keep the names seen in each open object. */
function checkNesting(text: string): void {
  const open: (Set<string> | null)[] = [] // a set for an object, null for an array
  for (const match of text.matchAll(/"(?:[^"\\]|\\.)*"(\s*:)?|[[\]{}]|-?\d[\d.eE+-]*/gsu)) {
    const token = match[0]
    if (/^-?\d+$/.test(token)) {
      if (!Number.isSafeInteger(Number(token))) throw new Problem('malformed', 'integer beyond 2^53')
      continue
    }
    if (token === '{' || token === '[') {
      open.push(token === '{' ? new Set() : null)
      if (open.length > MAX_JSON_DEPTH) throw new Problem('malformed', 'JSON nests too deep')
    } else if (token === '}' || token === ']') {
      open.pop()
    } else if (match[1] !== undefined) {
      const names = open.at(-1)
      if (!names) throw new Problem('malformed', 'JSON names a member outside an object')
      let name: string
      try {
        name = JSON.parse(token.slice(0, token.length - match[1].length)) as string
      } catch {
        throw new Problem('malformed', 'not JSON')
      }
      if (names.has(name)) throw new Problem('malformed', 'JSON names a member twice')
      names.add(name)
    }
  }
}
