/** The explorer: what it asks, what it believes, what it calls things. */
import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { leafHash, rootOf } from '../src/shared/merkle'
import { base64urlDecode, base64urlEncode, canonicalJson, utf8, type Json, type JsonObject } from '../src/shared/encoding'
import type { TrustMemory } from '../src/shared/registry'
import { parseTrustAnchor, verifyHead, type Head } from '../src/shared/trust'
import { answerQuestion, readQuestion, verifyFact } from '../src/explorer/checking'
import { disagreements, factOf, memberFact, namesOf, type Fact } from '../src/explorer/facts'
import { LedgerReader } from '../src/explorer/reader'
import { standing } from '../src/explorer/standing'
import { en, zh } from '../src/explorer/text'

const facts = JSON.parse(readFileSync(`${import.meta.dirname}/vectors/proofs.json`, 'utf8')) as {
  trust_anchor: JsonObject
  head: { text: string }
  identifiers: { payload: JsonObject; did: string; transaction: string }
  log: { entries: JsonObject[]; inclusion: JsonObject[] }
  map: { present: { key: string; record: JsonObject; proof: JsonObject }[]; absent: { key: string; proof: JsonObject }[] }
  receipt: { digest: string; receipt: JsonObject }
}
const head = verifyHead(facts.head.text, parseTrustAnchor(facts.trust_anchor))

/** A node that answers from the vectors; `change` may spoil an answer. */
function node(change: (path: string, body: Json) => Json = (_path, body) => body, kept: Head | null = null): LedgerReader {
  let newest = kept
  const memory: TrustMemory = {
    anchor: async () => JSON.stringify(facts.trust_anchor),
    pinAnchor: async () => undefined,
      moveAnchor: async () => undefined,
    newestHead: async () => newest,
    rememberHead: async (next) => void (newest = next),
  }
  const answer = (url: URL): Json => {
    const key = url.searchParams.get('key')
    const path = url.pathname.replace('/registry', '')
    if (path === '/records') {
      const found = facts.map.present.find((fact) => fact.key === key)
      const proof = found?.proof ?? facts.map.absent.find((fact) => fact.key === key)?.proof ?? null
      return change(path, { key, record: found?.record ?? null, proof, head: facts.head.text })
    }
    if (path === '/log/inclusion') return change(path, facts.log.inclusion[Number(url.searchParams.get('index'))] as Json)
    const [start, count] = [Number(url.searchParams.get('start')), Number(url.searchParams.get('count'))]
    return change(path, { start, entries: facts.log.entries.slice(start, start + count), size: 13 })
  }
  return new LedgerReader('https://h/registry', memory, async (input) => {
    const url = new URL(String(input))
    return url.pathname.endsWith('/head') ? new Response(facts.head.text) : Response.json(answer(url))
  })
}

const batch = facts.map.present[0]!
const shownBatch: Fact = { ...factOf(facts.log.entries[3]!, 3), key: batch.key, agrees: { root: batch.record.root!, count: 5 } }

describe('a fact', () => {
  test('is proven by its entry and its record', async () => {
    const result = await verifyFact(node(), shownBatch)

    expect(result).toMatchObject({ outcome: 'proven', agrees: true, record: batch.record })
    expect(result.steps.map(({ step }) => step)).toEqual(['signed', 'first', 'present', 'entry'])
  })

  test.each<[string, (path: string, body: Json) => Json]>([
    ['another record', (path, body) => (path === '/records' ? { ...(body as JsonObject), record: { ...batch.record, count: 6 } } : body)],
    ['no record', (path, body) => (path === '/records' ? { ...(body as JsonObject), record: null } : body)],
    ['no proof', (path, body) => (path === '/records' ? { ...(body as JsonObject), proof: null } : body)],
    ['another head', (path, body) => (path === '/records' ? { ...(body as JsonObject), head: facts.head.text.replace('height 12', 'height 13') } : body)],
    ['the proof of another entry', (path, body) => (path === '/log/inclusion' ? facts.log.inclusion[4]! : body)],
    ['a path that leads elsewhere', (path, body) => (path === '/log/inclusion' ? { ...(body as JsonObject), path: [] } : body)],
  ])('does not verify with %s', async (_name, change) => {
    expect((await verifyFact(node(change), shownBatch)).outcome).toBe('unproven')
  })

  test('does not verify when another entry was shown, or another value than the record has', async () => {
    const other = { ...shownBatch, entry: { index: 3, value: { ...facts.log.entries[3]!, time: 1 } } }
    expect(await verifyFact(node(), other)).toMatchObject({ outcome: 'unproven', record: null })
    const wrong = await verifyFact(node(), { ...shownBatch, agrees: { count: 6 } })
    expect(wrong.problem?.detail).toContain('count')
  })

  test('is neither proven nor refuted by a node that is silent', async () => {
    const silent = new LedgerReader('https://h/registry', { anchor: async () => null } as unknown as TrustMemory, async () => Promise.reject(new TypeError()))
    expect((await verifyFact(silent, shownBatch)).outcome).toBe('unanswered')
  })

  test('does not verify under a head that is older than one seen before', async () => {
    const reader = node(undefined, { ...head, height: 99, size: 99 })
    expect((await verifyFact(reader, shownBatch)).outcome).toBe('unproven')
  })
})

describe('a question', () => {
  const did = 'did:cairn:demo:2NRn9w9A8FUKn4KEvRbiFjkhdydN'
  test.each([
    [did, `did/${did}`],
    [` ${did}#jose-1 `, `did/${did}`],
    ['a'.repeat(64), `tx/${'a'.repeat(64)}`],
    ['KeWn1nM5kv54x-V1KiVv3g', 'accreditation/KeWn1nM5kv54x-V1KiVv3g'],
    ['schema/degree/1', 'schema/degree/1'],
    ['network', 'network'],
  ])('%s', (typed, key) => expect(readQuestion(typed)).toEqual({ kind: 'record', key }))

  test.each(['', 'hello', 'did:web:example.org', `did:cairn:demo:${'0'.repeat(24)}`, '<script>', '{', `${'A'.repeat(42)}B`, 'x'.repeat(70_000)])('%s is none', (typed) => {
    expect(readQuestion(typed)).toBeNull()
  })

  test('about what is not there is answered with a proof of absence', async () => {
    const { key } = facts.map.absent[0]!
    expect(await answerQuestion(node(), { kind: 'record', key })).toMatchObject({ outcome: 'absent', record: null })
    const hidden = node((path, body) => (path === '/records' ? { ...(body as JsonObject), record: null } : body))
    expect((await answerQuestion(hidden, { kind: 'record', key: 'network' })).outcome).toBe('unproven')
  })

  test('a receipt is checked without asking for it', async () => {
    const good = readQuestion(canonicalJson(facts.receipt.receipt))!
    expect(good.kind).toBe('receipt')
    expect((await answerQuestion(node(), good)).outcome).toBe('proven')
    const bad = readQuestion(canonicalJson({ ...facts.receipt.receipt, index: 2 }))!
    expect((await answerQuestion(node(), bad)).outcome).toBe('unproven')
  })

  test('a digest is absent only when the whole log was seen', async () => {
    const nobody = { kind: 'digest', digest: new Uint8Array(32) } as const
    const result = await answerQuestion(node(), nobody)
    expect(result).toMatchObject({ outcome: 'absent' })
    expect(result.steps.map(({ step }) => step)).toContain('whole')
    const left = node((path, body) => {
      if (path !== '/log/entries') return body
      const entries = (body as JsonObject).entries as JsonObject[]
      return { ...(body as JsonObject), entries: entries.map((entry) => (entry.height === 5 ? { ...entry, time: 1 } : entry)) }
    })
    expect((await answerQuestion(left, nobody)).outcome).toBe('unproven')
  })
})

test('batches are searched in lists that give the anchored root', async () => {
  const digests = [1, 2, 3].map((byte) => new Uint8Array(32).fill(byte))
  const root = base64urlEncode(rootOf(digests.map(leafHash)))
  const payload = { action: 'anchor-batch', author: 'did:cairn:test-1:issuer', body: { batch: 'b', root, count: 3, types: [] } }
  const entry = { height: 0, time: 0, transaction: { payload } }
  const small = { ...head, size: 1, logRoot: leafHash(utf8(canonicalJson(entry))) }
  const search = (listed: Uint8Array[], wanted: Uint8Array) => {
    const reader = new LedgerReader('https://h/registry', {} as TrustMemory, async () => Response.json({ batch: 'b', digests: listed.map(base64urlEncode) }))
    reader.checkRecord = async () => ({ record: { alsoKnownAs: ['https://h/issuers/i'] }, head: small })
    return reader.checkDigest(wanted, small, [entry])
  }

  expect(await search(digests, digests[1]!)).toMatchObject({ batch: 'b', issuer: 'did:cairn:test-1:issuer' })
  expect(await search(digests, base64urlDecode(root))).toBeNull()
  await expect(search(digests.slice(0, 2), digests[2]!)).rejects.toThrow('not shown whole')
  await expect(search([digests[0]!, digests[1]!, digests[1]!], digests[2]!)).rejects.toThrow('not the one')
})

test('a created DID is that of its payload, and called by its address', () => {
  const entry = facts.log.entries[12]!
  expect(factOf(entry, 12)).toMatchObject({ action: 'create-did', key: `did/${facts.identifiers.did}` })
  expect(namesOf([], [entry], 'https://h').get(facts.identifiers.did)).toBe('registry.example/issuers/university')
  expect(namesOf([], [entry], 'https://registry.example').get(facts.identifiers.did)).toBe('/issuers/university')
  const member = memberFact('Ministry', facts.identifiers.did, true)
  expect(namesOf([member], [entry], 'https://h').get(facts.identifiers.did)).toBe('Ministry')
})

test('entries of a kind that this page does not know are shown as such', () => {
  for (const value of [{}, { height: 1, time: 1 }, { transaction: { payload: { action: 'dance', body: [] } } }, { transaction: [] }] as JsonObject[]) {
    expect(factOf(value, 1).key).toMatch(/^tx\/[0-9a-f]{64}$/)
  }
})

test('a later version of a registration may say something else, its party may not', () => {
  const agrees = { party: 'did:x', version: 1, name: 'Bar', purposes: [] }
  const fact = { ...shownBatch, agrees }
  expect(disagreements(fact, { ...agrees, record: 'relying-party' })).toEqual([])
  expect(disagreements(fact, { ...agrees, name: 'Pub' })).toEqual(['name'])
  expect(disagreements(fact, { ...agrees, name: 'Pub', version: 2 })).toEqual([])
  expect(disagreements(fact, { ...agrees, party: 'did:y', version: 2 })).toEqual(['party'])
})

test('what a record says about now', () => {
  const grant = { record: 'accreditation', suspensions: [], ended: null, until_height: null }
  const key = (record: JsonObject) => standing(record, head)?.key
  expect(key(grant)).toBe('standing.in-force')
  expect(key({ ...grant, until_height: 12 })).toBe('standing.until')
  expect(key({ ...grant, until_height: 11 })).toBe('standing.over')
  expect(key({ ...grant, suspensions: [{ from: 3, to: 4, reason: 'x' }] })).toBe('standing.in-force')
  expect(key({ ...grant, suspensions: [{ from: 3, to: null, reason: 'x' }] })).toBe('standing.suspended')
  expect(key({ ...grant, ended: { height: 5, reason: 'x' } })).toBe('standing.ended')
  const proposal = { record: 'proposal', state: 'open', expires: head.time, tally: { yes: 1, no: 0, members: 3 } }
  expect(standing(proposal, head)).toMatchObject({ state: 'open', values: { yes: 1, no: 0, members: 3 } })
  expect(standing({ ...proposal, expires: head.time - 1 }, head)?.state).toBe('expired')
})

describe('words', () => {
  const keys = Object.keys(en) as (keyof typeof en)[]
  test('both languages fill in the same places', () => {
    const places = (text: string) => (text.match(/\{\w+\}/g) ?? []).sort()
    for (const key of keys) expect(places(zh[key]), key).toEqual(places(en[key]))
  })

  test('nothing is left untranslated, and Chinese has Chinese punctuation', () => {
    expect(keys.filter((key) => en[key] === (zh[key] as string) || !zh[key])).toEqual([])
    expect(Object.values(zh).filter((text) => /[\u4e00-\u9fff][,;?!]|[\u4e00-\u9fff]\.$/.test(text))).toEqual([])
  })
})
