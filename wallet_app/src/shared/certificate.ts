/**
 * What a wallet reads of an X.509 certificate: its P-256 key and its DNS names (RFC 5280 §4.1).
 *
 * A certificate is only a name here. Whom the key belongs to is proven by the ledger, which lists it
 * for the registered party, so neither the chain nor its dates decide anything.
 */
import { equalBytes, type Bytes } from './encoding'
import { admitKey, type PublicKey } from './keys'
import { Problem } from './problem'

const MAX_BYTES = 8192
const SEQUENCE = 0x30
const BIT_STRING = 0x03
const OCTET_STRING = 0x04
const BOOLEAN = 0x01
const VERSION = 0xa0
const EXTENSIONS = 0xa3
const DNS_NAME = 0x82
const SUBJECT_ALT_NAME = Uint8Array.of(0x06, 0x03, 0x55, 0x1d, 0x11)

interface Element {
  readonly tag: number
  readonly content: Bytes
  readonly whole: Bytes
}

export interface Leaf {
  readonly key: PublicKey
  readonly dnsNames: readonly string[]
}

/** @throws Problem 'malformed' for what is no certificate of a P-256 key */
export function readLeaf(der: Bytes): Leaf {
  if (der.length > MAX_BYTES) malformed()
  const fields = children(child(one(der), 0))
  const rest = fields[0]?.tag === VERSION ? fields.slice(1) : fields
  const bits = child(rest[5] ?? malformed(), 1) // serial, algorithm, issuer, validity, subject, key
  if (bits.tag !== BIT_STRING || bits.content[0] !== 0 || bits.content.length !== 66) malformed()
  const extensions = rest.find(({ tag }) => tag === EXTENSIONS)
  return {
    key: admitKey('P-256', bits.content.slice(1)),
    dnsNames: extensions ? dnsNames(child(extensions, 0)) : [],
  }
}

function dnsNames(extensions: Element): string[] {
  for (const extension of children(extensions)) {
    const [oid, second, third] = children(extension)
    if (!oid || !equalBytes(oid.whole, SUBJECT_ALT_NAME)) continue
    const value = second?.tag === BOOLEAN ? third : second
    if (!value || value.tag !== OCTET_STRING) malformed()
    return children(one(value.content))
      .filter(({ tag }) => tag === DNS_NAME)
      .map(({ content }) => String.fromCharCode(...content))
  }
  return []
}

function one(bytes: Bytes): Element {
  const [first, ...more] = elements(bytes)
  if (!first || more.length > 0) malformed()
  return first
}

function child(element: Element, index: number): Element {
  return children(element)[index] ?? malformed()
}

function children(element: Element): Element[] {
  if (element.tag !== SEQUENCE && (element.tag & 0xa0) !== 0xa0) malformed()
  return elements(element.content)
}

function elements(bytes: Bytes): Element[] {
  const found: Element[] = []
  for (let at = 0; at < bytes.length; ) {
    const tag = bytes[at] as number
    let length = bytes[at + 1] ?? malformed()
    let start = at + 2
    if (length & 0x80) {
      const size = length & 0x7f
      if (size < 1 || size > 2) malformed()
      length = 0
      for (let index = 0; index < size; index += 1) length = length * 256 + (bytes[start + index] ?? malformed())
      start += size
    }
    const end = start + length
    if (end > bytes.length) malformed()
    found.push({ tag, content: bytes.slice(start, end), whole: bytes.slice(at, end) })
    at = end
  }
  return found
}

function malformed(): never {
  throw new Problem('malformed', 'certificate')
}
