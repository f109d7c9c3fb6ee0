/** Small pure parts of both pages: links, copies, words, verdicts. */
import { describe, expect, test } from 'vitest'
import type { Json, JsonObject } from '../src/shared/encoding'
import { safeUrl } from '../src/shared/http'
import { en, zh } from '../src/shared/text'
import { askedFacts, parseParty, parseVerdict, readAccess, readReference } from '../src/scan/verifier'
import { copyFor, spendCopy, type Card } from '../src/wallet/cards'
import { linkOfPage, parseLink } from '../src/wallet/links'
import { readable, typeName, wellKnown } from '../src/wallet/offers'
import { inflate, readStatus } from '../src/wallet/status'

describe('links', () => {
  test('offers and requests, by scheme and as links to a wallet', () => {
    expect(parseLink('openid-credential-offer://?credential_offer_uri=https%3A%2F%2Fa%2Fb')).toEqual({ kind: 'offer', offer: null, offerUri: 'https://a/b' })
    expect(parseLink(' openid-credential-offer://?credential_offer=%7B%7D ')).toMatchObject({ kind: 'offer', offer: '{}' })
    const request = { kind: 'request', clientId: 'x', requestUri: 'https://a', request: null, post: true }
    expect(parseLink('openid4vp://?client_id=x&request_uri=https://a&request_uri_method=post')).toEqual(request)
    expect(parseLink('https://w.example/wallet/#client_id=x&request_uri=https://a&request_uri_method=post')).toEqual(request)
  })

  test.each(['', 'hello', 'https://example.org/', 'openid4vp://?client_id=x', 'javascript:alert(1)', 'mailto:a@b?client_id=x&request_uri=https://a', 'openid-credential-offer://?credential_offer=a&credential_offer_uri=b', 'openid4vp://?credential_offer_uri=https://a', `openid4vp://?client_id=x&request_uri=${'a'.repeat(9000)}`])(
    '%s is none',
    (text) => expect(() => parseLink(text)).toThrow('not-a-link'),
  )

  test('a page may carry a link behind #', () => {
    const link = 'openid4vp://?client_id=x&request_uri=https://a'
    expect(linkOfPage(`https://w/wallet/#link=${encodeURIComponent(link)}`)).toMatchObject({ kind: 'request', post: false })
    expect(linkOfPage('https://w/wallet/#/settings')).toBeNull()
    expect(linkOfPage('https://w/wallet/#link=%')).toBeNull()
  })

  test('addresses', () => {
    expect(safeUrl('https://a/b')).toBe('https://a/b')
    expect(safeUrl('http://127.0.0.1:8000/x')).toBe('http://127.0.0.1:8000/x')
    for (const bad of ['http://a/b', 'ftp://a', 'data:,x', 'https://u:p@a/', '/x']) expect(() => safeUrl(bad), bad).toThrow()
    expect(wellKnown('https://h/t/u', 'x')).toBe('https://h/.well-known/x/t/u')
    expect(wellKnown('https://h', 'x')).toBe('https://h/.well-known/x')
    expect(typeName('https://h/schemas/degree/1')).toBe('degree')
  })
})

test('an issuer cannot make its card unreadable', () => {
  expect(readable('#1f4e79', '#ffffff').text).toBe('#ffffff')
  expect(readable('#ffffff', '#eeeeee').text).toBe('#000000')
  expect(readable('#000000', '#111111').text).toBe('#ffffff')
})

describe('copies', () => {
  const card = { copies: [1, 2].map((id) => ({ keyId: `k${id}`, parties: [] as string[] })) } as unknown as Card

  test('one for each party, the same one for the same party', () => {
    const first = copyFor(card, 'bar')
    const spent = spendCopy(card, first.index, 'bar')
    expect(copyFor(spent, 'bar')).toEqual(first)
    const second = copyFor(spent, 'bank')
    expect(second).toEqual({ index: 1, reused: false })
    const both = spendCopy(spent, second.index, 'bank')
    expect(copyFor(both, 'shop')).toEqual({ index: 0, reused: true })
    expect(copyFor(both, 'bank')).toEqual({ index: 1, reused: false })
    expect(spendCopy(both, 1, 'bank')).toEqual(both)
  })
})

describe('words', () => {
  test('both languages fill in the same places', () => {
    const places = (text: string) => (text.match(/\{\w+\}/g) ?? []).sort()
    for (const key of Object.keys(en) as (keyof typeof en)[]) expect(places(zh[key]), key).toEqual(places(en[key]))
  })

  test('nothing is left untranslated or empty', () => {
    const same = (Object.keys(en) as (keyof typeof en)[]).filter((key) => en[key] === (zh[key] as string) || !zh[key])
    expect(same).toEqual([])
  })

  test('Chinese sentences have Chinese punctuation', () => {
    const bad = Object.values(zh).filter((text) => /[\u4e00-\u9fff][,;?!]|[\u4e00-\u9fff]\.$/.test(text))
    expect(bad).toEqual([])
  })
})

describe('status list', () => {
  test('lowest bits first', () => {
    const list = Uint8Array.of(0xb9, 0xa3) // example of the specification, 1 bit
    expect([...Array(16).keys()].map((index) => readStatus(list, 1, index))).toEqual([1, 0, 0, 1, 1, 1, 0, 1, 1, 1, 0, 0, 0, 1, 0, 1])
    const pairs = Uint8Array.of(0xc9, 0x44, 0xf9) // and its example with 2 bits
    expect([...Array(12).keys()].map((index) => readStatus(pairs, 2, index))).toEqual([1, 2, 0, 3, 0, 1, 0, 1, 1, 2, 3, 3])
    for (const index of [16, -1, 0.5, NaN]) expect(() => readStatus(list, 1, index)).toThrow('malformed')
  })

  test('a bomb is not unpacked, garbage is refused', async () => {
    const { deflateSync } = await import('node:zlib')
    const packed = (size: number) => Uint8Array.from(deflateSync(Buffer.alloc(size)))
    expect((await inflate(packed(1 << 20))).length).toBe(1 << 20)
    await expect(inflate(packed((1 << 20) + 1))).rejects.toThrow('too long')
    await expect(inflate(packed(50 << 20))).rejects.toThrow('too long')
    await expect(inflate(Uint8Array.of(1, 2, 3))).rejects.toThrow('malformed')
  })
})

describe('verdict', () => {
  const good: JsonObject = {
    verified: true,
    checks: [
      { check: 'proof', outcome: 'passed', reason: 'ok', detail: '' },
      { check: 'schema', outcome: 'not_applicable', reason: '', detail: '' },
    ],
    credentials: [{ type: 'resident-identity', claims: { age_over_18: true, family_name: '李', number: '1' } }],
  }

  test('is a yes only when everything agrees', () => {
    expect(parseVerdict(good).verified).toBe(true)
    const checks = good.checks as JsonObject[]
    const worse: Json[] = [
      { ...good, verified: 'true' },
      { ...good, verified: false },
      { ...good, checks: [] },
      { ...good, checks: [checks[1]!] },
      { ...good, checks: [...checks, { check: 'status', outcome: 'failed' }] },
      { ...good, checks: [...checks, { check: 'status', outcome: 'maybe' }] },
      { ...good, checks: [...checks, { check: 'status' }] },
    ]
    for (const value of worse) expect(parseVerdict(value).verified).toBe(false)
    for (const value of [undefined, null, [], {}, { verified: true }, { ...good, checks: [1] }]) {
      expect(() => parseVerdict(value as Json)).toThrow('malformed')
    }
  })

  test('only the facts that were asked for are shown', () => {
    const { purposes } = parseParty({
      name: { en: 'Bar' },
      purposes: [{ purpose: 'age-check', description: { en: 'x' }, credentials: [{ type: 'resident-identity', claims: [['age_over_18']] }] }],
    })
    expect(askedFacts(parseVerdict(good), purposes[0]!)).toEqual([{ type: 'resident-identity', name: 'age_over_18', value: true }])
  })
})

test('references and access keys', () => {
  expect(readReference('https://h/scan/#r=abcdefghijklmnopqrstuv')).toBe('abcdefghijklmnopqrstuv')
  expect(readReference('#r=abcdefghijklmnopqrstuv')).toBe('abcdefghijklmnopqrstuv')
  for (const bad of ['abcdefgh', 'https://h/#r=a/b', 'https://h/?r=abcdefghi', '#r=', 'openid4vp://#r=abcdefghi']) expect(readReference(bad), bad).toBeNull()
  expect(readAccess('#party=bar&key=0123456789')).toEqual({ party: 'bar', key: '0123456789', did: '' })
  for (const bad of ['', '#party=bar', '#party=../x&key=0123456789', '#party=bar&key=a b c d e f']) expect(readAccess(bad), bad).toBeNull()
})
