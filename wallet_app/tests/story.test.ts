/** The wallet against the stand-in servers: from offer to answer, and everything that must fail. */
import { generateKeyPairSync } from 'node:crypto'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { parseJson, type Json, type JsonObject } from '../src/shared/encoding'
import { Registry } from '../src/shared/registry'
import { parseSdJwt } from '../src/shared/sd_jwt'
import { anchorCard, isAnchored } from '../src/wallet/anchoring'
import type { Card } from '../src/wallet/cards'
import { parseLink, type Link } from '../src/wallet/links'
import { readOffer } from '../src/wallet/offers'
import { answerRequest, choicesFor } from '../src/wallet/presenting'
import { receiveOffer } from '../src/wallet/receiving'
import { declineRequest, readRequest } from '../src/wallet/requests'
import { checkStatus } from '../src/wallet/status'
import { jws, p256, peek } from '../dev/actors.mjs'
import { newWallet, startWorld, type World } from './world'

let world: World
let close: () => void
let wallet: Awaited<ReturnType<typeof newWallet>>

beforeAll(async () => {
  ;({ world, close } = await startWorld())
})
afterAll(() => close())
beforeEach(async () => {
  wallet = await newWallet(world)
  world.issuer.setStatus(0)
})

const offerLink = (text: string) => parseLink(text) as Extract<Link, { kind: 'offer' }>
const requestLink = (text: string) => parseLink(text) as Extract<Link, { kind: 'request' }>

async function receive(around = wallet): Promise<Card> {
  const offer = await readOffer(offerLink(world.issuer.offer(['resident-identity'], '493536').link))
  const [card] = await receiveOffer(offer, '493536', around)
  return card as Card
}

/** A fetch that changes what comes back from addresses that match. */
function tampering(pattern: RegExp, change: (text: string) => string): typeof fetch {
  return async (input, init) => {
    const answer = await fetch(input, init)
    if (!pattern.test(String(input))) return answer
    return new Response(change(await answer.text()), { status: answer.status, headers: answer.headers })
  }
}

const foreignPoint = generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.export({ format: 'jwk' }) as { x: string; y: string }

const inJson = (change: (body: JsonObject) => void) => (text: string) => {
  const body = JSON.parse(text) as JsonObject
  change(body)
  return JSON.stringify(body)
}

describe('receiving', () => {
  test('gives five copies under five keys that cannot be exported', async () => {
    const card = await receive()

    expect(card.copies).toHaveLength(5)
    expect(new Set(card.copies.map(({ keyId }) => keyId)).size).toBe(5)
    const key = await wallet.store.key((card.copies[0] as Card['copies'][number]).keyId)
    expect(key.privateKey.extractable).toBe(false)
    await expect(crypto.subtle.exportKey('jwk', key.privateKey)).rejects.toThrow()
    expect(card.claims.family_name).toBe('李')
    expect(card.name).toMatchObject({ 'en-US': 'Resident identity' })
    expect((await wallet.store.cards()).map(({ id }) => id)).toEqual([card.id])
    expect(world.notifications.at(-1)).toMatchObject({ event: 'credential_accepted' })
  })

  test('a wrong code is said to be wrong, a used offer to be used', async () => {
    const link = offerLink(world.issuer.offer(['resident-identity'], '493536').link)
    const offer = await readOffer(link)
    await expect(receiveOffer(offer, '000000', wallet)).rejects.toMatchObject({ code: 'tx-code' })
    await receiveOffer(offer, '493536', wallet)
    await expect(readOffer(link)).rejects.toMatchObject({ code: 'offer-used' })
  })

  test.each<[string, RegExp, (body: JsonObject) => void]>([
    ['metadata of another issuer', /openid-credential-issuer/, (body) => (body.credential_issuer = 'https://evil.example')],
    ['another authorization server', /oauth-authorization-server/, (body) => (body.issuer = 'https://evil.example')],
    ['an unsafe endpoint', /openid-credential-issuer/, (body) => (body.credential_endpoint = 'http://evil.example/c')],
    ['an offer of nothing', /offers/, (body) => (body.credential_configuration_ids = [])],
    ['an unknown configuration', /offers/, (body) => (body.credential_configuration_ids = ['nothing'])],
    ['an offer without a code', /offers/, (body) => (body.grants = {})],
  ])('%s is refused', async (_name, pattern, change) => {
    const link = offerLink(world.issuer.offer(['resident-identity'], null).link)
    await expect(readOffer(link, tampering(pattern, inJson(change)))).rejects.toThrow()
    await readOffer(link) // its untouched twin
  })

  test('receipts of another issuer or type do not fit a card', async () => {
    const card = await receive()
    await new Promise((resolve) => setTimeout(resolve, 50))
    await expect(anchorCard({ ...card, issuerDid: 'did:cairn:demo:other' }, wallet)).rejects.toThrow('another issuer')
    await expect(anchorCard({ ...card, vct: 'https://h/schemas/degree/1' }, wallet)).rejects.toThrow('another type')
  })

  test('a token of another kind than we can use is refused', async () => {
    const offer = await readOffer(offerLink(world.issuer.offer(['resident-identity'], null).link))
    const fetcher = tampering(/\/token$/, inJson((body) => (body.token_type = 'DPoP')))
    await expect(receiveOffer(offer, '', { ...wallet, fetcher })).rejects.toMatchObject({ code: 'malformed' })
  })

  const credentials = (change: (list: { credential: string }[]) => Json) =>
    inJson((body) => (body.credentials = change(body.credentials as unknown as { credential: string }[])))

  test.each<[string, (text: string) => string, string]>([
    ['a copy twice', credentials((list) => [list[0]!, list[0]!] as never), 'credential-invalid'],
    ['no copies', credentials(() => []), 'credential-invalid'],
    ['more copies than keys', credentials((list) => [...list, list[0]!] as never), 'credential-invalid'],
    ['a changed disclosure', credentials((list) => list.map(({ credential }) => ({ credential: credential.slice(0, -30) + 'A'.repeat(29) + '~' }))), 'malformed'],
    ['a broken signature', credentials((list) => list.map(({ credential }) => ({ credential: credential.replace(/\.([\w-])[\w-]{5}/g, '.$1AAAAA') }))), ''],
  ])('%s is not kept', async (_name, change, code) => {
    const offer = await readOffer(offerLink(world.issuer.offer(['resident-identity'], null).link))
    const fetcher = tampering(/\/credential$/, change)
    await expect(receiveOffer(offer, '', { ...wallet, fetcher })).rejects.toMatchObject(code ? { code } : {})
    expect(await wallet.store.cards()).toEqual([])
    expect(world.notifications.at(-1)).toMatchObject({ event: 'credential_failure' })
  })

  test.each<[string, JsonObject, string]>([
    ['says another address', { alsoKnownAs: ['https://evil.example'] }, 'credential-invalid'],
    ['lists the key for another purpose', { verificationMethods: [{ purposes: ['authentication'] }] }, 'party-unknown'],
    ['is deactivated', { deactivated: true }, 'party-unknown'],
  ])('an issuer whose DID %s is not believed', async (_name, change, code) => {
    const offer = await readOffer(offerLink(world.issuer.offer(['resident-identity'], null).link))
    const honest = (await wallet.registry.record(`did/${world.issuer.did}`)) as JsonObject
    const method = (honest.verificationMethods as JsonObject[])[0] as JsonObject
    const methods = change.verificationMethods as JsonObject[] | undefined
    const changed = methods ? { verificationMethods: [{ ...method, ...methods[0] }] } : change
    world.ledger.put(`did/${world.issuer.did}`, { ...honest, ...changed })
    await expect(receiveOffer(offer, '', wallet)).rejects.toMatchObject({ code })
    world.ledger.put(`did/${world.issuer.did}`, honest)
  })

  test.each<[string, JsonObject]>([
    ['another issuer', { iss: 'https://evil.example' }],
    ['another type', { vct: 'https://evil.example/schemas/king/1' }],
    ['an end in the past', { exp: 1_700_000_000 }],
    ['a beginning in the future', { nbf: 4_000_000_000 }],
    ['a key of somebody else', { cnf: { jwk: { kty: 'EC', crv: 'P-256', ...foreignPoint } } }],
    ['no anchor', { anchor: 'x' }],
  ])('a credential that names %s is not kept, though it is signed', async (_name, change) => {
    const offer = await readOffer(offerLink(world.issuer.offer(['resident-identity'], null).link))
    world.issuer.change = change
    await expect(receiveOffer(offer, '', wallet)).rejects.toThrow()
    world.issuer.change = {}
    expect(await wallet.store.cards()).toEqual([])
  })
})

describe('anchoring', () => {
  test('every copy gets a receipt, checked here', async () => {
    const card = await receive()
    await new Promise((resolve) => setTimeout(resolve, 50))

    const anchored = await anchorCard(card, wallet)

    expect(isAnchored(anchored)).toBe(true)
    expect(anchored.anchoredAt).toBeGreaterThan(1e9)
    expect((await wallet.store.card(card.id))?.anchoredAt).toBe(anchored.anchoredAt)
  })

  test.each<[string, (body: JsonObject) => void]>([
    ['an index', (body) => (body.index = Number(body.index) + 1)],
    ['a count', (body) => ((body.batch as JsonObject).count = 9)],
    ['an issuer', (body) => ((body.batch as JsonObject).issuer = 'did:cairn:demo:other')],
    ['a head', (body) => (body.head = String(body.head).replace(/time \d/, 'time 9'))],
  ])('a receipt with %s changed is not kept', async (_name, change) => {
    const card = await receive()
    await new Promise((resolve) => setTimeout(resolve, 50))
    const fetcher = tampering(/\/receipts\//, inJson(change))
    await expect(anchorCard(card, { ...wallet, fetcher })).rejects.toMatchObject({ code: 'proof' })
    expect((await wallet.store.card(card.id))?.copies.every(({ receipt }) => receipt === null)).toBe(true)
  })

  test('a receipt that is not ready is waited for', async () => {
    const card = await receive()
    const fetcher: typeof fetch = async () => new Response('{}', { status: 404 })
    expect(isAnchored(await anchorCard(card, { ...wallet, fetcher }))).toBe(false)
  })
})

describe('status', () => {
  test('follows the issuer', async () => {
    const card = await receive()
    expect(await checkStatus(card, wallet)).toMatchObject({ state: 'valid' })
    world.issuer.setStatus(2)
    expect(await checkStatus(card, wallet)).toMatchObject({ state: 'suspended' })
    world.issuer.setStatus(1)
    expect(await checkStatus(card, wallet)).toMatchObject({ state: 'revoked' })
  })

  test('a list that another institution on the ledger signed says nothing', async () => {
    const card = await receive()
    const key = p256()
    const did = `${world.issuer.did}x`
    const verificationMethods = [{ fragment: 'jose-1', publicKeyMultibase: key.multikey, purposes: ['assertionMethod'] }]
    world.ledger.put(`did/${did}`, { record: 'did', did, deactivated: false, verificationMethods, alsoKnownAs: [] })
    const resigned = (kid: string) => (text: string) => jws({ ...peek(text).header, kid }, peek(text).payload, key.privateKey)
    const foreign = tampering(/\/status\//, resigned(`${did}#jose-1`))
    await expect(checkStatus(card, { ...wallet, fetcher: foreign })).rejects.toMatchObject({ code: 'signature', detail: 'list of another issuer' })
    const forged = tampering(/\/status\//, resigned(`${world.issuer.did}#jose-1`))
    await expect(checkStatus(card, { ...wallet, fetcher: forged })).rejects.toMatchObject({ code: 'signature' })
  })

  test('a server that cannot answer is not a lie', async () => {
    const card = await receive()
    const fetcher: typeof fetch = async () => new Response('{}', { status: 503 })
    await expect(checkStatus(card, { ...wallet, fetcher })).rejects.toMatchObject({ code: 'server' })
    await expect(anchorCard(card, { ...wallet, fetcher })).rejects.toMatchObject({ code: 'server' })
    await wallet.registry.trustAnchor()
    await expect(new Registry(`${world.base}/registry`, wallet.store, fetcher).record('network')).rejects.toMatchObject({ code: 'server' })
  })

  test.each<[string, JsonObject]>([
    ['of another address', { sub: 'https://evil.example' }],
    ['that is out of date', { exp: 1_700_000_000 }],
    ['with odd bits', { status_list: { bits: 3, lst: 'eJw' } }],
  ])('a list %s says nothing, though it is signed', async (_name, change) => {
    const card = await receive()
    world.issuer.change = change
    await expect(checkStatus(card, wallet)).rejects.toThrow()
    world.issuer.change = {}
    await checkStatus(card, wallet) // the untouched twin
  })

  test('a list that is not signed by the issuer says nothing', async () => {
    const card = await receive()
    const fetcher = tampering(/\/status\//, (text) => text.slice(0, -8) + 'AAAAAAAA')
    await expect(checkStatus(card, { ...wallet, fetcher })).rejects.toThrow()
  })
})

describe('registry', () => {
  test('heads may not go back', async () => {
    let old = ''
    const keep: typeof fetch = async (input, init) => {
      const answer = await fetch(input, init)
      old ||= await answer.clone().text()
      return answer
    }
    await wallet.registry.trustAnchor()
    await new Registry(`${world.base}/registry`, wallet.store, keep).record('network')
    world.ledger.put('something/new', { record: 'x' })
    await wallet.registry.record('something/new')
    const replay: typeof fetch = async () => new Response(old)
    await expect(new Registry(`${world.base}/registry`, wallet.store, replay).record('network')).rejects.toThrow('older state')
  })

  test('another registry under the same address is noticed', async () => {
    await wallet.registry.trustAnchor()
    const other = await startWorld()
    await expect(new Registry(`${other.world.base}/registry`, wallet.store).record('network')).rejects.toMatchObject({ code: 'anchor-changed' })
    other.close()
  })

  test('what is not proven is not absent', async () => {
    const lie = tampering(/\/records/, inJson((body) => (body.record = null)))
    await expect(new Registry(`${world.base}/registry`, wallet.store, lie).record(`did/${world.issuer.did}`)).rejects.toThrow()
  })
})

describe('showing', () => {
  async function ask(party: 'bar' | 'bank' | 'stranger', purpose: string) {
    const asked = world.parties[party].ask(purpose)
    return { link: requestLink(asked.link), kept: world.parties[party].requests.get(asked.request)! }
  }

  test('only what was asked leaves, under a key that this party alone sees', async () => {
    const card = await anchorCard(await receive(), wallet)
    const { link, kept } = await ask('bar', 'age-check')

    const asked = await readRequest(link, wallet)
    expect(asked).toMatchObject({ excess: [], party: { name: 'The Copper Kettle' } })
    const [found] = choicesFor(asked, [card], wallet.now())
    const choice = found!.options[0]!
    expect(choice.shown).toEqual({ age_over_18: true })
    expect(choice.hidden).toContain('family_name')
    await answerRequest(asked, [choice], wallet)

    expect(kept.result.state).toBe('answered')
    expect(kept.result.verdict).toMatchObject({ verified: true, credentials: [{ claims: { age_over_18: true } }] })
    expect(Object.keys(((kept.result.verdict!.credentials as JsonObject[])[0]!.claims) as JsonObject)).toEqual(['age_over_18'])
    const stored = (await wallet.store.card(card.id)) as Card
    expect(stored.copies.filter(({ parties }) => parties.length > 0)).toHaveLength(1)

    const second = await ask('bank', 'account-opening')
    const again = await readRequest(second.link, wallet)
    const other = choicesFor(again, [stored], wallet.now())[0]!.options[0]!
    expect(other.copyIndex).not.toBe(choice.copyIndex)
    const third = await readRequest((await ask('bar', 'age-check')).link, wallet)
    expect(choicesFor(third, [stored], wallet.now())[0]!.options[0]!.copyIndex).toBe(choice.copyIndex)
  })

  test('the holder binding is about this request alone', async () => {
    const card = await receive()
    const { link, kept } = await ask('bar', 'age-check')
    const asked = await readRequest(link, wallet)
    let sent = ''
    const spy: typeof fetch = async (input, init) => {
      sent = String(init?.body)
      return fetch(input, init)
    }
    await answerRequest(asked, [choicesFor(asked, [card], wallet.now())[0]!.options[0]!], { ...wallet, fetcher: spy })

    const fields = new URLSearchParams(sent)
    expect([...fields.keys()].sort()).toEqual(['anchor_receipts', 'state', 'vp_token'])
    const token = (parseJson(fields.get('vp_token')!) as Record<string, string[]>).c0![0]!
    const binding = token.slice(token.lastIndexOf('~') + 1).split('.')
    expect(JSON.parse(Buffer.from(binding[0]!, 'base64url').toString())).toEqual({ alg: 'ES256', typ: 'kb+jwt' })
    expect(JSON.parse(Buffer.from(binding[1]!, 'base64url').toString())).toMatchObject({ aud: kept.clientId, nonce: kept.nonce })
    expect(parseSdJwt(token.slice(0, token.lastIndexOf('~') + 1)).disclosures).toHaveLength(1)
  })

  test('a copy that another tab has spent meanwhile is not sent to a second party', async () => {
    const card = await receive()
    const toBar = await readRequest((await ask('bar', 'age-check')).link, wallet)
    const toBank = await readRequest((await ask('bank', 'account-opening')).link, wallet)
    const first = choicesFor(toBar, [card], wallet.now())[0]!.options[0]!
    const second = choicesFor(toBank, [card], wallet.now())[0]!.options[0]!
    expect(second.copyIndex).toBe(first.copyIndex)
    await answerRequest(toBar, [first], wallet)
    await expect(answerRequest(toBank, [second], wallet)).rejects.toMatchObject({ code: 'unexpected' })
    expect((await wallet.store.card(card.id))!.copies[first.copyIndex]!.parties).toEqual([toBar.did])
  })

  test('a copy is spent before it leaves, even when nothing arrives', async () => {
    const card = await receive()
    const asked = await readRequest((await ask('bar', 'age-check')).link, wallet)
    const choice = choicesFor(asked, [card], wallet.now())[0]!.options[0]!
    const broken: typeof fetch = async () => {
      throw new TypeError('network')
    }
    await expect(answerRequest(asked, [choice], { ...wallet, fetcher: broken })).rejects.toMatchObject({ code: 'offline' })
    expect((await wallet.store.card(card.id))!.copies[choice.copyIndex]!.parties).toEqual([asked.did])
  })

  test('asking for more than registered, or without registration, is noticed', async () => {
    await receive()
    const nosy = await readRequest((await ask('bar', 'nosy')).link, wallet)
    expect(nosy.excess).toEqual(['birth_date', 'family_name'])
    const stranger = await readRequest((await ask('stranger', 'prize')).link, wallet)
    expect(stranger).toMatchObject({ party: null, why: null })
  })

  test('refusing tells the party no more than that', async () => {
    const { link, kept } = await ask('bar', 'age-check')
    await declineRequest(await readRequest(link, wallet))
    expect(kept.result).toEqual({ state: 'declined' })
  })

  test('revoked and expired cards, and wrong values, answer nothing', async () => {
    const card = await receive()
    const asked = await readRequest((await ask('bar', 'age-check')).link, wallet)
    const none = (code: string, cards: Card[], now = wallet.now()) =>
      expect(() => choicesFor(asked, cards, now)).toThrow(code)
    none('nothing-fits', [])
    none('nothing-fits', [{ ...card, vct: 'other' }])
    none('card-dead', [{ ...card, status: { state: 'revoked', checkedAt: 1 } }])
    none('card-dead', [card], (card.expiresAt as number) + 1)
    choicesFor(asked, [card], wallet.now()) // the untouched twin
  })

  test.each<[string, JsonObject, string]>([
    ['another client id', { client_id: 'decentralized_identifier:did:cairn:demo:x' }, 'request-invalid'],
    ['an audience', { aud: 'https://evil.example' }, 'request-invalid'],
    ['a foreign iss', { iss: 'did:cairn:demo:other' }, 'request-invalid'],
    ['another response type', { response_type: 'code' }, 'request-invalid'],
    ['another response mode', { response_mode: 'fragment' }, 'request-invalid'],
    ['an unsafe response address', { response_uri: 'http://evil.example' }, 'insecure-address'],
    ['a short nonce', { nonce: 'abc' }, 'request-invalid'],
    ['an end in the past', { exp: 1_700_000_000 }, 'request-expired'],
    ['no end', { exp: null }, 'request-invalid'],
    ['a beginning in the future', { iat: 4_000_000_000 }, 'request-invalid'],
    ['a redirect beside the response address', { redirect_uri: 'https://a.example' }, 'request-invalid'],
    ['no response address', { response_uri: null }, 'request-invalid'],
    ['a state that is no text', { state: 5 }, 'request-invalid'],
    ['transaction data', { transaction_data: ['x'] }, 'request-invalid'],
    ['no query', { dcql_query: null }, 'request-invalid'],
  ])('a request with %s is refused, though it is signed', async (_name, change, code) => {
    const { link, kept } = await ask('bar', 'age-check')
    const signed = world.parties.bar.object(kept, change)
    const fetcher = tampering(/\/object$/, () => signed)
    await expect(readRequest(link, { ...wallet, fetcher })).rejects.toMatchObject({ code })
    await readRequest(link, wallet) // its untouched twin
  })

  test.each([
    [404, 'request-expired'],
    [410, 'request-expired'],
    [503, 'server'],
    [429, 'server'],
    [400, 'request-invalid'],
  ])('status %i instead of a request is said to be %s', async (status, code) => {
    const { link } = await ask('bar', 'age-check')
    const fetcher: typeof fetch = async () => new Response('{}', { status })
    await expect(readRequest(link, { ...wallet, fetcher })).rejects.toMatchObject({ code })
  })

  test('a request that another party signed is refused', async () => {
    const { link, kept } = await ask('bar', 'age-check')
    const foreign = world.parties.bank.object(kept)
    await expect(readRequest(link, { ...wallet, fetcher: tampering(/\/object$/, () => foreign) })).rejects.toMatchObject({ code: 'signature' })
    const forged = (text: string) => text.slice(0, -8) + 'AAAAAAAA'
    await expect(readRequest(link, { ...wallet, fetcher: tampering(/\/object$/, forged) })).rejects.toMatchObject({ code: 'signature' })
    const bare = { ...link, clientId: link.clientId.replace(/[^:]+$/, 'nobody') }
    await expect(readRequest(bare, wallet)).rejects.toMatchObject({ code: 'signature' })
    await expect(readRequest({ ...link, clientId: 'redirect_uri:https://a' }, wallet)).rejects.toMatchObject({ code: 'party-unknown' })
  })
})
