import { describe, expect, test } from 'vitest'
import { base64urlEncode, utf8, type Json, type JsonObject } from '../src/shared/encoding'
import { sha256 } from '../src/shared/hashing'
import { parseSdJwt, selectDisclosures, subjectClaims } from '../src/shared/sd_jwt'

const encode = (value: Json): string => base64urlEncode(utf8(JSON.stringify(value)))
const digestOf = (text: string): string => base64urlEncode(sha256(utf8(text)))
const jwtOf = (payload: JsonObject): string => [encode({ alg: 'ES256' }), encode(payload), 'AA'].join('.')
const whole = (payload: JsonObject, ...disclosures: string[]): string => [jwtOf(payload), ...disclosures, ''].join('~')

const name = encode(['s1', 'name', '梅'])
const street = encode(['s2', 'street', 'Lake Road'])
const address = encode(['s3', 'address', { _sd: [digestOf(street)], city: 'Lakeside' }])
const classA = encode(['s4', 'A'])
const classB = encode(['s5', 'B'])
const payload = {
  iss: 'https://i',
  vct: 'v',
  _sd_alg: 'sha-256',
  _sd: [digestOf(name), digestOf(address), digestOf('decoy')],
  classes: [{ '...': digestOf(classA) }, 'M', { '...': digestOf(classB) }],
}
const text = whole(payload, name, street, address, classA, classB)

describe('reading', () => {
  test('each disclosure goes to its place', () => {
    expect(subjectClaims(parseSdJwt(text).claims)).toEqual({
      name: '梅',
      address: { city: 'Lakeside', street: 'Lake Road' },
      classes: ['A', 'M', 'B'],
    })
  })

  test.each<[string, string]>([
    ['a disclosure that no digest refers to', whole(payload, name, encode(['s9', 'admin', true]))],
    ['a disclosure twice', whole(payload, name, name)],
    ['a digest twice', whole({ ...payload, more: { _sd: [digestOf(name)] } }, name)],
    ['a name that is taken', whole({ ...payload, name: 'x' }, name)],
    ['a property where an element belongs', whole({ list: [{ '...': digestOf(name) }] }, name)],
    ['an element where a property belongs', whole({ _sd: [digestOf(classA)] }, classA)],
    ['a reserved name', whole({ _sd: [digestOf(encode(['s', '_sd', []]))] }, encode(['s', '_sd', []]))],
    ['another digest algorithm', whole({ ...payload, _sd_alg: 'md5' }, name)],
    ['a key binding', text + 'a.b.c'],
    ['a child without its parent', whole(payload, name, street)],
    ['a disclosure that is no array', whole({ _sd: [digestOf(encode('x'))] }, encode('x'))],
  ])('%s is refused', (_name, bad) => {
    expect(() => parseSdJwt(bad)).toThrow('malformed')
  })

  test('a claim called __proto__ is a claim', () => {
    const odd = base64urlEncode(utf8('["s","__proto__",{"age_over_18":true}]'))
    const { claims } = parseSdJwt(whole({ _sd: [digestOf(odd)] }, odd))

    expect(claims.age_over_18).toBeUndefined()
    expect(Object.hasOwn(claims, '__proto__')).toBe(true)
  })
})

describe('selecting', () => {
  const shown = (...paths: (string | number | null)[][]) =>
    subjectClaims(parseSdJwt(selectDisclosures(parseSdJwt(text), paths)).claims)

  test('shows nothing unasked', () => {
    expect(shown()).toEqual({ classes: ['M'] })
    expect(shown(['name'])).toEqual({ name: '梅', classes: ['M'] })
  })

  test('takes the way to what is asked, and all below it', () => {
    expect(shown(['address', 'street'])).toEqual({ address: { city: 'Lakeside', street: 'Lake Road' }, classes: ['M'] })
    expect(shown(['address', 'city'])).toEqual({ address: { city: 'Lakeside' }, classes: ['M'] })
    expect(shown(['address'])).toEqual({ address: { city: 'Lakeside', street: 'Lake Road' }, classes: ['M'] })
    expect(shown(['classes', 0])).toEqual({ classes: ['A', 'M'] })
    expect(shown(['classes', null])).toEqual({ classes: ['A', 'M', 'B'] })
  })
})
