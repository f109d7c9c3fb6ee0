// What @openid4vc libraries leave to the wallet: keys, signatures, certificates, encryption.
import { createHash, createPublicKey, randomBytes, X509Certificate } from 'node:crypto'
import { setGlobalConfig } from '@openid4vc/utils'
import * as jose from 'jose'

setGlobalConfig({ allowInsecureUrls: true }) // the tests' installation listens on loopback

export const thumbprint = (jwk) => jose.calculateJwkThumbprint(jwk)
const publicOf = ({ d, ...jwk }) => jwk

/** Private keys in memory, found by the thumbprint of their public half. */
export class Keys {
  constructor(jwks = []) {
    this.jwks = jwks
  }
  async make(crv = 'P-256') {
    const options = { extractable: true, crv: crv === 'Ed25519' ? 'Ed25519' : undefined }
    const { privateKey } = await jose.generateKeyPair(crv === 'Ed25519' ? 'EdDSA' : 'ES256', options)
    const jwk = await jose.exportJWK(privateKey)
    this.jwks.push(jwk)
    return publicOf(jwk)
  }
  async privateOf(publicJwk) {
    const wanted = await thumbprint(publicJwk)
    for (const jwk of this.jwks) if ((await thumbprint(jwk)) === wanted) return jwk
    throw new Error('the wallet does not hold this key')
  }
}

export const algOf = (jwk) => (jwk.crv === 'Ed25519' ? 'EdDSA' : 'ES256')

export async function signWith(jwk, header, payload) {
  const key = await jose.importJWK(jwk, header.alg)
  const text = new TextEncoder().encode(JSON.stringify(payload))
  return new jose.CompactSign(text).setProtectedHeader(header).sign(key)
}

export const didJwk = (jwk) => `did:jwk:${Buffer.from(JSON.stringify(jwk)).toString('base64url')}`

/** The key that a DID URL names: did:jwk by itself, others from the resolver or from their https address. */
export async function keyOfDid(didUrl, resolver) {
  const [did] = didUrl.split('#')
  if (did.startsWith('did:jwk:')) return JSON.parse(Buffer.from(did.slice(8), 'base64url').toString())
  const address = did.startsWith('did:web:')
    ? `https://${did.slice(8).split(':').map(decodeURIComponent).join('/')}/did.json`
    : `${resolver}/1.0/identifiers/${did}`
  const answer = await fetch(address, { headers: { Accept: 'application/did' } })
  if (!answer.ok) throw new Error(`${address}: ${answer.status}`)
  const document = await answer.json()
  const method = document.verificationMethod.find(({ id }) => id === didUrl)
  if (!method) throw new Error(`${did} has no such key`)
  if (method.publicKeyJwk) return method.publicKeyJwk
  return jwkOfMultikey(method.publicKeyMultibase)
}

async function jwkOfMultikey(publicKeyMultibase) {
  const EcdsaMultikey = await import('@digitalbazaar/ecdsa-multikey')
  const key = await EcdsaMultikey.from({ type: 'Multikey', publicKeyMultibase })
  return EcdsaMultikey.toJwk({ keyPair: key })
}

/** The key of the leaf, when the chain leads to the root. */
export function keyOfChain(x5c, rootPem) {
  const chain = x5c.map((text) => new X509Certificate(Buffer.from(text, 'base64')))
  const root = new X509Certificate(rootPem)
  const above = [...chain.slice(1), root]
  chain.forEach((certificate, index) => {
    if (!certificate.checkIssued(above[index]) || !certificate.verify(above[index].publicKey)) {
      throw new Error('the certificate does not lead to the root')
    }
    if (new Date(certificate.validTo) < new Date() || new Date(certificate.validFrom) > new Date()) {
      throw new Error('a certificate is not valid now')
    }
    if (certificate.issuer === certificate.subject) throw new Error('the chain holds a root')
  })
  return chain[0].publicKey.export({ format: 'jwk' })
}

export function makeCallbacks({ keys, rootPem, resolver, clientAuthentication, fetcher = fetch, decryptionJwk }) {
  const keyOf = async (signer) => {
    if (signer.method === 'jwk') return signer.publicJwk
    if (signer.method === 'did') return keyOfDid(signer.didUrl, resolver)
    if (signer.method === 'x5c') return keyOfChain(signer.x5c, rootPem)
    throw new Error(`no signer by ${signer.method}`)
  }
  return {
    fetch: fetcher,
    hash: (data, alg) => createHash(alg.replace('-', '')).update(data).digest(),
    generateRandom: (bytes) => randomBytes(bytes),
    clientAuthentication,
    signJwt: async (signer, { header, payload }) => {
      const publicJwk = await keyOf(signer)
      const jwt = await signWith(await keys.privateOf(publicJwk), header, payload)
      return { jwt, signerJwk: publicJwk }
    },
    verifyJwt: async (signer, { compact }) => {
      const jwk = await keyOf(signer)
      try {
        await jose.compactVerify(compact, await jose.importJWK(jwk, signer.alg))
        return { verified: true, signerJwk: jwk }
      } catch {
        return { verified: false }
      }
    },
    encryptJwe: async (encryptor, data) => {
      const key = await jose.importJWK(encryptor.publicJwk, encryptor.alg)
      const header = { alg: encryptor.alg, enc: encryptor.enc, kid: encryptor.publicJwk.kid }
      const jwe = new jose.CompactEncrypt(new TextEncoder().encode(data)).setProtectedHeader(header)
      const text = (value) => Buffer.from(value, 'base64url')
      jwe.setKeyManagementParameters({
        ...(encryptor.apu ? { apu: text(encryptor.apu) } : {}),
        ...(encryptor.apv ? { apv: text(encryptor.apv) } : {}),
      })
      return { encryptionJwk: encryptor.publicJwk, jwe: await jwe.encrypt(key) }
    },
    decryptJwe: async (text) => {
      const { plaintext } = await jose.compactDecrypt(text, await jose.importJWK(decryptionJwk, 'ECDH-ES'))
      return { decrypted: true, decryptionJwk, payload: new TextDecoder().decode(plaintext) }
    },
    getX509CertificateMetadata: (text) => {
      const names = (new X509Certificate(Buffer.from(text, 'base64')).subjectAltName ?? '').split(', ')
      const of = (kind) => names.filter((name) => name.startsWith(`${kind}:`)).map((name) => name.slice(kind.length + 1))
      return { sanDnsNames: of('DNS'), sanUriNames: of('URI') }
    },
  }
}

export async function readInput() {
  const parts = []
  for await (const part of process.stdin) parts.push(part)
  return JSON.parse(Buffer.concat(parts).toString())
}

export function answer(value) {
  process.stdout.write(JSON.stringify(value))
}

export function publicKeyPem(jwk) {
  return createPublicKey({ key: jwk, format: 'jwk' }).export({ type: 'spki', format: 'pem' })
}
