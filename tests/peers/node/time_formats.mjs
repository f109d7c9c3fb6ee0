// How often a second @sd-jwt and jose issue and verify. In: { seconds, claims, disclosable, document }.
import { digest, ES256, generateSalt } from '@sd-jwt/crypto-nodejs'
import { SDJwtVcInstance } from '@sd-jwt/sd-jwt-vc'
import { generateKeyPair, jwtVerify, SignJWT } from 'jose'
import { readFileSync } from 'node:fs'
import { rate } from './timing.mjs'

const { seconds, claims, disclosable, document } = JSON.parse(readFileSync(0, 'utf8'))

const issuer = await ES256.generateKeyPair()
const holder = await ES256.generateKeyPair()
const sdJwt = new SDJwtVcInstance({
  signer: await ES256.getSigner(issuer.privateKey),
  verifier: await ES256.getVerifier(issuer.publicKey),
  signAlg: ES256.alg,
  hasher: digest,
  hashAlg: 'sha-256',
  saltGenerator: generateSalt,
  kbSigner: await ES256.getSigner(holder.privateKey),
  kbSignAlg: ES256.alg,
  kbVerifier: await ES256.getVerifier(holder.publicKey),
})
const issue = () => sdJwt.issue({ ...claims, cnf: { jwk: holder.publicKey } }, { _sd: disclosable })
const shown = await sdJwt.present(await issue(), Object.fromEntries(disclosable.map((name) => [name, true])), {
  kb: { payload: { iat: Math.floor(Date.now() / 1000), aud: 'https://verifier.example', nonce: 'n' } },
})
const verify = () => sdJwt.verify(shown, { keyBindingNonce: 'n' })

const { publicKey, privateKey } = await generateKeyPair('ES256')
const sign = () => new SignJWT(document).setProtectedHeader({ alg: 'ES256', typ: 'vc+jwt' }).sign(privateKey)
const token = await sign()

const beside = { curve: 'P-256', seconds }
const checkToken = () => jwtVerify(token, publicKey, { typ: 'vc+jwt' })
console.log(
  JSON.stringify({
    'SD-JWT VC': {
      issue: await rate(issue, { ...beside, what: 'sign' }),
      verify: await rate(verify, { ...beside, what: 'verify' }),
    },
    'vc+jwt': {
      issue: await rate(sign, { ...beside, what: 'sign' }),
      verify: await rate(checkToken, { ...beside, what: 'verify' }),
    },
  }),
)
