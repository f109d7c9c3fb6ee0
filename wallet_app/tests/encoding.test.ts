import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import {
  base58Decode,
  base64Decode,
  base64urlDecode,
  base64urlEncode,
  canonicalJson,
  hex,
  parseJson,
  utf8,
} from '../src/shared/encoding'
import { haveVectors, vectors } from './published'

describe.skipIf(!haveVectors)('published JCS vectors', () => {
  const names = haveVectors ? readdirSync(vectors('jcs/testdata/input')) : []

  test('are here', () => expect(names).toHaveLength(6))
  test.each(names)('%s', (name) => {
    const input = parseJson(readFileSync(vectors('jcs/testdata/input', name), 'utf8'))

    expect(canonicalJson(input)).toBe(readFileSync(vectors('jcs/testdata/output', name), 'utf8'))
  })
})

test.each([NaN, Infinity, '\ud800', 'a\udc00b'])('%s has no canonical form', (value) => {
  expect(() => canonicalJson([value])).toThrow('malformed')
})

test.each(['{"a":1,"a":2}', '{"a":{"b":1,"\\u0062":2}}', '[{"x":1,"x":1}]', '[1,]', '{"a"', 'NaN', '', '9007199254740992', '[-9007199254740993]'])(
  'JSON that says two things, or nothing, is refused: %s',
  (text) => {
    expect(() => parseJson(text)).toThrow('malformed')
  },
)

test.each(['{"a":1,"b":{"a":2}}', '[{"x":1},{"x":1}]', '{"a":"{\\"a\\":1}","b":"a:"}', '"a:"', '[9007199254740991,1e21,"9007199254740993"]', '{"a" : "\\"" , "b":[]}'])(
  'JSON that only looks like it is read: %s',
  (text) => {
    expect(parseJson(text)).toEqual(JSON.parse(text))
  },
)

test('nesting and length are bounded', () => {
  expect(() => parseJson('['.repeat(33) + ']'.repeat(33))).toThrow('malformed')
  expect(parseJson('['.repeat(32) + ']'.repeat(32))).toBeTruthy()
  expect(() => parseJson('"aaaa"', 5)).toThrow('malformed')
})

test('base64url goes there and back, and has one text for each value', () => {
  for (let length = 0; length < 40; length++) {
    const data = Uint8Array.from({ length }, (_, index) => (index * 37 + length) & 255)
    expect(base64urlDecode(base64urlEncode(data))).toEqual(data)
  }
  for (const text of ['A', 'AB', 'AA==', 'AA A', 'A+A/', 'AAB', 'QQ=', null, 5, undefined]) {
    expect(() => base64urlDecode(text as never), String(text)).toThrow('malformed')
  }
})

test('base64 refuses what nobody would write', () => {
  expect(base64Decode('QUI=')).toEqual(utf8('AB'))
  for (const text of ['QUI', 'QUJ=', 'QUI=\n', ' QUI=']) expect(() => base64Decode(text)).toThrow('malformed')
})

test('base58 keeps leading zeros', () => {
  expect(hex(base58Decode('112'))).toBe('000001')
  expect(hex(base58Decode('2g'))).toBe('61')
  for (const text of ['0', 'l', 'O', ' ', '1'.repeat(513)]) expect(() => base58Decode(text)).toThrow('malformed')
})
