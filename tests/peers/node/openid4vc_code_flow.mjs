// A wallet made of @openid4vc/openid4vci: the authorization code flow, and what an agency defers.
//
// Input:  { offer, configuration, copies, code, birthDate, redirectUri, decide?: { url, key }, rootPem, resolver }
// Output: { flow, tokenType, expiresIn, deferred, credentials: [...], keys: [...], again: error|null, notified }
import { Openid4vciClient } from '@openid4vc/openid4vci'
import { clientAuthenticationAnonymous } from '@openid4vc/oauth2'
import { answer, Keys, makeCallbacks, readInput, signWith } from './callbacks.mjs'
import { atThePage } from './citizen.mjs'

const input = await readInput()
const keys = new Keys()
const nonces = []
const fetcher = async (url, init) => {
  const response = await fetch(url, init)
  if (response.headers.get('dpop-nonce')) nonces.push(new URL(url).pathname)
  return response
}
const callbacks = makeCallbacks({
  keys,
  rootPem: input.rootPem,
  resolver: input.resolver,
  fetcher,
  clientAuthentication: clientAuthenticationAnonymous(),
})
callbacks.signJwt = async (signer, { header, payload }) => ({
  jwt: await signWith(await keys.privateOf(signer.publicJwk), header, payload),
  signerJwk: signer.publicJwk,
})
const client = new Openid4vciClient({ callbacks })
const clientId = 'https://wallet.example'

const credentialOffer = await client.resolveCredentialOffer(input.offer)
const issuerMetadata = await client.resolveIssuerMetadata(credentialOffer.credential_issuer)
const { credentialIssuer } = issuerMetadata
const dpopJwk = await keys.make()
const dpop = { signer: { method: 'jwk', alg: 'ES256', publicJwk: dpopJwk } }
const begun = await client.initiateAuthorization({
  clientId,
  redirectUri: input.redirectUri,
  scope: credentialIssuer.credential_configurations_supported[input.configuration].scope,
  credentialOffer,
  issuerMetadata,
  dpop,
})

const url = await atThePage(begun.authorizationRequestUrl, input)

const authorizationServerMetadata = issuerMetadata.authorizationServers[0]
const back = client.parseAndVerifyAuthorizationResponseRedirectUrl({ url, authorizationServerMetadata })
const token = await client.retrieveAuthorizationCodeAccessTokenFromOffer({
  issuerMetadata,
  credentialOffer,
  authorizationCode: back.code,
  pkceCodeVerifier: begun.pkce.codeVerifier,
  redirectUri: input.redirectUri,
  additionalRequestPayload: { client_id: clientId },
  dpop: begun.dpop ?? dpop,
})
const access = { accessToken: token.accessTokenResponse.access_token, dpop: token.dpop }

const { c_nonce: nonce } = await client.requestNonce({ issuerMetadata })
const holders = []
const jwts = []
for (let copy = 0; copy < input.copies; copy += 1) {
  const publicJwk = await keys.make()
  holders.push(publicJwk)
  const signer = { method: 'jwk', alg: 'ES256', publicJwk }
  const options = { issuerMetadata, credentialConfigurationId: input.configuration, signer, nonce, issuedAt: new Date(), clientId }
  jwts.push((await client.createCredentialRequestJwtProof(options)).jwt)
}
const request = { issuerMetadata, ...access, credentialConfigurationId: input.configuration, proofs: { jwt: jwts } }
let { credentialResponse, dpop: after } = await client.retrieveCredentials(request)
let deferred = false
if (credentialResponse.transaction_id) {
  deferred = true
  const fetchAgain = () =>
    client.retrieveDeferredCredentials({
      issuerMetadata,
      ...access,
      dpop: { ...access.dpop, ...after },
      transactionId: credentialResponse.transaction_id,
    })
  const waiting = await fetchAgain()
  if (waiting.deferredCredentialResponse.transaction_id !== credentialResponse.transaction_id) throw new Error('another transaction')
  const decided = await fetch(input.decide.url, {
    method: 'POST',
    headers: { authorization: `Bearer ${input.decide.key}`, 'content-type': 'application/json' },
    body: JSON.stringify({ decision: 'issue' }),
  })
  if (decided.status !== 204) throw new Error(`not decided: ${decided.status}`)
  credentialResponse = (await fetchAgain()).deferredCredentialResponse
}
let again = null
try {
  await client.retrieveCredentials(request)
} catch (error) {
  again = error.response?.credentialErrorResponseResult?.data?.error ?? String(error)
}
let notified = false
if (credentialResponse.notification_id) {
  const notification = { notificationId: credentialResponse.notification_id, event: 'credential_accepted' }
  await client.sendNotification({ issuerMetadata, ...access, dpop: { ...access.dpop, ...after }, notification })
  notified = true
}
answer({
  flow: begun.authorizationFlow,
  requestUrl: begun.authorizationRequestUrl,
  tokenType: token.accessTokenResponse.token_type,
  deferred,
  nonces,
  credentials: credentialResponse.credentials.map((entry) => entry.credential ?? entry),
  keys: holders,
  again,
  notified,
})
