/**
 * Whether the issuer has suspended or revoked a card, by its Token Status List.
 *
 * The whole list is fetched, so the issuer does not learn which card is looked at.
 */
import { base64urlDecode, isObject, type Bytes } from '../shared/encoding'
import { request, type Fetch } from '../shared/http'
import { parseCompact, verifyCompact } from '../shared/jose'
import { Problem } from '../shared/problem'
import type { Registry } from '../shared/registry'
import { parseSdJwt } from '../shared/sd_jwt'
import type { Card, CardStatus } from './cards'

const MAX_LIST_BYTES = 1 << 20 // unpacked; 32 times the list that our issuers publish

/**
 * The worst status among the card's copies.
 *
 * @throws Problem 'signature' or 'malformed' when a list cannot be trusted; the caller keeps the
 *   status it had.
 */
export async function checkStatus(
  card: Card,
  around: { registry: Registry; now: () => number; fetcher?: Fetch },
): Promise<CardStatus> {
  const lists = new Map<string, { bytes: Bytes; bits: number }>()
  let worst = 0
  for (const copy of card.copies) {
    const { payload, header } = parseSdJwt(copy.credential).jws
    const entry = isObject(payload.status) ? payload.status.status_list : undefined
    if (!isObject(entry) || typeof entry.uri !== 'string' || typeof entry.idx !== 'number') {
      throw new Problem('malformed', 'credential names no status')
    }
    let list = lists.get(entry.uri)
    if (!list) {
      list = await fetchList(entry.uri, String(header.kid), around)
      lists.set(entry.uri, list)
    }
    worst = Math.max(worst, readStatus(list.bytes, list.bits, entry.idx))
  }
  const state = worst === 0 ? 'valid' : worst === 2 && !anyRevoked(card, lists) ? 'suspended' : 'revoked'
  return { state, checkedAt: around.now() }
}

function anyRevoked(card: Card, lists: ReadonlyMap<string, { bytes: Bytes; bits: number }>): boolean {
  return card.copies.some((copy) => {
    const status = parseSdJwt(copy.credential).jws.payload.status
    const entry = isObject(status) && isObject(status.status_list) ? status.status_list : {}
    const list = lists.get(String(entry.uri))
    return list !== undefined && ![0, 2].includes(readStatus(list.bytes, list.bits, Number(entry.idx)))
  })
}

async function fetchList(
  uri: string,
  credentialKid: string,
  around: { registry: Registry; now: () => number; fetcher?: Fetch },
): Promise<{ bytes: Bytes; bits: number }> {
  const answer = await request(uri, { headers: { Accept: 'application/statuslist+jwt' } }, around.fetcher)
  if (answer.status !== 200) throw new Problem('server', 'status list')
  const jws = parseCompact(answer.text)
  const kid = typeof jws.header.kid === 'string' ? jws.header.kid : ''
  // The same institution must speak; after a rotation its list may come under a newer key.
  if (kid.split('#')[0] !== credentialKid.split('#')[0]) throw new Problem('signature', 'list of another issuer')
  const key = await around.registry.key(kid, 'assertionMethod')
  const payload = verifyCompact(jws, key, 'statuslist+jwt')
  if (payload.sub !== uri) throw new Problem('signature', 'list is another one')
  if (typeof payload.exp === 'number' && payload.exp < around.now()) throw new Problem('signature', 'list is out of date')
  const list = payload.status_list
  if (!isObject(list) || ![1, 2, 4, 8].includes(list.bits as number)) throw new Problem('malformed', 'status list')
  return { bytes: await inflate(base64urlDecode(list.lst)), bits: list.bits as number }
}

/** Entry `index` of a list with `bits` a piece, lowest bits first (Token Status List §4.1). */
export function readStatus(list: Uint8Array, bits: number, index: number): number {
  const at = Math.floor((index * bits) / 8)
  const byte = list[at]
  if (!Number.isSafeInteger(index) || index < 0 || byte === undefined) {
    throw new Problem('malformed', 'status index is outside the list')
  }
  return (byte >> ((index * bits) % 8)) & ((1 << bits) - 1)
}

/** Unpack a zlib stream (RFC 1950), at most `MAX_LIST_BYTES`. */
export async function inflate(packed: Bytes): Promise<Bytes> {
  const whole = new Uint8Array(MAX_LIST_BYTES)
  let length = 0
  try {
    const reader = new Blob([packed]).stream().pipeThrough(new DecompressionStream('deflate')).getReader()
    for (;;) {
      const { done, value } = await reader.read()
      if (done) return whole.slice(0, length)
      if (length + value.length > MAX_LIST_BYTES) {
        await reader.cancel()
        throw new Problem('malformed', 'status list is too long')
      }
      whole.set(value, length)
      length += value.length
    }
  } catch (error) {
    throw error instanceof Problem ? error : new Problem('malformed', 'status list is not zlib')
  }
}
