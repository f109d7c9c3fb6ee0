// A wallet made of Credo. One JSON message a line in, one a line out:
//   { roots }                                        -> { ready }
//   { offer, txCode, configuration, did? }           -> { format, count }
//   { link }                                         -> { ok, status, body }
import { createInterface } from 'node:readline'
import { DidJwk, Kms } from '@credo-ts/core'
import { atThePage, decided } from './citizen.mjs'
import { makeAgent } from './credo_agent.mjs'

const CLIENT = 'wallet-of-others'

const say = (value) => process.stdout.write(`${JSON.stringify(value)}\n`)
let agent

for await (const line of createInterface({ input: process.stdin })) {
  const message = JSON.parse(line)
  try {
    if (message.roots) {
      agent = await makeAgent(message)
      say({ ready: true })
    } else if (message.offer) say(await receive(message))
    else say(await present(message))
  } catch (error) {
    say({ error: `${error.name}: ${error.message}`, stack: String(error.stack).slice(0, 1500), cause: String(error.cause ?? '') })
  }
}

async function receive({ offer, txCode, configuration, did, copies = 1, identify, decide, notify }) {
  const { holder } = agent.openid4vc
  const resolvedCredentialOffer = await holder.resolveCredentialOffer(offer)
  const token = identify
    ? await tokenByCode(resolvedCredentialOffer, configuration, identify)
    : await holder.requestToken({ resolvedCredentialOffer, txCode: txCode ?? undefined })
  let { credentials, deferredCredentials } = await holder.requestCredentials({
    resolvedCredentialOffer,
    ...token,
    clientId: identify ? CLIENT : undefined,
    credentialConfigurationIds: [configuration],
    credentialBindingResolver: async () => {
      const made = []
      for (let copy = 0; copy < copies; copy += 1) made.push(await agent.kms.createKey({ type: { kty: 'EC', crv: 'P-256' } }))
      if (!did) return { method: 'jwk', keys: made.map(({ publicJwk }) => Kms.PublicJwk.fromPublicJwk(publicJwk)) }
      const created = await Promise.all(made.map(({ keyId }) => agent.dids.create({ method: 'jwk', options: { keyId } })))
      return { method: 'did', didUrls: created.map(({ didState }) => `${didState.did}#0`) }
    },
  })
  let waited = 0
  if (credentials.length === 0) {
    await decided(decide)
    const { metadata: issuerMetadata } = resolvedCredentialOffer
    for (; credentials.length === 0 && waited < 20; waited += 1) {
      await new Promise((resolve) => setTimeout(resolve, 1000))
      const { accessToken, dpop } = token
      const asked = await holder.requestDeferredCredentials({ issuerMetadata, accessToken, dpop, ...deferredCredentials[0] })
      credentials = asked.credentials
      deferredCredentials = asked.deferredCredentials.length ? asked.deferredCredentials : deferredCredentials
    }
  }
  for (const { record } of credentials) {
    if (record.type === 'SdJwtVcRecord') await agent.sdJwtVc.store({ record })
    else if (record.type === 'MdocRecord') await agent.mdoc.store({ record })
    else if (record.type === 'W3cCredentialRecord') await agent.w3cCredentials.store({ record })
    else await agent.w3cV2Credentials.store({ record })
  }
  let notified = false
  if (notify) {
    await holder.sendNotification({
      metadata: resolvedCredentialOffer.metadata,
      accessToken: token.accessToken,
      dpop: token.dpop,
      notificationId: credentials[0].notificationId,
      notificationEvent: 'credential_accepted',
    })
    notified = true
  }
  const [{ record }] = credentials
  return {
    format: record.type,
    count: credentials.length,
    instances: record.credentialInstances?.length ?? 1,
    tokenType: token.accessTokenResponse.token_type,
    waited,
    notified,
  }
}

/** The authorization code flow: pushed request, the citizen at the page, the code. */
async function tokenByCode(resolvedCredentialOffer, configuration, { code, birthDate }) {
  const { holder } = agent.openid4vc
  const redirectUri = 'http://127.0.0.1:1/back'
  const { scope } = resolvedCredentialOffer.offeredCredentialConfigurations[configuration]
  const asked = await holder.resolveOpenId4VciAuthorizationRequest(resolvedCredentialOffer, {
    clientId: CLIENT,
    redirectUri,
    scope: [scope],
  })
  const back = await atThePage(asked.authorizationRequestUrl, { code, birthDate })
  const { authorizationCode } = holder.parseAuthorizationCodeFromAuthorizationResponse({
    authorizationResponseRedirectUrl: back,
    resolvedCredentialOffer,
  })
  return holder.requestToken({
    resolvedCredentialOffer,
    clientId: CLIENT,
    redirectUri,
    code: authorizationCode,
    codeVerifier: asked.codeVerifier,
    dpop: asked.dpop,
  })
}

async function present({ link }) {
  const { holder } = agent.openid4vc
  const resolved = await holder.resolveOpenId4VpAuthorizationRequest(link)
  const credentials = holder.selectCredentialsForDcqlRequest(resolved.dcql.queryResult)
  const sent = await holder.acceptOpenId4VpAuthorizationRequest({
    authorizationRequestPayload: resolved.authorizationRequestPayload,
    dcql: { credentials },
  })
  return { ok: sent.ok, ...sent.serverResponse }
}
