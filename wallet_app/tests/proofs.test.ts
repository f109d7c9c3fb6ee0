/** The light client against facts made by the registry's own code (tests/vectors/registry.json). */
import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { base64urlEncode, hex, isObject, type Json, type JsonObject } from '../src/shared/encoding'
import { labelledHash } from '../src/shared/hashing'
import { credentialDigest, verifyReceipt } from '../src/shared/receipt'
import { verifyFollows } from '../src/shared/registry'
import { verifyRecord } from '../src/shared/state_map'
import { parseTrustAnchor, verifyHead } from '../src/shared/trust'

interface Proven {
  key: string
  record: JsonObject | null
  proof: JsonObject
}
const facts = JSON.parse(readFileSync(`${import.meta.dirname}/vectors/registry.json`, 'utf8')) as {
  trust_anchor: JsonObject
  head: string
  head_with_one_signature: string
  credential: { payload: JsonObject; digest: string }
  receipt: JsonObject
  records: Proven[]
  absent: Proven[]
  labelled_hash: { label: string; parts: string[]; hash: string }[]
}
const anchor = parseTrustAnchor(facts.trust_anchor)
const head = verifyHead(facts.head, anchor)

test('labelled hashes agree', () => {
  for (const { label, parts, hash } of facts.labelled_hash) {
    expect(hex(labelledHash(label, ...parts.map((part) => Uint8Array.from(Buffer.from(part, 'hex')))))).toBe(hash)
  }
})

describe('head', () => {
  test('says what was signed', () => {
    expect(head).toMatchObject({ size: 42, height: 9, time: 1760000200 })
  })

  test('needs as many distinct keys as the anchor asks for', () => {
    expect(() => verifyHead(facts.head_with_one_signature, anchor)).toThrow('too few signatures')
    const lines = facts.head_with_one_signature.trimEnd().split('\n')
    const twice = [...lines, lines.at(-1)].join('\n') + '\n'
    expect(() => verifyHead(twice, anchor)).toThrow('too few signatures')
  })

  test('is refused with any character changed', () => {
    const text = facts.head
    for (let at = 0; at < text.length; at++) {
      const other = text[at] === 'A' ? 'B' : 'A'
      expect(() => verifyHead(text.slice(0, at) + other + text.slice(at + 1), anchor), `at ${at}`).toThrow()
    }
  })

  test('lines of unknown keys are passed over', () => {
    const stranger = `\u2014 nobody ${Buffer.alloc(68, 7).toString('base64')}\n`
    expect(verifyHead(facts.head + stranger, anchor).height).toBe(9)
  })

  test('may not go back, nor show two histories', () => {
    verifyFollows(head, head)
    verifyFollows(head, { ...head, size: 43, height: 10, stateRoot: head.logRoot })
    for (const worse of [
      { ...head, height: 8 },
      { ...head, size: 41 },
      { ...head, time: head.time - 1 },
      { ...head, stateRoot: head.logRoot },
      { ...head, logRoot: head.stateRoot },
      { ...head, size: 43 },
    ]) {
      expect(() => verifyFollows(head, worse)).toThrow('proof')
    }
  })
})

describe('trust anchor', () => {
  test.each<[string, (value: JsonObject) => void]>([
    ['another type', (value) => (value.type = 'x')],
    ['no keys', (value) => ((value.heads as JsonObject).keys = [])],
    ['a threshold of none', (value) => ((value.heads as JsonObject).threshold = 0)],
    ['a threshold out of reach', (value) => ((value.heads as JsonObject).threshold = 4)],
    ['a key twice', (value) => ((value.heads as JsonObject).keys as Json[]).push(((value.heads as JsonObject).keys as Json[])[0]!)],
    [
      'a key id of another key',
      (value) => {
        const keys = (value.heads as JsonObject).keys as string[]
        keys[0] = (keys[0] as string).replace(/\+[0-9a-f]{8}\+/, '+00000000+')
      },
    ],
    [
      'a low-order key',
      (value) => {
        const keys = (value.heads as JsonObject).keys as string[]
        const typed = Buffer.concat([Buffer.of(1), Buffer.of(1), Buffer.alloc(31)]).toString('base64')
        keys[0] = `a+00000000+${typed}`
      },
    ],
  ])('with %s is refused', (_name, change) => {
    const value = structuredClone(facts.trust_anchor)
    change(value)
    expect(() => parseTrustAnchor(value)).toThrow('malformed')
  })
})

describe('state map', () => {
  test.each(facts.records)('$key is there', ({ key, record, proof }) => {
    expect(verifyRecord(proof, { key, record, root: head.stateRoot })).toEqual(record)
    expect(() => verifyRecord(proof, { key, record: null, root: head.stateRoot })).toThrow('proof')
    expect(() => verifyRecord(proof, { key, record: { ...record, more: 1 }, root: head.stateRoot })).toThrow('proof')
    expect(() => verifyRecord(proof, { key: `${key}x`, record, root: head.stateRoot })).toThrow('proof')
    expect(() => verifyRecord(proof, { key, record, root: head.logRoot })).toThrow('proof')
  })

  test.each(facts.absent)('$key is not there', ({ key, proof }) => {
    expect(verifyRecord(proof, { key, record: null, root: head.stateRoot })).toBeNull()
    expect(() => verifyRecord(proof, { key, record: { record: 'x' }, root: head.stateRoot })).toThrow('proof')
    const elsewhere = facts.records[0] as Proven
    expect(() => verifyRecord({ ...proof, key: elsewhere.key }, { key: elsewhere.key, record: null, root: head.stateRoot })).toThrow()
  })

  test('a proof of presence cannot be turned into one of absence', () => {
    const { key, proof } = facts.records[1] as Proven
    const hash = base64urlEncode(labelledHash('cairn/map-key/v1', new TextEncoder().encode(key)))
    const other = { keyhash: hash, valuehash: hash }
    expect(() => verifyRecord({ ...proof, other }, { key, record: null, root: head.stateRoot })).toThrow('absence is claimed')
  })

  test('no proof is no answer', () => {
    for (const proof of [undefined, null, {}, [], 'x']) {
      expect(() => verifyRecord(proof, { key: 'x', record: null, root: head.stateRoot })).toThrow()
    }
  })
})

describe('anchor receipt', () => {
  const { payload, digest } = facts.credential

  test('the digest is the one that the issuer anchored', () => {
    expect(base64urlEncode(credentialDigest(payload))).toBe(digest)
  })

  test('leads to the issuer and the time', () => {
    const verified = verifyReceipt(facts.receipt, { payload, anchor })

    expect(verified).toMatchObject({ types: ['resident-identity'], height: 7, time: 1760000100 })
    expect(verified.issuer).toBe((facts.receipt.batch as JsonObject).issuer)
  })

  test('is refused when any single value in it is changed', () => {
    let cases = 0
    const visit = (value: Json, path: (string | number)[]): void => {
      if (isObject(value) || Array.isArray(value)) {
        for (const [name, member] of Object.entries(value)) visit(member as Json, [...path, Array.isArray(value) ? Number(name) : name])
        return
      }
      for (const other of [typeof value === 'number' ? value + 1 : `${String(value)}A`, null]) {
        const changed = structuredClone(facts.receipt) as Json
        let at = changed as Record<string | number, Json>
        for (const step of path.slice(0, -1)) at = at[step] as Record<string | number, Json>
        at[path.at(-1) as string] = other
        cases += 1
        expect(() => verifyReceipt(changed, { payload, anchor }), path.join('.')).toThrow()
      }
    }
    visit(facts.receipt, [])
    expect(cases).toBeGreaterThan(40)
  })

  test('does not fit another credential', () => {
    const changes: JsonObject[] = [
      { ...payload, iat: 1 },
      { ...payload, anchor: { ...(payload.anchor as JsonObject), batch: 'AAAAAAAAAAAAAAAAAAAAAA' } },
      { ...payload, anchor: { ...(payload.anchor as JsonObject), network: 'other' } },
    ]
    for (const other of changes) expect(() => verifyReceipt(facts.receipt, { payload: other, anchor })).toThrow()
    const { anchor: _anchor, ...without } = payload
    expect(() => verifyReceipt(facts.receipt, { payload: without, anchor })).toThrow()
  })

  test('does not convince who trusts other keys', () => {
    const keys = (facts.trust_anchor.heads as JsonObject).keys as string[]
    const fewer = parseTrustAnchor({ ...facts.trust_anchor, heads: { keys: [keys[2] as string], threshold: 1 } })
    expect(() => verifyReceipt(facts.receipt, { payload, anchor: fewer })).toThrow('too few signatures')
  })
})
