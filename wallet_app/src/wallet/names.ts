/**
 * Who is behind a client identifier (OpenID4VP 1.0 §5.9.3), whatever its prefix.
 *
 * The party always is one on the ledger: it names itself by its DID, or its request names it in
 * `verifier_info`, and then the key that signed must be one that the ledger lists for that party.
 * A certificate or another DID adds a name to that key; neither adds trust.
 */
import { base64Decode, base64urlDecode, base64urlEncode, equalBytes, isObject, parseJsonObject, utf8, utf8Decode } from '../shared/encoding'
import type { Json, JsonObject } from '../shared/encoding'
import { readLeaf, type Leaf } from '../shared/certificate'
import { labelledHash, sha256 } from '../shared/hashing'
import type { UnverifiedJws } from '../shared/jose'
import { parseJwk, type PublicKey } from '../shared/keys'
import { Problem } from '../shared/problem'
import type { Registry } from '../shared/registry'

const BY_DID = 'decentralized_identifier:'
const MATCHING_DIGITS = 4

export interface Asker {
  readonly did: string
  readonly key: PublicKey
}

/**
 * The party and its key; the signature is still to be checked under that key.
 *
 * @throws Problem 'party-unknown' when nobody on the ledger is behind it, 'signature' when the key
 *   is another's.
 */
export async function whoAsks(clientId: string, jws: UnverifiedJws, registry: Registry): Promise<Asker> {
  const { kid } = jws.header
  if (clientId.startsWith(`${BY_DID}did:cairn:`)) {
    const did = clientId.slice(BY_DID.length)
    if (typeof kid !== 'string' || kid.split('#')[0] !== did) throw new Problem('signature', 'key of another party')
    return { did, key: await registry.key(kid, 'authentication') }
  }
  const did = namedParty(jws.payload.verifier_info)
  if (did === null) throw new Problem('party-unknown', 'nobody on the ledger is named')
  const key = await keyBehind(clientId, jws, did, registry)
  const listed = await registry.keys(did, 'authentication')
  if (!listed.some((one) => one.type === key.type && equalBytes(one.data, key.data))) {
    throw new Problem('signature', 'key of another party')
  }
  return { did, key }
}

/** The digits that the other screen shows as well. */
export function matchingCode(clientId: string, nonce: string): string {
  const hash = labelledHash('cairn/matching-code/v1', utf8(clientId), utf8(nonce))
  const value = new DataView(hash.buffer, hash.byteOffset, 8).getBigUint64(0)
  return String(value % BigInt(10 ** MATCHING_DIGITS)).padStart(MATCHING_DIGITS, '0')
}

async function keyBehind(clientId: string, jws: UnverifiedJws, did: string, registry: Registry): Promise<PublicKey> {
  const at = clientId.indexOf(':')
  const [prefix, name] = [clientId.slice(0, at), clientId.slice(at + 1)]
  const { kid } = jws.header
  if (prefix === 'x509_hash') {
    const der = leafOf(jws.header)
    if (base64urlEncode(sha256(der)) !== name) throw new Problem('signature', 'another certificate')
    return readLeaf(der).key
  }
  if (prefix === 'x509_san_dns') {
    const leaf: Leaf = readLeaf(leafOf(jws.header))
    const answersTo = typeof jws.payload.response_uri === 'string' ? hostOf(jws.payload.response_uri) : ''
    if (!leaf.dnsNames.includes(name) || answersTo !== name) throw new Problem('signature', 'another host')
    return leaf.key
  }
  if (prefix === 'decentralized_identifier' && name.startsWith('did:jwk:') && kid === `${name}#0`) {
    return parseJwk(parseJsonObject(utf8Decode(base64urlDecode(name.slice('did:jwk:'.length)))))
  }
  if (prefix === 'decentralized_identifier' && name.startsWith('did:web:') && typeof kid === 'string') {
    const [webDid, fragment] = kid.split('#') as [string, string | undefined]
    const known = (await registry.didRecord(did)).alsoKnownAs
    if (webDid === name && fragment && Array.isArray(known) && known.includes(name)) {
      return registry.key(`${did}#${fragment}`, 'authentication')
    }
  }
  // redirect_uri is unsigned: it says where an answer would go, and nothing about who asks.
  throw new Problem('party-unknown', prefix)
}

function leafOf(header: JsonObject): Uint8Array<ArrayBuffer> {
  const chain = header.x5c
  if (!Array.isArray(chain) || typeof chain[0] !== 'string' || chain.length > 5) throw new Problem('signature', 'no x5c')
  return base64Decode(chain[0])
}

function hostOf(address: string): string {
  try {
    return new URL(address).hostname
  } catch {
    return ''
  }
}

function namedParty(info: Json | undefined): string | null {
  for (const entry of Array.isArray(info) ? info.slice(0, 16) : []) {
    if (!isObject(entry) || entry.format !== 'cairn-registration/1' || !isObject(entry.data)) continue
    if (typeof entry.data.party === 'string' && entry.data.party.startsWith('did:cairn:')) return entry.data.party
  }
  return null
}
