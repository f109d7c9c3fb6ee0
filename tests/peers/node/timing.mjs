// How often something is done in a second, beside the bare signature or verification of its key.
import { generateKeyPairSync, sign, verify } from 'node:crypto'

const MESSAGE = Buffer.alloc(200)
const FLOOR_SECONDS = 0.2
const CURVES = { 'P-256': 'P-256', 'P-384': 'P-384' }

async function part(work, seconds) {
  let count = 0
  const begun = process.hrtime.bigint()
  while (Number(process.hrtime.bigint() - begun) < seconds * 1e9) {
    await work()
    count++
  }
  return count / (Number(process.hrtime.bigint() - begun) / 1e9)
}

/** The bare operation: `what` is 'sign' or 'verify', `curve` a NIST curve or nothing for Ed25519. */
function bare(what, curve) {
  const isNist = curve in CURVES
  const { privateKey, publicKey } = isNist
    ? generateKeyPairSync('ec', { namedCurve: CURVES[curve] })
    : generateKeyPairSync('ed25519')
  const hash = isNist ? (curve === 'P-384' ? 'sha384' : 'sha256') : null
  const signature = sign(hash, MESSAGE, privateKey)
  return what === 'sign' ? () => sign(hash, MESSAGE, privateKey) : () => verify(hash, MESSAGE, publicKey, signature)
}

/** { perSecond, bare }: how often, and how many bare operations take as long as one. */
export async function rate(work, { what, curve, seconds }) {
  const floor = bare(what, curve)
  for (let n = 0; n < 10; n++) await work()
  const before = await part(floor, FLOOR_SECONDS)
  const perSecond = await part(work, seconds)
  const after = await part(floor, FLOOR_SECONDS)
  return { perSecond, bare: (before + after) / 2 / perSecond }
}
