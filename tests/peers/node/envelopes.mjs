// jose and @sd-jwt: verify enveloped credentials of ours, and sign their own.
// Input: {verify: [{name, kind, text, jwk, alg}], sign: {document}}; output: {verified, signed}.
import { createHash, randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { SDJwtInstance } from '@sd-jwt/core'
import { CompactSign, compactVerify, exportJWK, generateKeyPair, importJWK } from 'jose'

const asked = JSON.parse(readFileSync(0, 'utf8'))
const hasher = (data, alg) => createHash(alg.replace('-', '')).update(data).digest()
const text = new TextDecoder()

async function checked({ jwk, alg, text: token }) {
  const { payload, protectedHeader } = await compactVerify(token, await importJWK(jwk, alg), { algorithms: [alg] })
  return { payload: JSON.parse(text.decode(payload)), header: protectedHeader }
}

async function verify(one) {
  if (one.kind === 'jwt') return checked(one)
  const sdJwt = new SDJwtInstance({
    hasher,
    verifier: async (data, signature) =>
      checked({ ...one, text: `${data}.${signature}` }).then(() => true, () => false),
  })
  const { payload, header } = await sdJwt.verify(one.text)
  return { payload, header }
}

async function sign(alg) {
  const options = alg === 'EdDSA' ? { crv: 'Ed25519', extractable: true } : { extractable: true }
  const { publicKey, privateKey } = await generateKeyPair(alg, options)
  const jwk = await exportJWK(publicKey)
  const did = `did:jwk:${Buffer.from(JSON.stringify(jwk)).toString('base64url')}`
  const document = { ...asked.sign.document, issuer: did }
  const header = (typ) => ({ alg, typ, cty: 'vc', kid: `${did}#0` })
  const jws = async (typ, payload) =>
    new CompactSign(new TextEncoder().encode(JSON.stringify(payload))).setProtectedHeader(header(typ)).sign(privateKey)
  const sdJwt = new SDJwtInstance({
    hasher,
    hashAlg: 'sha-256',
    signAlg: alg,
    saltGenerator: (length) => randomBytes(length).toString('base64url'),
    signer: async (data) => {
      const payload = JSON.parse(Buffer.from(data.split('.')[1], 'base64url').toString())
      const again = await jws('vc+sd-jwt', payload)
      // Their library signs what it has serialised; so that text is signed here.
      const [head, body] = data.split('.')
      if (again.split('.')[0] === head && again.split('.')[1] === body) return again.split('.')[2]
      const { sign: rawSign, createPrivateKey } = await import('node:crypto')
      const key = createPrivateKey({ key: await exportJWK(privateKey), format: 'jwk' })
      const hash = { ES256: 'sha256', ES384: 'sha384', ES512: 'sha512', EdDSA: null }[alg]
      return rawSign(hash, Buffer.from(data), { key, dsaEncoding: 'ieee-p1363' }).toString('base64url')
    },
  })
  const frame = { credentialSubject: { _sd: ['name', 'languages'] } }
  const issued = await sdJwt.issue(document, frame, { header: header('vc+sd-jwt') })
  return { alg, did, jwt: await jws('vc+jwt', document), sd_jwt: issued }
}

const verified = {}
for (const one of asked.verify) {
  verified[one.name] = await verify(one).then(
    (found) => ({ verified: true, ...found }),
    (error) => ({ verified: false, reason: String(error) }),
  )
}
const signed = []
for (const alg of ['ES256', 'ES384', 'ES512', 'EdDSA']) signed.push(await sign(alg))
process.stdout.write(JSON.stringify({ verified, signed }))
