// W3C presentations and credentials with @digitalbazaar/vc.
import * as Ed25519Multikey from '@digitalbazaar/ed25519-multikey'
import * as EcdsaMultikey from '@digitalbazaar/ecdsa-multikey'
import { cryptosuite as eddsa } from '@digitalbazaar/eddsa-rdfc-2022-cryptosuite'
import { cryptosuite as ecdsa } from '@digitalbazaar/ecdsa-rdfc-2019-cryptosuite'
import { DataIntegrityProof } from '@digitalbazaar/data-integrity'
import * as vc from '@digitalbazaar/vc'
import { didJwk } from './callbacks.mjs'

/** Serves the contexts that it was given and nothing else. */
export function loaderOf(contexts) {
  return async (url) => {
    if (!(url in contexts)) throw new Error(`no context ${url}`)
    return { contextUrl: null, documentUrl: url, document: contexts[url] }
  }
}

/** A signed presentation, with domain and challenge, by a holder whose DID is a did:key of its key. */
export async function presentLinkedData(credential, { jwk, audience, nonce, contexts }) {
  const isEd25519 = jwk.crv === 'Ed25519'
  const multikey = isEd25519 ? Ed25519Multikey : EcdsaMultikey
  const pair = isEd25519
    ? await Ed25519Multikey.fromJwk({ jwk, secretKey: true })
    : await EcdsaMultikey.fromJwk({ jwk, secretKey: true })
  const { publicKeyMultibase } = await pair.export({ publicKey: true })
  const did = `did:key:${publicKeyMultibase}`
  pair.controller = did
  pair.id = `${did}#${publicKeyMultibase}`
  const presentation = vc.createPresentation({ verifiableCredential: [credential], holder: did, verify: false })
  return vc.signPresentation({
    presentation,
    suite: new DataIntegrityProof({ signer: pair.signer(), cryptosuite: isEd25519 ? eddsa : ecdsa }),
    domain: audience,
    challenge: nonce,
    documentLoader: loaderOf(contexts),
  })
}

export { didJwk }
