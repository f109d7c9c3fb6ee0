// Data Integrity with Digital Bazaar's libraries: signs, derives and verifies what it is told.
// In: { contexts, jobs: [{ do: 'sign' | 'derive' | 'verify' | 'time', suite, … }] }. Out: one result a job.
import * as Bls12381Multikey from '@digitalbazaar/bls12-381-multikey'
import * as EcdsaMultikey from '@digitalbazaar/ecdsa-multikey'
import * as Ed25519Multikey from '@digitalbazaar/ed25519-multikey'
import { DataIntegrityProof } from '@digitalbazaar/data-integrity'
import * as bbs from '@digitalbazaar/bbs-2023-cryptosuite'
import { cryptosuite as ecdsaRdfc } from '@digitalbazaar/ecdsa-rdfc-2019-cryptosuite'
import * as ecdsaSd from '@digitalbazaar/ecdsa-sd-2023-cryptosuite'
import { cryptosuite as eddsaRdfc } from '@digitalbazaar/eddsa-rdfc-2022-cryptosuite'
import * as vc from '@digitalbazaar/vc'
import { readFileSync } from 'node:fs'
import { loaderOf } from './linked_data.mjs'
import { rate } from './timing.mjs'

const { contexts, jobs } = JSON.parse(readFileSync(0, 'utf8'))
const bundled = loaderOf(contexts)

/** Contexts, and the document of any did:key; nothing is fetched. */
async function documentLoader(url) {
  if (!url.startsWith('did:key:')) return bundled(url)
  const [did] = url.split('#')
  const multikey = did.slice('did:key:'.length)
  const id = `${did}#${multikey}`
  const method = {
    '@context': 'https://w3id.org/security/multikey/v1',
    id,
    type: 'Multikey',
    controller: did,
    publicKeyMultibase: multikey,
  }
  const document = url.includes('#')
    ? method
    : {
        '@context': ['https://www.w3.org/ns/did/v1', 'https://w3id.org/security/multikey/v1'],
        id: did,
        verificationMethod: [method],
        assertionMethod: [id],
      }
  return { contextUrl: null, documentUrl: url, document }
}

const PLAIN = { 'eddsa-rdfc-2022': eddsaRdfc, 'ecdsa-rdfc-2019': ecdsaRdfc }
const SELECTIVE = { 'ecdsa-sd-2023': ecdsaSd, 'bbs-2023': bbs }

function verifying(suite) {
  const cryptosuite = PLAIN[suite] ?? SELECTIVE[suite].createVerifyCryptosuite()
  return new DataIntegrityProof({ cryptosuite })
}

async function keyFor({ suite, curve }) {
  const pair =
    suite === 'bbs-2023'
      ? await Bls12381Multikey.generateBbsKeyPair({ algorithm: 'BBS-BLS12-381-SHA-256' })
      : suite.startsWith('ecdsa')
        ? await EcdsaMultikey.generate({ curve: curve ?? 'P-256' })
        : await Ed25519Multikey.generate()
  const { publicKeyMultibase } = await pair.export({ publicKey: true })
  pair.controller = `did:key:${publicKeyMultibase}`
  pair.id = `${pair.controller}#${publicKeyMultibase}`
  return pair
}

async function signingWith(job) {
  const pair = await keyFor(job)
  const cryptosuite =
    PLAIN[job.suite] ??
    SELECTIVE[job.suite].createSignCryptosuite({ mandatoryPointers: job.mandatoryPointers ?? ['/issuer'] })
  return { pair, suite: new DataIntegrityProof({ signer: pair.signer(), cryptosuite }) }
}

async function sign(job) {
  const { pair, suite } = await signingWith(job)
  const credential = { ...structuredClone(job.document), issuer: pair.controller }
  return vc.issue({ credential, suite, documentLoader })
}

async function derive({ suite, document, selectivePointers }) {
  const cryptosuite = SELECTIVE[suite].createDiscloseCryptosuite({ selectivePointers })
  return vc.derive({
    verifiableCredential: structuredClone(document),
    suite: new DataIntegrityProof({ cryptosuite }),
    documentLoader,
  })
}

async function verify({ suite, document }) {
  const result = await vc.verifyCredential({
    credential: structuredClone(document),
    suite: verifying(suite),
    documentLoader,
  })
  return { verified: result.verified, error: String(result.error?.errors?.[0] ?? result.error ?? '') }
}

/** How many a second, beside the bare operation: `what` is 'sign' or 'verify'. */
async function time({ what, seconds, floor, ...job }) {
  const work = what === 'sign' ? await signer(job) : () => verify(job)
  const done = await work()
  if (what === 'verify' && !done.verified) throw new Error(`does not verify: ${done.error}`)
  return rate(work, { what, curve: floor, seconds })
}

async function signer(job) {
  const { pair, suite } = await signingWith(job)
  const credential = { ...job.document, issuer: pair.controller }
  return () => vc.issue({ credential: structuredClone(credential), suite, documentLoader })
}

const DOES = { sign, derive, verify, time }
const results = []
for (const job of jobs) {
  try {
    results.push({ result: await DOES[job.do](job) })
  } catch (error) {
    results.push({ error: String(error), cause: String(error.cause ?? '') })
  }
}
console.log(JSON.stringify(results))
