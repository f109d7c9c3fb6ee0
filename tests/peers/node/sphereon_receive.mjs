// A wallet made of Sphereon's OpenID4VCI client (draft 15): a pre-authorized offer, or the code flow.
//
// Input:  { offer, txCode?, configuration, citizen?: { code, birthDate, redirectUri } }
// Output: { tokenType, credentials: [...], jwk }
import { OpenID4VCIClientV1_0_15 } from '@sphereon/oid4vci-client'
import { answer, Keys, readInput, signWith } from './callbacks.mjs'
import { atThePage } from './citizen.mjs'

const log = console.log
console.log = console.debug = console.info = () => undefined // it talks on standard output
const input = await readInput()
const keys = new Keys()
const jwk = await keys.make()
const { citizen } = input
const client = await OpenID4VCIClientV1_0_15.fromURI({
  uri: input.offer,
  clientId: 'test-wallet',
  ...(citizen
    ? { authorizationRequest: { redirectUri: citizen.redirectUri }, pkce: { codeChallengeMethod: 'S256' } }
    : {}),
})
let token
if (citizen) {
  const url = await atThePage(client.authorizationURL ?? (await client.createAuthorizationRequestUrl()), citizen)
  token = await client.acquireAccessToken({ authorizationResponse: url, redirectUri: citizen.redirectUri })
} else token = await client.acquireAccessToken(input.txCode ? { pin: input.txCode } : {})
const response = await client.acquireCredentials({
  credentialConfigurationId: input.configuration,
  format: 'dc+sd-jwt',
  alg: 'ES256',
  jwk,
  proofCallbacks: {
    signCallback: async ({ header, payload }) => signWith(await keys.privateOf(jwk), header, payload),
  },
})
console.log = log
answer({
  tokenType: token.token_type,
  credentials: (response.credentials ?? [response]).map((entry) => entry.credential ?? entry),
  jwk,
})
