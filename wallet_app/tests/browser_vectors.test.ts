/**
 * The same proofs that the registry's Python says yes and no to (tests/vectors/proofs.json, made and
 * compared by tests/registry/core/test_browser_vectors.py), and every bit of three of them flipped.
 */
import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { base64urlDecode, canonicalJson, hex, isObject, parseJson, utf8, utf8Decode, type Json, type JsonObject } from '../src/shared/encoding'
import { derivedDid, entryLeaf, transactionId, verifyEntry, verifyGrowth } from '../src/shared/log'
import { rootOf } from '../src/shared/merkle'
import { verifyDigestReceipt } from '../src/shared/receipt'
import { Registry, verifyFollows, type TrustMemory } from '../src/shared/registry'
import { verifyRecord } from '../src/shared/state_map'
import { parseTrustAnchor, verifyHead, type Head } from '../src/shared/trust'

interface Fact {
  why: string
  key: string
  record: JsonObject | null
  proof: JsonObject
  root?: string // of a map of its own; the head's otherwise
}
const facts = JSON.parse(readFileSync(`${import.meta.dirname}/vectors/proofs.json`, 'utf8')) as {
  trust_anchor: JsonObject
  head: { text: string; says: { size: number; logRoot: string; height: number; time: number; stateRoot: string } }
  heads_refused: { why: string; text: string }[]
  heads_in_order: { why: string; older: string; newer: string; follows: boolean }[]
  identifiers: { payload: JsonObject; transaction: string; did: string }
  log: { entries: JsonObject[]; inclusion: JsonObject[]; older: Record<string, string>; consistency: JsonObject[] }
  map: { present: Fact[]; absent: Fact[]; refused: Fact[] }
  receipt: { digest: string; receipt: JsonObject; refused: { why: string; receipt: JsonObject }[] }
}
const anchor = parseTrustAnchor(facts.trust_anchor)
const head = verifyHead(facts.head.text, anchor)
const digest = base64urlDecode(facts.receipt.digest)

test('the head says what was signed', () => {
  expect({ ...head, logRoot: hex(head.logRoot), stateRoot: hex(head.stateRoot) }).toEqual(facts.head.says)
})

test.each(facts.heads_refused)('a head: $why', ({ text }) => {
  expect(() => verifyHead(text, anchor)).toThrow()
})

test.each(facts.heads_in_order)('one head after another: $why', ({ older, newer, follows }) => {
  const check = () => verifyFollows(verifyHead(older, anchor), verifyHead(newer, anchor))
  if (follows) check()
  else expect(check).toThrow('proof')
})

test('identifiers come from what was signed', () => {
  const { payload, transaction, did } = facts.identifiers
  expect(hex(transactionId(payload))).toBe(transaction)
  expect(derivedDid(payload)).toBe(did)
})

describe('log', () => {
  const { entries, inclusion, older, consistency } = facts.log

  test('its root is that of all entries', () => {
    expect(rootOf(entries.map(entryLeaf))).toEqual(head.logRoot)
  })

  test('every entry is in it, and nowhere else', () => {
    expect(inclusion).toHaveLength(13)
    inclusion.forEach((answer, index) => {
      const entry = entries[index] as JsonObject
      verifyEntry(answer, { entry, index, head })
      expect(() => verifyEntry(answer, { entry, index: (index + 1) % 13, head })).toThrow('proof')
      expect(() => verifyEntry(answer, { entry: { ...entry, time: 1 }, index, head })).toThrow('proof')
      expect(() => verifyEntry({ ...answer, size: 14 }, { entry, index, head })).toThrow('proof')
    })
  })

  test('every older one is its beginning', () => {
    expect(consistency).toHaveLength(12)
    for (const answer of consistency) {
      const before = verifyHead(older[String(answer.first)] as string, anchor)
      verifyGrowth(answer, before, head)
      expect(() => verifyGrowth(answer, { ...before, logRoot: head.stateRoot }, head)).toThrow('proof')
      expect(() => verifyGrowth(answer, before, { ...head, logRoot: head.stateRoot })).toThrow('proof')
      expect(() => verifyGrowth({ ...answer, first: 13 }, before, head)).toThrow('proof')
      expect(() => verifyGrowth({ ...answer, path: null }, before, head)).toThrow('malformed')
    }
  })
})

describe('state map', () => {
  const root = head.stateRoot
  test.each(facts.map.present)('$key is there', ({ key, record, proof }) => {
    expect(verifyRecord(proof, { key, record, root })).toEqual(record)
  })
  test.each(facts.map.absent)('$key is not there', ({ key, proof }) => {
    expect(verifyRecord(proof, { key, record: null, root })).toBeNull()
  })
  test.each(facts.map.refused)('$why', ({ key, record, proof, root: own }) => {
    const under = own ? Uint8Array.from(Buffer.from(own, 'hex')) : root
    expect(() => verifyRecord(proof, { key, record, root: under })).toThrow()
  })
})

describe('receipt', () => {
  test('proves what was anchored', () => {
    expect(verifyDigestReceipt(facts.receipt.receipt, { digest, anchor })).toMatchObject({ height: 6, types: ['degree', 'residence'] })
  })
  test.each(facts.receipt.refused)('$why', ({ receipt }) => {
    expect(() => verifyDigestReceipt(receipt, { digest, anchor })).toThrow()
  })
})

describe('every single bit, flipped', () => {
  /** Hand `check` the value with each bit of its canonical bytes flipped once; it must throw each time. */
  function flipEveryBit(value: Json, check: (changed: JsonObject) => void): number {
    const bytes = utf8(canonicalJson(value))
    const read = (): void => {
      const changed = parseJson(utf8Decode(bytes))
      if (!isObject(changed)) throw new Error('not an object')
      check(changed)
    }
    read()
    const passed: number[] = []
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const [at, mask] = [bit >> 3, 1 << (bit & 7)]
      bytes[at] = (bytes[at] as number) ^ mask
      try {
        read()
        passed.push(bit)
      } catch {
        // as it must be
      }
      bytes[at] = (bytes[at] as number) ^ mask
    }
    expect(passed).toEqual([])
    return bytes.length * 8
  }

  test('of a proof of presence, and of one of absence', () => {
    const { key, record, proof } = facts.map.present.find((fact) => fact.key === 'network') as Fact
    const shown = (changed: JsonObject) => {
      expect(changed.proof).toBeDefined()
      verifyRecord(changed.proof, { key, record: changed.record as JsonObject, root: head.stateRoot })
    }
    expect(flipEveryBit({ record, proof }, shown)).toBeGreaterThan(1900)
    const absent = facts.map.absent.find(({ proof }) => proof.other) as Fact
    const missing = (changed: JsonObject) => verifyRecord(changed, { key: absent.key, record: null, root: head.stateRoot })
    expect(flipEveryBit(absent.proof, missing)).toBeGreaterThan(1900)
  })

  test('of a proof of inclusion, its entry and its head', { timeout: 120_000 }, () => {
    const [entry, answer] = [facts.log.entries[5] as JsonObject, facts.log.inclusion[5] as JsonObject]
    // Most flips leave the head as it is; one look at its signatures is enough for those.
    const headOf = (text: Json | undefined) => (text === facts.head.text ? head : verifyHead(text as string, anchor))
    const check = (changed: JsonObject) => {
      const { answer: proof, entry: shown } = changed as { answer: JsonObject; entry: JsonObject }
      verifyEntry(proof, { entry: shown, index: 5, head: headOf(proof.head) })
    }
    expect(flipEveryBit({ answer, entry }, check)).toBeGreaterThan(5000)
  })

  test('of a proof of consistency', () => {
    const answer = facts.log.consistency[4] as JsonObject
    const before = verifyHead(facts.log.older['5'] as string, anchor)
    expect(flipEveryBit(answer, (changed) => verifyGrowth(changed, before, head))).toBeGreaterThan(1000)
  })

  test('of a receipt', { timeout: 120_000 }, () => {
    const check = (changed: JsonObject) => verifyDigestReceipt(changed, { digest, anchor })
    expect(flipEveryBit(facts.receipt.receipt, check)).toBeGreaterThan(10_000)
  })
})

describe('a reader that comes back', () => {
  function memory(newest: Head | null): TrustMemory & { newest: Head | null } {
    return {
      newest,
      anchor: async () => JSON.stringify(facts.trust_anchor),
      pinAnchor: async () => undefined,
      moveAnchor: async () => undefined,
      async newestHead() {
        return this.newest
      },
      async rememberHead(next) {
        this.newest = next
      },
    }
  }
  const older = verifyHead(facts.log.older['5'] as string, anchor)
  const answering = (answer: Json): typeof fetch => async () => Response.json(answer)

  test('takes a head whose log continues the one it saw', async () => {
    const kept = memory(older)
    await new Registry('https://h/registry', kept, answering(facts.log.consistency[4] as Json)).admitHead(facts.head.text)
    expect(kept.newest?.size).toBe(13)
  })

  test.each<[string, Json]>([
    ['another older log', facts.log.consistency[5] as Json],
    ['a path that is too short', { first: 5, second: 13, path: [] }],
    ['no path', { first: 5, second: 13 }],
  ])('refuses and forgets one with %s', async (_name, answer) => {
    const kept = memory(older)
    await expect(new Registry('https://h/registry', kept, answering(answer)).admitHead(facts.head.text)).rejects.toThrow()
    expect(kept.newest).toBe(older)
  })
})
