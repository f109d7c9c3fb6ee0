/** A party knows this wallet again, when it asks to and as far as the citizen lets it. */
import { createHash } from 'node:crypto'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { canonicalJson, parseJson, type Json, type JsonObject } from '../src/shared/encoding'
import { parseCompact, verifyCompact } from '../src/shared/jose'
import { parseJwk, thumbprint } from '../src/shared/keys'
import { parseLink, type Link } from '../src/wallet/links'
import { readOffer } from '../src/wallet/offers'
import { answerRequest, choicesFor } from '../src/wallet/presenting'
import { receiveOffer } from '../src/wallet/receiving'
import { readRequest, RECOGNITION } from '../src/wallet/requests'
import { Store } from '../src/wallet/store'
import { newWallet, startWorld, type World } from './world'

type PartyName = 'bar' | 'bank'

let world: World
let close: () => void
let wallet: Awaited<ReturnType<typeof newWallet>>

beforeAll(async () => {
  ;({ world, close } = await startWorld())
})
afterAll(() => close())
beforeEach(async () => {
  wallet = await newWallet(world)
  const offer = parseLink(world.issuer.offer(['resident-identity'], null).link) as Extract<Link, { kind: 'offer' }>
  await receiveOffer(await readOffer(offer), '', wallet)
})

const PURPOSES = { bar: 'age-check', bank: 'account-opening' } as const

/** The request of a party that says `pseudonym`, as its wallet reads it. */
async function read(party: PartyName, pseudonym: Json | undefined, purpose: string = PURPOSES[party]) {
  const named = [{ format: 'cairn-registration/1', data: { purpose } }]
  const asking = world.parties[party]
  const asked = asking.ask(purpose)
  const link = parseLink(asked.link) as Extract<Link, { kind: 'request' }>
  const object = asking.object(asking.requests.get(asked.request), {
    verifier_info: named,
    ...(pseudonym === undefined ? {} : { pseudonym }),
  })
  return readRequest({ ...link, request: object }, wallet)
}

/** Answer, and hand back the fields that left. */
async function send(asked: Awaited<ReturnType<typeof read>>, recognised = false): Promise<URLSearchParams> {
  const [found] = choicesFor(asked, await wallet.store.cards(), wallet.now())
  let sent = ''
  const spy: typeof fetch = async (input, init) => {
    sent = String(init?.body)
    return fetch(input, init)
  }
  await answerRequest(asked, [found!.options[0]!], { ...wallet, recognised, fetcher: spy })
  return new URLSearchParams(sent)
}

async function answer(party: PartyName, pseudonym: Json | undefined, recognised = false): Promise<URLSearchParams> {
  return send(await read(party, pseudonym), recognised)
}

function keyIn(fields: URLSearchParams): string {
  return thumbprint(parseCompact(fields.get('pseudonym')!).header.jwk as JsonObject)
}

describe('pseudonyms', () => {
  test('the statement is of its own kind, for this request and these presentations, under a key in its header', async () => {
    const asked = await read('bar', 'required')
    const fields = await send(asked)
    const jws = parseCompact(fields.get('pseudonym')!)
    expect(Object.keys(jws.header).sort()).toEqual(['alg', 'jwk', 'typ'])
    const claims = verifyCompact(jws, parseJwk(jws.header.jwk), 'cairn-pseudonym+jwt')
    expect(Object.keys(claims).sort()).toEqual(['aud', 'iat', 'nonce', 'vp_hash'])
    expect(claims).toMatchObject({ aud: asked.clientId, nonce: asked.nonce })
    expect(claims.vp_hash).toBe(hashOf(parseJson(fields.get('vp_token')!)))
  })

  test("the hash over presentations is the verifier's", () => {
    // tests/identity/verifier/test_pseudonyms.py holds the same value.
    expect(hashOf({ b: ['x~y~'], a: ['é'] })).toBe('Zj6JpOWu1RedTs5bKVKViRGeoL4SBlJdi0KD1MwIOls')
  })

  test('one party sees one key however often, also after the card is renewed, and another party another', async () => {
    const first = keyIn(await answer('bar', 'required'))
    for (const card of await wallet.store.cards()) await wallet.store.removeCard(card)
    const offer = parseLink(world.issuer.offer(['resident-identity'], null).link) as Extract<Link, { kind: 'offer' }>
    await receiveOffer(await readOffer(offer), '', wallet)

    expect(keyIn(await answer('bar', 'required'))).toBe(first)
    expect(keyIn(await answer('bank', 'required'))).not.toBe(first)
  })

  test('it is no key of a card, and cannot be exported', async () => {
    const shown = keyIn(await answer('bar', 'required'))
    const cards = await wallet.store.cards()
    expect(cards.flatMap(({ copies }) => copies.map(({ keyId }) => keyId))).not.toContain(shown)
    const key = await wallet.store.pseudonymKey(world.parties.bar.did)
    expect(key.id).toBe(shown)
    expect(key.privateKey.extractable).toBe(false)
    await expect(crypto.subtle.exportKey('jwk', key.privateKey)).rejects.toThrow()
  })

  test('nothing leaves unasked, and what is only wanted leaves when she agrees', async () => {
    expect((await answer('bar', undefined, true)).has('pseudonym')).toBe(false)
    expect((await answer('bar', 'wanted')).has('pseudonym')).toBe(false)
    expect((await answer('bar', 'wanted', false)).has('pseudonym')).toBe(false)
    expect((await answer('bar', 'wanted', true)).has('pseudonym')).toBe(true)
    expect((await answer('bar', 'required')).has('pseudonym')).toBe(true)
  })

  test.each<[string, Json]>([
    ['another word', 'always'],
    ['no text', true],
    ['none in so many words', 'none'],
    ['null', null],
  ])('a request that says %s is refused', async (_name, value) => {
    await expect(read('bar', value)).rejects.toMatchObject({ code: 'request-invalid' })
    expect((await read('bar', 'wanted')).pseudonym).toBe('wanted') // its untouched twin
    expect((await read('bar', undefined)).pseudonym).toBe('none')
  })

  test('a party that did not register it is shown as asking too much, and gets none, whoever insists', async () => {
    for (const wish of ['wanted', 'required']) {
      const asked = await read('bar', wish, 'once')
      expect(asked.excess).toEqual([RECOGNITION])
      expect((await send(asked, true)).has('pseudonym')).toBe(false)
    }
    expect((await read('bar', undefined, 'once')).excess).toEqual([]) // its untouched twin
    expect((await read('bar', 'wanted')).excess).toEqual([])
  })

  test('two tabs that need it at the same time keep one key', async () => {
    const keys = await Promise.all([1, 2, 3].map(() => wallet.store.pseudonymKey('did:cairn:test:bar')))
    expect(new Set(keys.map(({ id }) => id)).size).toBe(1)
  })

  test('erasing the wallet loses it', async () => {
    const before = await wallet.store.pseudonymKey('did:cairn:test:bar')
    await wallet.store.erase()
    const after = await (await Store.open()).pseudonymKey('did:cairn:test:bar')
    expect(after.id).not.toBe(before.id)
  })
})

/** Written out once more, so that the page's own code is not compared with itself. */
function hashOf(tokens: Json): string {
  const hash = createHash('sha256')
  for (const part of ['cairn/pseudonym-presentations/v1', canonicalJson(tokens)]) {
    const bytes = Buffer.from(part, 'utf8')
    const length = Buffer.alloc(8)
    length.writeBigUInt64BE(BigInt(bytes.length))
    hash.update(length).update(bytes)
  }
  return hash.digest('base64url')
}
