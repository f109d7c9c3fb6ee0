// A wallet made of @openid4vc/openid4vci: takes a credential offer.
//
// Input:  { offer, txCode?, configuration, copies, binding: 'jwk'|'did:jwk'|'did:key', crv?, dpop?, notify?, resolver, rootPem }
// Output: { cards: [{ format, credential, jwk, types? }], tokenType, notified, batchSize }
import { Openid4vciClient } from '@openid4vc/openid4vci'
import { clientAuthenticationAnonymous, clientAuthenticationNone } from '@openid4vc/oauth2'
import * as Ed25519Multikey from '@digitalbazaar/ed25519-multikey'
import * as EcdsaMultikey from '@digitalbazaar/ecdsa-multikey'
import { atThePage, decided } from './citizen.mjs'
import { algOf, answer, didJwk, Keys, makeCallbacks, readInput, signWith } from './callbacks.mjs'

const input = await readInput()
let pushed = false
const keys = new Keys()
const callbacks = makeCallbacks({
  keys,
  rootPem: input.rootPem,
  resolver: input.resolver,
  clientAuthentication: input.identify
    ? clientAuthenticationNone({ clientId: 'wallet-of-others' })
    : clientAuthenticationAnonymous(),
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
const dpop = dpopJwk ? { signer: { method: 'jwk', alg: 'ES256', publicJwk: dpopJwk } } : undefined
const token = input.identify
  ? await tokenByCode(input.identify)
  : await client.retrievePreAuthorizedCodeAccessTokenFromOffer({ credentialOffer, issuerMetadata, txCode: input.txCode ?? undefined, dpop })
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
let { credentialResponse } = await client.retrieveCredentials({
  issuerMetadata,
  ...access,
  credentialConfigurationId: input.configuration,
  proofs: { jwt: jwts },
})
let waited = 0
if (credentialResponse.transaction_id) {
  const transactionId = credentialResponse.transaction_id
  await decided(input.decide)
  for (; !credentialResponse.credentials; waited += 1) {
    await new Promise((resolve) => setTimeout(resolve, 1000))
    const answered = await client.retrieveDeferredCredentials({ issuerMetadata, ...access, transactionId })
    credentialResponse = answered.deferredCredentialResponse
    if (waited > 20) throw new Error('the deferred credential never came')
  }
}
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
  waited,
  pushed,
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

/** The authorization code flow: pushed request, the citizen at the page, the code. */
async function tokenByCode({ code, birthDate }) {
  const redirectUri = 'http://127.0.0.1:1/back'
  const request = await client.createAuthorizationRequestUrlFromOffer({
    credentialOffer,
    issuerMetadata,
    clientId: 'wallet-of-others',
    redirectUri,
    scope: issuerMetadata.credentialIssuer.credential_configurations_supported[input.configuration].scope,
    dpop,
  })
  pushed = request.authorizationRequestUrl.includes('request_uri=urn')
  const back = await atThePage(request.authorizationRequestUrl, { code, birthDate })
  const { code: authorizationCode } = client.parseAndVerifyAuthorizationResponseRedirectUrl({
    url: back,
    authorizationServerMetadata: issuerMetadata.authorizationServers[0],
  })
  return client.retrieveAuthorizationCodeAccessTokenFromOffer({
    issuerMetadata,
    credentialOffer,
    authorizationCode,
    pkceCodeVerifier: request.pkce?.codeVerifier,
    redirectUri,
    dpop: request.dpop ?? dpop,
  })
}

async function didUrlOf(publicJwk) {
  if (input.binding === 'did:jwk') return `${didJwk(publicJwk)}#0`
  const multikey = publicJwk.crv === 'Ed25519' ? Ed25519Multikey : EcdsaMultikey
  const pair = await multikey.fromJwk({ jwk: publicJwk })
  const { publicKeyMultibase } = await pair.export({ publicKey: true })
  return `did:key:${publicKeyMultibase}#${publicKeyMultibase}`
}
