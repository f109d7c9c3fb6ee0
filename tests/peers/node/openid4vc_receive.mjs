// A wallet made of @openid4vc/openid4vci: takes a credential offer.
//
// Input:  { offer, txCode?, configuration, copies, binding: 'jwk'|'did:jwk'|'did:key', crv?, dpop?, notify?, resolver, rootPem }
// Output: { cards: [{ format, credential, jwk, types? }], tokenType, notified, batchSize }
import { Openid4vciClient } from '@openid4vc/openid4vci'
import { clientAuthenticationAnonymous } from '@openid4vc/oauth2'
import * as Ed25519Multikey from '@digitalbazaar/ed25519-multikey'
import * as EcdsaMultikey from '@digitalbazaar/ecdsa-multikey'
import { algOf, answer, didJwk, Keys, makeCallbacks, readInput, signWith } from './callbacks.mjs'

const input = await readInput()
const keys = new Keys()
const callbacks = makeCallbacks({
  keys,
  rootPem: input.rootPem,
  resolver: input.resolver,
  clientAuthentication: clientAuthenticationAnonymous(),
})
const dids = new Map()
callbacks.signJwt = async (signer, { header, payload }) => {
  const publicJwk = signer.method === 'did' ? dids.get(signer.didUrl) : signer.publicJwk
  return { jwt: await signWith(await keys.privateOf(publicJwk), header, payload), signerJwk: publicJwk }
}
const client = new Openid4vciClient({ callbacks })

const credentialOffer = await client.resolveCredentialOffer(input.offer)
const issuerMetadata = await client.resolveIssuerMetadata(credentialOffer.credential_issuer)
const dpopJwk = input.dpop ? await keys.make() : undefined
const token = await client.retrievePreAuthorizedCodeAccessTokenFromOffer({
  credentialOffer,
  issuerMetadata,
  txCode: input.txCode,
  dpop: dpopJwk ? { signer: { method: 'jwk', alg: 'ES256', publicJwk: dpopJwk } } : undefined,
})
const access = { accessToken: token.accessTokenResponse.access_token, dpop: token.dpop }

const { c_nonce: nonce } = await client.requestNonce({ issuerMetadata })
const signers = []
for (let copy = 0; copy < input.copies; copy += 1) {
  const publicJwk = await keys.make(input.crv)
  if (input.binding === 'jwk') signers.push({ method: 'jwk', alg: algOf(publicJwk), publicJwk })
  else {
    const didUrl = await didUrlOf(publicJwk)
    dids.set(didUrl, publicJwk)
    signers.push({ method: 'did', alg: algOf(publicJwk), didUrl })
  }
}
const jwts = []
for (const signer of signers) {
  const { jwt } = await client.createCredentialRequestJwtProof({
    issuerMetadata,
    credentialConfigurationId: input.configuration,
    signer,
    nonce,
    issuedAt: new Date(),
  })
  jwts.push(jwt)
}
const { credentialResponse } = await client.retrieveCredentials({
  issuerMetadata,
  ...access,
  credentialConfigurationId: input.configuration,
  proofs: { jwt: jwts },
})
let notified = false
if (input.notify) {
  await client.sendNotification({
    issuerMetadata,
    ...access,
    notification: { notificationId: credentialResponse.notification_id, event: 'credential_accepted' },
  })
  notified = true
}
const { format } = issuerMetadata.credentialIssuer.credential_configurations_supported[input.configuration]
answer({
  tokenType: token.accessTokenResponse.token_type,
  originalDraft: issuerMetadata.originalDraftVersion,
  notified,
  batchSize: issuerMetadata.credentialIssuer.batch_credential_issuance?.batch_size,
  cards: await Promise.all(
    credentialResponse.credentials.map(async (entry, index) => {
      const credential = entry.credential ?? entry
      const signer = signers[index]
      const publicJwk = signer.method === 'did' ? dids.get(signer.didUrl) : signer.publicJwk
      return { format, credential, jwk: await keys.privateOf(publicJwk), did: signer.didUrl?.split('#')[0] }
    }),
  ),
})

async function didUrlOf(publicJwk) {
  if (input.binding === 'did:jwk') return `${didJwk(publicJwk)}#0`
  const multikey = publicJwk.crv === 'Ed25519' ? Ed25519Multikey : EcdsaMultikey
  const pair = await multikey.fromJwk({ jwk: publicJwk })
  const { publicKeyMultibase } = await pair.export({ publicKey: true })
  return `did:key:${publicKeyMultibase}#${publicKeyMultibase}`
}
