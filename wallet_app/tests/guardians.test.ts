/**
 * Guardians: the page signs and reads what `identity/core/guardians.py` does (the facts were signed by
 * both; see tests/identity/core/test_guardian_vectors.py), and what people hand each other.
 */
import 'fake-indexeddb/auto'
import { IDBFactory } from 'fake-indexeddb'
import { readdirSync, readFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { resolve } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { canonicalJson, type Json, type JsonObject } from '../src/shared/encoding'
import { parseCompact, verifyCompact } from '../src/shared/jose'
import { parseJwk, thumbprint } from '../src/shared/keys'
import { askText, cardText, keyCode, keyText, parseGuardianLink, recoveryCode, type Ask } from '../src/wallet/guardians/codes'
import * as desk from '../src/wallet/guardians/desk'
import type { Arrangement } from '../src/wallet/guardians/memory'
import { en, zh } from '../src/wallet/guardians/text'
import { dueAfter, underWay } from '../src/wallet/guardians/watching'
import { makeHolderKey } from '../src/wallet/holder_keys'
import { parseLink } from '../src/wallet/links'
import type { RecordLine } from '../src/wallet/own_record'
import { Store } from '../src/wallet/store'
import facts from './vectors/guardians.json'

const BASE = 'https://id.example'
const GUARDIANS = facts.guardians as JsonObject[]
const ASK: Ask = {
  agency: facts.case.agency,
  arrangement: facts.case.arrangement,
  recovery: facts.case.recovery,
  newKey: facts.case.new_key,
}
const HOLDER = parseJwk(facts.holder)

describe('what is signed', () => {
  const arranged: JsonObject = { guardians: GUARDIANS, threshold: facts.threshold, wait_seconds: facts.wait_seconds }
  const acts: [desk.Act, JsonObject][] = [
    ['set', arranged],
    ['withdraw', {}],
    ['stop', { recovery: ASK.recovery }],
  ]

  test.each(acts)('an order to %s reads as the rules write it', (act, more) => {
    const claims = desk.orderClaims(ASK.agency, act, more, { nonce: `nonce-${act}`, now: facts.now })
    for (const text of [facts.rules[act as 'set'], facts.page[act as 'set']]) {
      const jws = parseCompact(text)
      expect(canonicalJson(verifyCompact(jws, HOLDER, 'guardian-order+jwt'))).toBe(canonicalJson(claims))
      expect(jws.header).toEqual({ ...desk.ORDER_HEADER, alg: 'ES256' })
    }
  })

  test('an approval reads as the rules write it, with either kind of key', () => {
    const claims = desk.approvalClaims(ASK, facts.now)
    const texts = [facts.rules.approval, facts.page.approval, facts.rules.approval_ed25519]
    texts.forEach((text, index) => {
      const jwk = GUARDIANS[index === 2 ? 1 : 0] as JsonObject
      const jws = parseCompact(text)
      expect(canonicalJson(verifyCompact(jws, parseJwk(jwk), 'guardian-approval+jwt'))).toBe(canonicalJson(claims))
      expect(jws.header).toEqual({ ...desk.approvalHeader(jwk), alg: index === 2 ? 'EdDSA' : 'ES256' })
    })
  })

  test('neither kind passes for the other', () => {
    const approval = parseCompact(facts.page.approval)
    expect(() => verifyCompact(approval, parseJwk(GUARDIANS[0]), 'guardian-order+jwt')).toThrow('another kind')
    expect(() => verifyCompact(parseCompact(facts.page.stop), HOLDER, 'guardian-approval+jwt')).toThrow('another kind')
  })

  test('the digits are those of the rules', () => {
    expect(GUARDIANS.map(keyCode)).toEqual(facts.codes.keys)
    expect(recoveryCode(ASK)).toBe(facts.codes.recovery)
    for (const name of Object.keys(ASK)) expect(recoveryCode({ ...ASK, [name]: 'B'.repeat(22) })).not.toBe(facts.codes.recovery)
  })
})

describe('codes', () => {
  test('each is read back, wherever it was scanned, and short enough to scan', () => {
    const texts = [...GUARDIANS.map((jwk) => keyText(BASE, jwk)), cardText(BASE, ASK), askText(BASE, ASK)]
    const links = [
      ...GUARDIANS.map((jwk) => ({ kind: 'guardian-key', jwk })),
      { kind: 'recovery-card', card: { agency: ASK.agency, arrangement: ASK.arrangement } },
      { kind: 'recovery-ask', ask: ASK },
    ]
    texts.forEach((text, index) => {
      expect(parseGuardianLink(text)).toEqual(links[index])
      expect(parseLink(` ${text}\n`)).toEqual(links[index])
      expect(text.length).toBeLessThan(250)
      expect(new URL(text).search).toBe('') // servers see nothing of it
    })
  })

  test('a key of the command line is taken as it is printed', () => {
    const [p256, ed25519] = GUARDIANS as [JsonObject, JsonObject]
    for (const jwk of [p256, ed25519]) expect(parseGuardianLink(JSON.stringify({ ...jwk, use: 'sig' }))).toEqual({ kind: 'guardian-key', jwk })
  })

  const { x, y } = GUARDIANS[0] as { x: string; y: string }
  test.each<[string, string]>([
    ['a private key', JSON.stringify({ ...GUARDIANS[0], d: x })],
    ['another JSON', '{"a":1}'],
    ['no JSON', '{'],
    ['a point that is none', keyText(BASE, { kty: 'EC', crv: 'P-256', x, y: x })],
    ['a low-order key', keyText(BASE, { kty: 'OKP', crv: 'Ed25519', x: 'A'.repeat(43) })],
    ['another curve', `${BASE}/wallet/#guardian_key=secp256k1.${x}.${y}`],
    ['too many parts', `${BASE}/wallet/#guardian_key=P-256.${x}.${y}.${y}`],
    ['no key at all', `${BASE}/wallet/#guardian_key=`],
    ['a card without agency', `${BASE}/wallet/#recovery_card=${ASK.arrangement}`],
    ['a card with a longer name', cardText(BASE, { ...ASK, arrangement: `${ASK.arrangement}A` })],
    ['a name with trailing bits', cardText(BASE, { ...ASK, arrangement: `${ASK.arrangement.slice(0, 21)}x` })],
    ['an agency that is no address', cardText(BASE, { ...ASK, agency: 'registry' })],
    ['an agency without https', cardText(BASE, { ...ASK, agency: 'http://id.example/issuers/x' })],
    ['a script for an agency', askText(BASE, { ...ASK, agency: 'javascript:alert(1)' })],
    ['an ask without key', askText(BASE, { ...ASK, newKey: '' })],
    ['an ask without arrangement', `${BASE}/wallet/#recovery=${ASK.recovery}&new_key=${ASK.newKey}&agency=${ASK.agency}`],
  ])('%s is refused', (_name, text) => {
    expect(() => parseGuardianLink(text)).toThrow(/not-a-link|insecure-address/)
  })

  test.each(['', 'hello', 'openid4vp://?client_id=x#', `${BASE}/wallet/#/settings`, `${BASE}/?recovery=${ASK.recovery}`])('%s is something else', (text) => {
    expect(parseGuardianLink(text)).toBeNull()
  })
})

describe('at the agency', () => {
  let server: Server
  let agency: string
  let answers: Record<string, [number, Json]>
  let asked: { path: string; body: JsonObject }[]
  let around: desk.Around

  beforeEach(async () => {
    answers = {}
    asked = []
    server = createServer((request, response) => {
      let text = ''
      request.on('data', (part) => (text += part))
      request.on('end', () => {
        const path = String(request.url)
        asked.push({ path, body: text ? (JSON.parse(text) as JsonObject) : {} })
        const [status, body] = answers[path] ?? [404, { type: '/problems/no-such-recovery' }]
        response.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify(body))
      })
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    agency = `http://127.0.0.1:${(server.address() as AddressInfo).port}/issuers/registrar`
    globalThis.indexedDB = new IDBFactory()
    around = { store: await Store.open(), now: () => facts.now }
    answers['/issuers/registrar/nonce'] = [200, { c_nonce: 'fresh' }]
  })
  afterEach(() => server.close())

  function view(changes: JsonObject = {}): JsonObject {
    const { arrangement, recovery, newKey } = ASK
    const counts = { state: 'open', approvals: 1, threshold: 2, ends_at: 0 }
    return { agency, arrangement, recovery, new_key: newKey, ...counts, ...changes }
  }
  const at = `/issuers/registrar/guardians/recoveries/${ASK.recovery}`
  const ask = (): Ask => ({ ...ASK, agency })

  test('a guardian signs what the new phone showed, and the agency said the same', async () => {
    const key = await makeHolderKey()
    answers[at] = [200, view()]
    answers[`${at}/approvals`] = [200, view({ state: 'waiting', approvals: 2, ends_at: facts.now + 60 })]
    const done = await desk.approve(ask(), key, around)
    expect(done).toEqual({ ask: ask(), state: 'waiting', approvals: 2, threshold: 2, endsAt: facts.now + 60 })
    const { approval } = asked.at(-1)!.body as { approval: string }
    const jws = parseCompact(approval)
    expect(jws.header.kid).toBe(key.id)
    expect(verifyCompact(jws, parseJwk({ ...key.publicJwk }), 'guardian-approval+jwt')).toMatchObject({ aud: agency, cnf: { jkt: ASK.newKey } })
  })

  test.each<[string, JsonObject]>([
    ['another key', { new_key: 'A'.repeat(43) }],
    ['another arrangement', { arrangement: 'A'.repeat(22) }],
    ['another agency', { agency: 'https://id.example/issuers/other' }],
  ])('nothing is signed when the agency tells of %s', async (_name, changes) => {
    answers[at] = [200, view(changes)]
    await expect(desk.approve(ask(), await makeHolderKey(), around)).rejects.toMatchObject({ code: 'refused', detail: 'told-otherwise' })
    expect(asked.map(({ path }) => path)).toEqual([at])
  })

  test.each<[string, JsonObject]>([
    ['another state', { state: 'done' }],
    ['a count that is none', { approvals: '2' }],
    ['half a guardian', { threshold: 1.5 }],
    ['no key', { new_key: null }],
  ])('an answer with %s is not read', async (_name, changes) => {
    answers[at] = [200, view(changes)]
    await expect(desk.checkAsk(ask(), around)).rejects.toMatchObject({ code: 'malformed' })
  })

  test('a refusal keeps its name, so that the page has words for it', async () => {
    await expect(desk.checkAsk(ask(), around)).rejects.toMatchObject({ code: 'refused', detail: 'no-such-recovery' })
    answers[at] = [503, { type: '/problems/unavailable' }]
    await expect(desk.checkAsk(ask(), around)).rejects.toMatchObject({ code: 'server' })
  })

  test('a recovery begins with a proof of the new key, for the arrangement of the card', async () => {
    const key = await makeHolderKey()
    answers['/issuers/registrar/guardians/recoveries'] = [201, view({ new_key: key.id })]
    const begun = await desk.begin(ask(), key, around)
    expect(begun.ask).toEqual({ ...ask(), newKey: key.id })
    const { arrangement, key_proof: proof } = asked.at(-1)!.body as Record<string, string>
    expect(arrangement).toBe(ASK.arrangement)
    const claims = verifyCompact(parseCompact(proof!), parseJwk({ ...key.publicJwk }), 'openid4vci-proof+jwt')
    expect(claims).toEqual({ aud: agency, iat: facts.now, nonce: 'fresh' })
    answers['/issuers/registrar/guardians/recoveries'] = [201, view()] // for another key
    await expect(desk.begin(ask(), key, around)).rejects.toMatchObject({ detail: 'told-otherwise' })
  })

  test('what is offered after the wait', async () => {
    const link = 'openid-credential-offer://?credential_offer_uri=x'
    answers[`${at}/completion`] = [200, { ended: 1, offers: [{ offer_uri: link, tx_code: '123' }, { offer_uri: link, tx_code: null }] }]
    const offers = await desk.complete(ask(), await makeHolderKey(), around)
    expect(offers).toEqual([{ link, txCode: '123' }, { link, txCode: '' }])
    answers[`${at}/completion`] = [200, { ended: 1, offers: [{}] }]
    await expect(desk.complete(ask(), await makeHolderKey(), around)).rejects.toMatchObject({ code: 'malformed' })
  })
})

describe('what the wallet keeps', () => {
  test('guardian keys are apart from the keys of cards, and cannot be exported', async () => {
    globalThis.indexedDB = new IDBFactory()
    const store = await Store.open()
    const key = await makeHolderKey()
    await store.guardians.keepGuarded({ id: key.id, name: 'Alice', key, madeAt: 1 })
    const [kept] = await store.guardians.guarded()
    expect(kept!.key.privateKey.extractable).toBe(false)
    await expect(crypto.subtle.exportKey('jwk', kept!.key.privateKey)).rejects.toThrow()
    await expect(store.key(key.id)).rejects.toMatchObject({ code: 'storage' })
    await expect(store.guardians.keepGuarded({ id: key.id, name: 'Mallory', key, madeAt: 2 })).rejects.toThrow()
    await store.guardians.forgetGuarded(key.id)
    expect(await store.guardians.guarded()).toEqual([])
  })

  test('a recovery survives a reload, an arrangement is one for each agency, and looks are remembered', async () => {
    globalThis.indexedDB = new IDBFactory()
    const key = await makeHolderKey()
    const first = await Store.open()
    await first.guardians.keepRecovery({ id: 'own', ask: ASK, agencyName: { en: 'Registry' }, key, begunAt: 5 })
    const arranged: Arrangement = { agency: ASK.agency, agencyName: {}, arrangement: 'a', threshold: 2, waitSeconds: 60, guardians: [], setAt: 1 }
    await first.guardians.keepArrangement(arranged)
    await first.guardians.keepArrangement({ ...arranged, arrangement: 'b' })
    await first.guardians.noteLook(ASK.agency, { at: 9, found: [{ recovery: 'r', since: 8 }] })

    const second = (await Store.open()).guardians
    const recovery = await second.recovery()
    expect(recovery!.ask).toEqual(ASK)
    expect(recovery!.key.id).toBe(key.id)
    expect((await second.arrangements()).map(({ arrangement }) => arrangement)).toEqual(['b'])
    expect(await second.lastLook(ASK.agency)).toEqual({ at: 9, found: [{ recovery: 'r', since: 8 }] })
    expect(await second.lastLook('https://other')).toEqual({ at: 0, found: [] })
  })
})

describe('watching', () => {
  const line = (recovery: string, state: string, time: number): RecordLine => ({
    kind: 'recovery',
    time,
    detail: { recovery, state },
    anchored: true,
    strange: false,
  })

  test('what waits and did not end is under way, in whatever order it is told', () => {
    const lines = [line('a', 'waiting', 3), line('b', 'stopped', 2), line('b', 'waiting', 2), line('c', 'completed', 1), line('c', 'waiting', 1)]
    expect(underWay(lines)).toEqual([{ recovery: 'a', since: 3 }])
    expect(underWay([...lines].reverse())).toEqual([{ recovery: 'a', since: 3 }])
    expect(underWay([{ ...line('d', 'waiting', 1), kind: 'issued' }])).toEqual([])
  })

  test('nobody gets through between two looks, and an agency seldom sees one', () => {
    for (const wait of [60, 3600, desk.DAY, 30 * desk.DAY]) expect(dueAfter(wait, [])).toBeLessThanOrEqual(wait / 4)
    expect(dueAfter(30 * desk.DAY, [])).toBe(desk.DAY / 4)
    expect(dueAfter(2, [])).toBe(5)
    expect(dueAfter(0, [])).toBe(dueAfter(desk.DAY, []))
    expect(dueAfter(desk.DAY, [{ recovery: 'r', since: 1 }])).toBe(60)
  })
})

describe('words', () => {
  const keys = Object.keys(en) as (keyof typeof en)[]

  test('both languages fill in the same places, and nothing is left untranslated', () => {
    const places = (text: string) => (text.match(/\{\w+\}/g) ?? []).sort()
    for (const key of keys) expect(places(zh[key]), key).toEqual(places(en[key]))
    expect(keys.filter((key) => (en[key] as string) === zh[key] || !zh[key])).toEqual([])
    expect(Object.values(zh).filter((text) => /[\u4e00-\u9fff][,;?!]|[\u4e00-\u9fff]\.$/.test(text))).toEqual([])
  })

  test('every text is on some screen', () => {
    const folder = resolve(import.meta.dirname, '../src/wallet')
    const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => /\.(ts|svelte)$/.test(name))
    const source = files.map((name) => readFileSync(resolve(folder, name), 'utf8').replace(/^ {2}'[a-z.-]+':/gm, '')).join('\n')
    // What an office refuses, and what a record tells, is looked up by its name.
    const named = keys.filter((key) => !/^(problem|record)\./.test(key))
    expect(named.filter((key) => !source.includes(`'${key}'`))).toEqual([])
  })
})

test('a thumbprint of either kind of key', () => {
  expect(GUARDIANS.map((jwk) => thumbprint({ ...jwk, use: 'sig' }))).toEqual([
    parseCompact(facts.rules.approval).header.kid,
    parseCompact(facts.rules.approval_ed25519).header.kid,
    thumbprint(GUARDIANS[2] as JsonObject),
  ])
})
