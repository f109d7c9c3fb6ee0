// How often something is done in a second of processor time, beside the bare operation of its key.
import { generateKeyPairSync, sign, verify } from 'node:crypto'

const MESSAGE = Buffer.alloc(200)
const FLOOR_SECONDS = 0.1
const PARTS = 5
const CURVES = { 'P-256': 'P-256', 'P-384': 'P-384' }

/** Processor time of this process so far, in seconds, of every thread. */
function spent() {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1e6
}

async function part(work, seconds) {
  let count = 0
  const begun = spent()
  while (spent() - begun < seconds) {
    await work()
    count++
  }
  return count / (spent() - begun)
}

function median(values) {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]
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
  const rates = []
  const ratios = []
  for (let n = 0; n < PARTS; n++) {
    const beside = await part(floor, FLOOR_SECONDS)
    rates.push(await part(work, seconds / PARTS))
    ratios.push(beside / rates.at(-1))
  }
  return { perSecond: median(rates), bare: median(ratios) }
}
