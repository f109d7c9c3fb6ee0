/** Requests under every client identifier, as our verifier signs them; and the answer's encryption. */
import { createECDH, createDecipheriv, createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { base64Decode, base64urlDecode, isObject, utf8Decode, type JsonObject } from '../src/shared/encoding'
import { readLeaf } from '../src/shared/certificate'
import { answerKey, encryptAnswer } from '../src/shared/jwe'
import { parseCompact, verifyCompact } from '../src/shared/jose'
import { parseMultikey, type PublicKey } from '../src/shared/keys'
import type { Registry } from '../src/shared/registry'
import { matchingCode, whoAsks } from '../src/wallet/names'
import { parseLink } from '../src/wallet/links'
import vectors from './vectors/names.json'

const OTHER = parseMultikey('zDnaeUKTWUXc1HDpGfKbEK31nKLN19yX5aunFd7VK1CUMeyJu')
const names = Object.keys(vectors.cases) as (keyof typeof vectors.cases)[]

function ledger(key: PublicKey = parseMultikey(vectors.key), known: string[] = [vectors.webDid]): Registry {
  return {
    key: async () => key,
    keys: async () => [OTHER, key],
    didRecord: async () => ({ alsoKnownAs: known }),
  } as unknown as Registry
}

describe.each(names)('a request under %s', (name) => {
  const { client_id: clientId, matching_code: code, request } = vectors.cases[name]
  const jws = parseCompact(request)

  it('leads to the registered party and to the key that signed', async () => {
    const { did, key } = await whoAsks(clientId, jws, ledger())
    expect(did).toBe(vectors.did)
    expect(verifyCompact(jws, key, 'oauth-authz-req+jwt').client_id).toBe(clientId)
  })

  it('shows the digits that the party was told', () => {
    expect(matchingCode(clientId, jws.payload.nonce as string)).toBe(code)
    expect(matchingCode(clientId, 'another nonce')).not.toBe(code)
  })

  it('is refused when the ledger lists another key for the party', async () => {
    const asked = whoAsks(clientId, jws, ledger(OTHER)).then(({ key }) => verifyCompact(jws, key, 'oauth-authz-req+jwt'))
    await expect(asked).rejects.toMatchObject({ code: 'signature' })
  })
})

describe('a name that does not fit its request', () => {
  it.each([
    ['x509_hash', 'x509_hash:AAAA', 'signature'],
    ['x509_san_dns', 'x509_san_dns:bar.example', 'signature'],
    ['did:jwk', 'decentralized_identifier:did:jwk:e30', 'party-unknown'],
    ['did:web', 'decentralized_identifier:did:web:bar.example', 'party-unknown'],
    ['x509_hash', 'redirect_uri:https://id.example/x', 'party-unknown'],
    ['x509_hash', 'somebody', 'party-unknown'],
  ] as const)('%s as %s', async (name, clientId, code) => {
    const jws = parseCompact(vectors.cases[name].request)
    await expect(whoAsks(clientId, jws, ledger())).rejects.toMatchObject({ code })
  })

  it('a did:web that the ledger does not know as the party’s', async () => {
    const { client_id: clientId, request } = vectors.cases['did:web']
    const asked = whoAsks(clientId, parseCompact(request), ledger(undefined, []))
    await expect(asked).rejects.toMatchObject({ code: 'party-unknown' })
  })

  it('a request that names nobody', async () => {
    const { client_id: clientId, request } = vectors.cases.x509_hash
    const jws = parseCompact(request)
    const { verifier_info: _, ...payload } = jws.payload
    await expect(whoAsks(clientId, { ...jws, payload }, ledger())).rejects.toMatchObject({ code: 'party-unknown' })
  })
})

describe('a certificate', () => {
  const [text] = parseCompact(vectors.cases.x509_hash.request).header.x5c as string[]
  const der = base64Decode(text as string)

  it('has the key and the names', () => {
    expect(readLeaf(der)).toEqual({ key: parseMultikey(vectors.key), dnsNames: ['id.example'] })
  })

  it('cut anywhere is none', () => {
    for (let length = 0; length < der.length; length += 1) {
      expect(() => readLeaf(der.slice(0, length))).toThrow(expect.objectContaining({ code: 'malformed' }))
    }
  })
})

describe('an encrypted answer', () => {
  it.each(['A256GCM', 'A128GCM'] as const)('opens under the key of the request with %s', async (enc) => {
    const receiver = createECDH('prime256v1')
    const point = receiver.generateKeys()
    const jwk = {
      kty: 'EC',
      crv: 'P-256',
      x: point.subarray(1, 33).toString('base64url'),
      y: point.subarray(33).toString('base64url'),
      use: 'enc',
      alg: 'ECDH-ES',
      kid: 'one',
    }
    const metadata = { jwks: { keys: [jwk] }, encrypted_response_enc_values_supported: [enc] }

    const text = await encryptAnswer({ state: 'abc' }, answerKey(metadata))

    const [header, key, iv, sealed, tag] = text.split('.') as [string, string, string, string, string]
    const said = JSON.parse(utf8Decode(base64urlDecode(header))) as JsonObject
    expect([key, said.alg, said.enc, said.kid]).toEqual(['', 'ECDH-ES', enc, 'one'])
    const epk = said.epk as { x: string; y: string }
    const shared = receiver.computeSecret(
      Buffer.concat([Buffer.of(4), Buffer.from(epk.x, 'base64url'), Buffer.from(epk.y, 'base64url')]),
    )
    const bits = enc === 'A256GCM' ? 256 : 128
    const number = (value: number) => Buffer.from([0, 0, value >> 8, value & 255])
    const info = Buffer.concat([number(7), Buffer.from(enc), number(0), number(0), number(bits)])
    const derived = createHash('sha256').update(Buffer.concat([number(1), shared, info])).digest()
    const cipher = createDecipheriv(bits === 256 ? 'aes-256-gcm' : 'aes-128-gcm', derived.subarray(0, bits / 8), Buffer.from(iv, 'base64url'))
    cipher.setAAD(Buffer.from(header))
    cipher.setAuthTag(Buffer.from(tag, 'base64url'))
    const opened = Buffer.concat([cipher.update(Buffer.from(sealed, 'base64url')), cipher.final()])
    expect(JSON.parse(opened.toString())).toEqual({ state: 'abc' })
  })

  it('is not made to a key that is none for it', () => {
    const other: JsonObject = { jwks: { keys: [{ kty: 'EC', crv: 'P-384', alg: 'ECDH-ES', kid: 'a' }] } }
    for (const metadata of [undefined, {} as JsonObject, other]) {
      expect(() => answerKey(metadata)).toThrow(expect.objectContaining({ code: 'request-invalid' }))
    }
  })

  it('passes over keys that we cannot use or read', () => {
    const { client_metadata: metadata } = parseCompact(vectors.cases.x509_hash.request).payload as { client_metadata: JsonObject }
    const [ours] = (metadata.jwks as { keys: JsonObject[] }).keys as [JsonObject]
    const others: JsonObject[] = [
      { kty: 'AKP', alg: 'ML-KEM-9999', pub: 'AAAA', kid: 'new', use: 'enc' },
      { kty: 'made-up', kid: 'x', use: 'enc', alg: 'ECDH-ES' },
      { ...ours, x: 'AAAA', kid: 'broken' },
      { ...ours, use: 'sig', kid: 'signs' },
    ]

    expect(answerKey({ ...metadata, jwks: { keys: [...others, ours] } }).jwk).toEqual(ours)
    expect(() => answerKey({ ...metadata, jwks: { keys: others } })).toThrow(expect.objectContaining({ code: 'request-invalid' }))
  })

  it('goes to the key that our verifier offers', () => {
    const { client_metadata: metadata } = parseCompact(vectors.cases.x509_hash.request).payload
    expect(isObject(metadata)).toBe(true)
    expect(answerKey(metadata).enc).toBe('A256GCM')
  })
})

describe('a link', () => {
  it('with the request in it, and one that is unsigned', () => {
    const by = (query: Record<string, string>) => parseLink(`openid4vp://?${new URLSearchParams(query)}`)
    expect(by({ client_id: 'x509_hash:a', request: 'a.b.c' })).toMatchObject({ kind: 'request', request: 'a.b.c', requestUri: null })
    const fetched = { client_id: 'x509_hash:a', request_uri: 'https://a' }
    expect(by(fetched)).toMatchObject({ post: false })
    expect(by({ ...fetched, request_uri_method: 'get' })).toMatchObject({ post: false })
    expect(by({ ...fetched, request_uri_method: 'post' })).toMatchObject({ post: true })
    for (const method of ['put', 'POST', '']) {
      expect(() => by({ ...fetched, request_uri_method: method })).toThrow(expect.objectContaining({ code: 'request-invalid' }))
    }
    expect(by({ client_id: 'redirect_uri:https://a', response_uri: 'https://a' })).toMatchObject({ request: null, requestUri: null })
  })
})
