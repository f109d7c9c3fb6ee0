/**
 * A stand-in ledger for development and tests: a state map, a log, signed heads. It decides nothing;
 * whatever is put into it is a record. Written apart from `src/`, so that the two check each other.
 */
import { createHash, generateKeyPairSync, randomBytes, sign } from 'node:crypto'

export const sha256 = (...parts) => {
  const hash = createHash('sha256')
  parts.forEach((part) => hash.update(part))
  return hash.digest()
}

export const b64u = (data) => Buffer.from(data).toString('base64url')

export function labelled(label, ...parts) {
  const framed = [Buffer.from(label), ...parts].flatMap((part) => {
    const length = Buffer.alloc(8)
    length.writeBigUInt64BE(BigInt(part.length))
    return [length, part]
  })
  return sha256(...framed)
}

export function jcs(value) {
  if (Array.isArray(value)) return `[${value.map(jcs).join(',')}]`
  if (value === null || typeof value !== 'object') return JSON.stringify(value)
  const names = Object.keys(value).sort()
  return `{${names.map((name) => `${JSON.stringify(name)}:${jcs(value[name])}`).join(',')}}`
}

/** RFC 9162 tree, by its definition (§2.1.1 and §2.1.3.1): slow and plain. */
export const leafHash = (data) => sha256(Buffer.of(0), data)
const split = (n) => 2 ** Math.floor(Math.log2(n - 1))
export function treeRoot(leaves) {
  if (leaves.length === 0) return sha256()
  if (leaves.length === 1) return leaves[0]
  const k = split(leaves.length)
  return sha256(Buffer.of(1), treeRoot(leaves.slice(0, k)), treeRoot(leaves.slice(k)))
}
export function treePath(leaves, index) {
  if (leaves.length <= 1) return []
  const k = split(leaves.length)
  return index < k
    ? [...treePath(leaves.slice(0, k), index), treeRoot(leaves.slice(k))]
    : [...treePath(leaves.slice(k), index - k), treeRoot(leaves.slice(0, k))]
}
/** RFC 9162 §2.1.4.1: that the first `m` leaves are a tree of their own, and the others follow. */
export function treeGrowth(leaves, m, whole = true) {
  if (m === leaves.length) return whole ? [] : [treeRoot(leaves)]
  const k = split(leaves.length)
  return m <= k
    ? [...treeGrowth(leaves.slice(0, k), m, whole), treeRoot(leaves.slice(k))]
    : [...treeGrowth(leaves.slice(k), m - k, false), treeRoot(leaves.slice(0, k))]
}

const EMPTY = Buffer.alloc(32)
const bit = (hash, depth) => (hash[depth >> 3] >> (7 - (depth & 7))) & 1

export class Ledger {
  constructor(network = 'demo') {
    this.network = network
    this.records = new Map()
    this.entries = []
    this.height = 0
    this.key = generateKeyPairSync('ed25519')
    this.name = `${network}.operator`
    const raw = Buffer.from(this.key.publicKey.export({ format: 'jwk' }).x, 'base64url')
    this.typedKey = Buffer.concat([Buffer.of(1), raw])
    this.keyId = sha256(Buffer.from(`${this.name}\n`), this.typedKey).subarray(0, 4)
    this.put('network', { record: 'network', network })
  }

  get anchor() {
    const key = `${this.name}+${this.keyId.toString('hex')}+${this.typedKey.toString('base64')}`
    return {
      type: 'cairn-trust-anchor/1',
      network: this.network,
      heads: { keys: [key], threshold: 1 },
      roots: [`did:cairn:${this.network}:root`],
    }
  }

  newDid() {
    return `did:cairn:${this.network}:z${randomBytes(12).toString('hex')}`
  }

  put(key, record) {
    this.height += 1
    this.time = Math.floor(Date.now() / 1000)
    const whole = { ...record, height: this.height, time: this.time }
    this.records.set(key, whole)
    this.entries.push(Buffer.from(jcs({ height: this.height, transaction: { key } })))
    return whole
  }

  head() {
    const text =
      `cairn/${this.network}\n${this.entries.length}\n` +
      `${treeRoot(this.entries.map(leafHash)).toString('base64')}\n` +
      `height ${this.height}\ntime ${this.time}\nstate ${this.#subtree(this.#leaves(), 0).toString('base64')}\n`
    const signature = sign(null, Buffer.from(text), this.key.privateKey)
    return `${text}\n\u2014 ${this.name} ${Buffer.concat([this.keyId, signature]).toString('base64')}\n`
  }

  consistency(first, second) {
    const leaves = this.entries.slice(0, second).map(leafHash)
    return { first, second, path: treeGrowth(leaves, first).map(b64u) }
  }

  prove(key) {
    const target = labelled('cairn/map-key/v1', Buffer.from(key))
    const path = []
    let leaves = this.#leaves()
    let depth = 0
    while (leaves.length > 1) {
      const side = bit(target, depth)
      const other = leaves.filter(([hash]) => bit(hash, depth) !== side)
      leaves = leaves.filter(([hash]) => bit(hash, depth) === side)
      depth += 1
      path.unshift(b64u(this.#subtree(other, depth)))
    }
    const proof = { key, path, bits: depth }
    if (leaves.length === 1 && !leaves[0][0].equals(target)) {
      proof.other = { keyhash: b64u(leaves[0][0]), valuehash: b64u(leaves[0][1]) }
    }
    return { key, record: this.records.get(key) ?? null, proof, head: this.head() }
  }

  #leaves() {
    return [...this.records].map(([key, record]) => [
      labelled('cairn/map-key/v1', Buffer.from(key)),
      sha256(Buffer.from(jcs(record))),
    ])
  }

  #subtree(leaves, depth) {
    if (leaves.length === 0) return EMPTY
    if (leaves.length === 1) return labelled('cairn/map-leaf/v1', ...leaves[0])
    const half = (side) => this.#subtree(leaves.filter(([hash]) => bit(hash, depth) === side), depth + 1)
    return labelled('cairn/map-node/v1', half(0), half(1))
  }
}
