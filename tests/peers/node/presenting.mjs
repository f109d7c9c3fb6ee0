// Makes presentations with libraries that we did not write: @sd-jwt, @digitalbazaar/vc, jose.
import { createHash, randomBytes } from 'node:crypto'
import { SDJwtVcInstance } from '@sd-jwt/sd-jwt-vc'
import { algOf, didJwk, signWith } from './callbacks.mjs'

const hasher = (data, alg) => createHash(alg.replace('-', '')).update(data).digest()

/** An SD-JWT VC with the claims at `paths`, bound to audience and nonce by the holder's key. */
export async function presentSdJwt(credential, { paths, jwk, audience, nonce }) {
  const sdJwt = new SDJwtVcInstance({
    hasher,
    hashAlg: 'sha-256',
    saltGenerator: (length) => randomBytes(length).toString('base64url'),
    kbSignAlg: algOf(jwk),
    kbSigner: async (data) => {
      const [header, payload] = data.split('.').map((part) => Buffer.from(part, 'base64url').toString())
      return (await signWith(jwk, JSON.parse(header), JSON.parse(payload))).split('.')[2]
    },
  })
  const frame = {}
  for (const path of paths) {
    path.reduce((node, part, at) => (node[part] = at === path.length - 1 ? true : (node[part] ?? {})), frame)
  }
  return sdJwt.present(credential, frame, {
    kb: { payload: { iat: Math.floor(Date.now() / 1000), aud: audience, nonce } },
  })
}

/** A W3C presentation of data model 1.1 as a JWT. */
export async function presentJwt(credential, { jwk, audience, nonce }) {
  const { d, ...publicJwk } = jwk
  const did = didJwk(publicJwk)
  const now = Math.floor(Date.now() / 1000)
  return signWith(
    jwk,
    { alg: algOf(jwk), typ: 'JWT', kid: `${did}#0` },
    {
      iss: did,
      aud: audience,
      nonce,
      iat: now,
      nbf: now,
      exp: now + 120,
      vp: {
        '@context': ['https://www.w3.org/2018/credentials/v1'],
        type: ['VerifiablePresentation'],
        holder: did,
        verifiableCredential: [credential],
      },
    },
  )
}
