// A Credo agent whose keys and records live in memory; its own adapters need native code.
import {
  createCipheriv, createDecipheriv, createHash, createPrivateKey, createPublicKey, diffieHellman,
  generateKeyPairSync, randomBytes, randomUUID, sign, verify,
} from 'node:crypto'
import { EventEmitter } from 'node:events'
import * as core from '@credo-ts/core'
import { OpenId4VcModule } from '@credo-ts/openid4vc'

const { Agent, InjectionSymbols, Kms, X509Module } = core

class Records {
  supportsCursorPagination = false
  kept = new Map()

  async save(_context, record) {
    if (this.kept.has(record.id)) throw new core.RecordDuplicateError('there is one', { recordType: record.type })
    this.kept.set(record.id, record)
  }
  async update(_context, record) {
    this.kept.set(record.id, record)
  }
  async delete(_context, record) {
    this.kept.delete(record.id)
  }
  async deleteById(_context, _class, id) {
    this.kept.delete(id)
  }
  async getById(_context, recordClass, id) {
    const found = this.kept.get(id)
    if (!found) throw new core.RecordNotFoundError('there is none', { recordType: recordClass.type })
    return found
  }
  async getAll(_context, recordClass) {
    return [...this.kept.values()].filter(({ type }) => type === recordClass.type)
  }
  async findByQuery(context, recordClass, query) {
    return (await this.getAll(context, recordClass)).filter((record) => matches(record.getTags(), query))
  }
}

function matches(tags, query) {
  const { $or, $and, $not, ...equal } = query
  if ($or && !$or.some((one) => matches(tags, one))) return false
  if ($and && !$and.every((one) => matches(tags, one))) return false
  if ($not && matches(tags, $not)) return false
  return Object.entries(equal).every(([name, wanted]) =>
    wanted === undefined
      ? true
      : Array.isArray(wanted)
        ? wanted.every((value) => [tags[name]].flat().includes(value))
        : [tags[name]].flat().includes(wanted),
  )
}

class Keys {
  backend = 'memory'
  kept = new Map()

  isOperationSupported(_context, operation) {
    if (operation.operation === 'sign' || operation.operation === 'verify') return ['ES256', 'EdDSA', 'Ed25519'].includes(operation.algorithm)
    if (operation.operation === 'createKey') return ['P-256', 'Ed25519'].includes(operation.type.crv)
    if (operation.operation === 'encrypt') return ['A128GCM', 'A256GCM'].includes(operation.encryption.algorithm)
    if (operation.operation === 'decrypt') return ['A128GCM', 'A256GCM'].includes(operation.decryption.algorithm)
    return ['randomBytes', 'importKey', 'deleteKey'].includes(operation.operation)
  }
  async getPublicKey(_context, keyId) {
    const found = this.kept.get(keyId)
    return found ? this.publicOf(keyId, found) : null
  }
  publicOf(keyId, { d, ...jwk }) {
    return { ...jwk, kid: keyId }
  }
  async createKey(_context, { keyId = randomUUID(), type }) {
    const pair = type.crv === 'Ed25519' ? generateKeyPairSync('ed25519') : generateKeyPairSync('ec', { namedCurve: 'P-256' })
    this.kept.set(keyId, pair.privateKey.export({ format: 'jwk' }))
    return { keyId, publicJwk: this.publicOf(keyId, this.kept.get(keyId)) }
  }
  async importKey(_context, { privateJwk }) {
    const keyId = privateJwk.kid ?? randomUUID()
    this.kept.set(keyId, privateJwk)
    return { keyId, publicJwk: this.publicOf(keyId, privateJwk) }
  }
  async deleteKey(_context, { keyId }) {
    return this.kept.delete(keyId)
  }
  async sign(_context, { keyId, algorithm, data }) {
    const key = createPrivateKey({ key: this.kept.get(keyId), format: 'jwk' })
    const how = algorithm === 'ES256' ? { key, dsaEncoding: 'ieee-p1363' } : key
    return { signature: new Uint8Array(sign(algorithm === 'ES256' ? 'sha256' : null, data, how)) }
  }
  async verify(_context, { key, algorithm, data, signature }) {
    const publicJwk = key.publicJwk ?? (await this.getPublicKey(null, key.keyId))
    const object = createPublicKey({ key: publicJwk, format: 'jwk' })
    const how = algorithm === 'ES256' ? { key: object, dsaEncoding: 'ieee-p1363' } : object
    return verify(algorithm === 'ES256' ? 'sha256' : null, data, how, signature) ? { verified: true, publicJwk } : { verified: false }
  }
  contentKey({ keyAgreement }, enc, peerJwk) {
    const privateKey = createPrivateKey({ key: this.kept.get(keyAgreement.keyId), format: 'jwk' })
    const secret = diffieHellman({ privateKey, publicKey: createPublicKey({ key: peerJwk, format: 'jwk' }) })
    const number = (value) => Buffer.from([0, 0, value >> 8, value & 255])
    const bits = enc === 'A256GCM' ? 256 : 128
    const part = (value) => Buffer.concat([number(value?.length ?? 0), value ?? Buffer.of()])
    const info = Buffer.concat([part(Buffer.from(enc)), part(keyAgreement.apu), part(keyAgreement.apv), number(bits)])
    return createHash('sha256').update(Buffer.concat([number(1), secret, info])).digest().subarray(0, bits / 8)
  }
  async encrypt(_context, { key, encryption, data }) {
    const content = this.contentKey(key, encryption.algorithm, key.keyAgreement.externalPublicJwk)
    const iv = encryption.iv ?? randomBytes(12)
    const cipher = createCipheriv(content.length === 32 ? 'aes-256-gcm' : 'aes-128-gcm', content, iv)
    if (encryption.aad) cipher.setAAD(encryption.aad)
    const encrypted = Buffer.concat([cipher.update(data), cipher.final()])
    return { encrypted: new Uint8Array(encrypted), iv: new Uint8Array(iv), tag: new Uint8Array(cipher.getAuthTag()) }
  }
  async decrypt(_context, { key, decryption, encrypted }) {
    const content = this.contentKey(key, decryption.algorithm, key.keyAgreement.externalPublicJwk)
    const cipher = createDecipheriv(content.length === 32 ? 'aes-256-gcm' : 'aes-128-gcm', content, decryption.iv)
    if (decryption.aad) cipher.setAAD(decryption.aad)
    cipher.setAuthTag(decryption.tag)
    return { data: new Uint8Array(Buffer.concat([cipher.update(encrypted), cipher.final()])) }
  }
  randomBytes(_context, { length }) {
    return new Uint8Array(randomBytes(length))
  }
}

class NoFiles {
  dataPath = '/nowhere'
  cachePath = '/nowhere'
  tempPath = '/nowhere'
}

/** An initialized agent that trusts `roots`, PEM or base64 certificates, for whatever they sign. */
export async function makeAgent({ roots, openid4vc = {} }) {
  const dependencyManager = new core.DependencyManager()
  dependencyManager.registerInstance(InjectionSymbols.StorageService, new Records())
  const agent = new Agent(
    {
      config: { allowInsecureHttpUrls: true, autoUpdateStorageOnStartup: true, ...(process.env.CREDO_LOG ? { logger: new core.ConsoleLogger(0) } : {}) },
      dependencies: { FileSystem: NoFiles, EventEmitterClass: EventEmitter, fetch, WebSocketClass: class {} },
      modules: {
        kms: new Kms.KeyManagementModule({ backends: [new Keys()] }),
        x509: new X509Module({ trustedCertificates: roots }),
        openid4vc: new OpenId4VcModule(openid4vc),
      },
    },
    dependencyManager,
  )
  await agent.initialize()
  return agent
}
