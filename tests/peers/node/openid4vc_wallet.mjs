// A wallet made of @openid4vc/openid4vp, @sd-jwt and dcql: answers presentation requests.
//
// Input:  { rootPem, resolver, cards: [{ format, credential, jwk }], link, enc?, method? }
// Output: { version, clientPrefix, status, body, shown }
import { DcqlQuery } from 'dcql'
import { Openid4vpClient } from '@openid4vc/openid4vp'
import { clientAuthenticationNone } from '@openid4vc/oauth2'
import { SDJwtVcInstance } from '@sd-jwt/sd-jwt-vc'
import { createHash } from 'node:crypto'
import { answer, Keys, makeCallbacks, readInput } from './callbacks.mjs'
import { presentJwt, presentSdJwt } from './presenting.mjs'
import { presentLinkedData } from './linked_data.mjs'

const input = await readInput()
const keys = new Keys(input.cards.map((card) => card.jwk))
const client = new Openid4vpClient({
  callbacks: makeCallbacks({
    keys,
    rootPem: input.rootPem,
    resolver: input.resolver,
    clientAuthentication: clientAuthenticationNone({ clientId: 'wallet' }),
  }),
})

const { params } = client.parseOpenid4vpAuthorizationRequest({ authorizationRequest: input.link })
const resolved = await client.resolveOpenId4vpAuthorizationRequest({ authorizationRequestPayload: params })
const request = resolved.authorizationRequestPayload
const binding = { audience: request.client_id, nonce: request.nonce }

const sdJwt = new SDJwtVcInstance({ hasher: (data, alg) => createHash(alg.replace('-', '')).update(data).digest() })
const forQuery = async (card) => {
  if (card.format === 'dc+sd-jwt') {
    const claims = await sdJwt.getClaims(card.credential)
    return { credential_format: 'dc+sd-jwt', vct: claims.vct, claims, cryptographic_holder_binding: true }
  }
  if (card.format === 'jwt_vc_json') {
    const { vc } = JSON.parse(Buffer.from(card.credential.split('.')[1], 'base64url').toString())
    return { credential_format: 'jwt_vc_json', type: vc.type, claims: vc, cryptographic_holder_binding: true }
  }
  return {
    credential_format: 'ldp_vc',
    type: card.types,
    claims: card.credential,
    cryptographic_holder_binding: true,
  }
}
const query = DcqlQuery.parse(request.dcql_query)
DcqlQuery.validate(query)
const result = DcqlQuery.query(query, await Promise.all(input.cards.map(forQuery)))
if (!result.can_be_satisfied) throw new Error(`no card answers: ${JSON.stringify(result.credential_matches)}`)

const vpToken = {}
const shown = {}
for (const [id, match] of Object.entries(result.credential_matches)) {
  if (!match.success) continue
  const card = input.cards[match.valid_credentials[0].input_credential_index]
  const asked = query.credentials.find((one) => one.id === id)
  const paths = (asked.claims ?? []).map(({ path }) => path)
  if (card.format === 'dc+sd-jwt') vpToken[id] = [await presentSdJwt(card.credential, { ...binding, paths, jwk: card.jwk })]
  else if (card.format === 'jwt_vc_json') vpToken[id] = [await presentJwt(card.credential, { ...binding, jwk: card.jwk })]
  else vpToken[id] = [await presentLinkedData(card.credential, { ...binding, jwk: card.jwk, contexts: input.contexts })]
  shown[id] = paths
}

const created = await client.createOpenid4vpAuthorizationResponse({
  authorizationRequestPayload: request,
  authorizationResponsePayload: { vp_token: vpToken },
  ...(request.response_mode === 'direct_post.jwt'
    ? {
        jarm: {
          encryption: { nonce: Buffer.from('wallet nonce').toString('base64url') },
          serverMetadata: {
            authorization_signing_alg_values_supported: [],
            authorization_encryption_alg_values_supported: ['ECDH-ES'],
            authorization_encryption_enc_values_supported: [input.enc ?? 'A128GCM'],
          },
        },
      }
    : {}),
})
const submitted = await client.submitOpenid4vpAuthorizationResponse({
  authorizationRequestPayload: request,
  authorizationResponsePayload: created.authorizationResponsePayload,
  jarm: created.jarm,
})
answer({
  version: resolved.version,
  clientPrefix: resolved.client.prefix ?? resolved.client.scheme,
  responseMode: submitted.responseMode,
  status: submitted.response.status,
  body: await submitted.response.json(),
  shown,
})
