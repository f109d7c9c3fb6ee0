// A wallet made of Credo. One JSON message a line in, one a line out:
//   { roots }                                        -> { ready }
//   { offer, txCode, configuration, did? }           -> { format, count }
//   { link }                                         -> { ok, status, body }
import { createInterface } from 'node:readline'
import { DidJwk, Kms } from '@credo-ts/core'
import { makeAgent } from './credo_agent.mjs'

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

async function receive({ offer, txCode, configuration, did }) {
  const { holder } = agent.openid4vc
  const resolvedCredentialOffer = await holder.resolveCredentialOffer(offer)
  const token = await holder.requestToken({ resolvedCredentialOffer, txCode })
  const { credentials } = await holder.requestCredentials({
    resolvedCredentialOffer,
    ...token,
    credentialConfigurationIds: [configuration],
    credentialBindingResolver: async () => {
      const made = await agent.kms.createKey({ type: { kty: 'EC', crv: 'P-256' } })
      const publicJwk = Kms.PublicJwk.fromPublicJwk(made.publicJwk)
      if (!did) return { method: 'jwk', keys: [publicJwk] }
      const created = await agent.dids.create({ method: 'jwk', options: { keyId: made.keyId } })
      return { method: 'did', didUrls: [`${created.didState.did}#0`] }
    },
  })
  for (const { record } of credentials) {
    if (record.type === 'SdJwtVcRecord') await agent.sdJwtVc.store({ record })
    else if (record.type === 'W3cCredentialRecord') await agent.w3cCredentials.store({ record })
    else await agent.w3cV2Credentials.store({ record })
  }
  return { format: credentials[0].record.type, count: credentials.length }
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
