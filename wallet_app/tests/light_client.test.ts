/**
 * The light client of the browser: the published verdicts, recorded headers, and the same light blocks that the
 * registry's Python says yes and no to, for the same reasons (tests/registry/core/light_client).
 */
import { readdirSync, readFileSync } from 'node:fs'
import { ed25519 } from '@noble/curves/ed25519.js'
import { describe, expect, test, vi } from 'vitest'
import { base64Decode, base64Encode, base64urlDecode, hex, type JsonObject } from '../src/shared/encoding'
import { admitKey, verifySignature } from '../src/shared/keys'
import { verifyBlock, newestOf } from '../src/shared/light/consortium'
import { headerHash, lightBlockBytes, validatorsHash } from '../src/shared/light/encodings'
import { parseLightBlock, validatorOf, type LightBlock, type Validator } from '../src/shared/light/light_block'
import { LightProblem, trustedBlock, verifyCommit, verifyLater, type TrustedBlock } from '../src/shared/light/verification'
import { Problem } from '../src/shared/problem'
import { verifyDigestReceipt } from '../src/shared/receipt'
import { Registry, type TrustMemory } from '../src/shared/registry'
import { anchorAfterBlock, followHead, isSameRegistry, parseTrustAnchor, signersOf, verifyHead, type ConsortiumAnchor } from '../src/shared/trust'
import { haveVectors, vectors } from './published'

const facts = JSON.parse(readFileSync(`${import.meta.dirname}/vectors/light.json`, 'utf8')) as {
  now: number
  anchor: JsonObject
  oldest_anchor: JsonObject
  followed_anchor: JsonObject
  cases: { why: string; block: string; reason: string | null }[]
  head: { text: string; size: number }
  receipt: { digest: string; receipt: JsonObject }
  chain: Record<string, string>
  head_of_others: string
  low_order_part: { key: string; message: string; signature: string }
}
const NOW = facts.now
const anchorOf = (value: JsonObject): ConsortiumAnchor => {
  const anchor = parseTrustAnchor(value)
  if (anchor.kind !== 'consortium') throw new Error('another form')
  return anchor
}
const ANCHOR = anchorOf(facts.anchor)
const nanoseconds = (seconds: number): bigint => BigInt(seconds) * 1_000_000_000n

describe('light blocks beside a trusted one', () => {
  test('are all here', () => expect(facts.cases).toHaveLength(19))

  test.each(facts.cases)('$why: $reason', ({ block, reason }) => {
    let said: string | null = null
    const parsed = parseLightBlock(base64urlDecode(block))
    try {
      verifyBlock(ANCHOR.chain, parsed, nanoseconds(NOW))
    } catch (error) {
      if (!(error instanceof LightProblem)) throw error
      said = error.reason
    }
    expect(said).toBe(reason)
  })

  test('expire with the trust, and not before', () => {
    const { block } = facts.cases[0] as { block: string }
    const parsed = parseLightBlock(base64urlDecode(block))
    const end = newestOf(ANCHOR.chain).time + nanoseconds(ANCHOR.chain.rules.trustingSeconds)
    verifyBlock(ANCHOR.chain, parsed, end - 1n)
    expect(() => verifyBlock(ANCHOR.chain, parsed, end)).toThrow('has expired')
  })
})

describe('a head of a consortium', () => {
  test('is believed, and moves the trust on', () => {
    const { head, anchor } = followHead(facts.head.text, ANCHOR, NOW)
    expect(head.size).toBe(13)
    expect(newestOf((anchor as ConsortiumAnchor).chain).height).toBe(20)
    expect(signersOf(ANCHOR)).toMatchObject({ needed: 3, all: 4 })
  })

  test('with any one bit changed is not', { timeout: 240_000 }, () => {
    const bytes = new TextEncoder().encode(facts.head.text)
    const passed: number[] = []
    // Every bit of every byte that is not part of a signature's 64 bytes is seen in Python; here each byte once.
    for (let at = 0; at < bytes.length; at++) {
      const changed = Uint8Array.from(bytes)
      changed[at] = (changed[at] as number) ^ (1 << at % 7)
      try {
        verifyHead(new TextDecoder().decode(changed), ANCHOR, NOW)
        passed.push(at)
      } catch (error) {
        if (!(error instanceof Problem)) throw error
      }
    }
    expect(passed).toEqual([])
  })

  test('proves a receipt offline', () => {
    const digest = base64urlDecode(facts.receipt.digest)
    const verified = verifyDigestReceipt(facts.receipt.receipt, { digest, anchor: ANCHOR, now: NOW })
    expect(verified).toMatchObject({ height: 6, types: ['degree', 'residence'] })
    const late = NOW + 91 * 86_400
    expect(() => verifyDigestReceipt(facts.receipt.receipt, { digest, anchor: ANCHOR, now: late })).toThrow('expired')
  })
})

test('a signature whose R has a part of low order is refused here as it is there', () => {
  const { key, message, signature } = facts.low_order_part
  const admitted = admitKey('Ed25519', Uint8Array.from(fromHex(key)))
  expect(ed25519.verify(fromHex(signature), fromHex(message), admitted.data, { zip215: false })).toBe(true)
  expect(() => verifySignature(admitted, fromHex(message), fromHex(signature))).toThrow('signature')
})

describe('validators who change until all are others', () => {
  const chain = Object.entries(facts.chain)

  test('are followed by the oldest anchor, one light block after the other', () => {
    let anchor = anchorOf(facts.oldest_anchor)
    expect(() => verifyHead(facts.head_of_others, anchor, NOW)).toThrow('third of the trusted')
    for (const [height, block] of chain) anchor = anchorAfterBlock(base64urlDecode(block), Number(height), anchor, NOW)
    expect(verifyHead(facts.head_of_others, anchor, NOW).size).toBe(13)
    expect(anchor).toEqual(anchorOf(facts.followed_anchor))
  })

  test('are followed by a page that comes back, which asks for what lies between', async () => {
    let kept = JSON.stringify(facts.oldest_anchor)
    const asked: number[] = []
    const memory: TrustMemory = {
      anchor: async () => kept,
      pinAnchor: async () => undefined,
      moveAnchor: async (expected, moved) => {
        expect(expected).toBe(kept)
        kept = moved
      },
      newestHead: async () => null,
      rememberHead: async () => undefined,
    }
    const serving = (withheld: number): typeof fetch => async (url) => {
      const height = Number(String(url).split('/').at(-1))
      asked.push(height)
      const block = facts.chain[String(height)]
      return block && height !== withheld ? new Response(base64urlDecode(block)) : new Response('', { status: 404 })
    }
    const admit = (withheld: number) => new Registry('https://h/registry', memory, serving(withheld)).admitHead(facts.head_of_others)
    vi.useFakeTimers({ now: NOW * 1000 })
    try {
      await expect(admit(15)).rejects.toThrow('server') // a member that leaves out a block
      expect(kept).toBe(JSON.stringify(facts.oldest_anchor))
      asked.length = 0

      expect((await admit(0)).size).toBe(13)
    } finally {
      vi.useRealTimers()
    }
    expect(asked.slice(0, 2)).toEqual([30, 15])
    expect(asked.length).toBeLessThan(12)
    const moved = anchorOf(JSON.parse(kept))
    expect(newestOf(moved.chain).height).toBe(30)
    expect(isSameRegistry(moved, anchorOf(facts.oldest_anchor))).toBe(true)
  })

  test('are not followed along a light block of another height, or of others', () => {
    const anchor = anchorOf(facts.oldest_anchor)
    expect(() => anchorAfterBlock(base64urlDecode(facts.chain[3] as string), 2, anchor, NOW)).toThrow('another height')
    expect(() => anchorAfterBlock(base64urlDecode(facts.chain[20] as string), 20, anchor, NOW)).toThrow('third')
  })
})

/** A light block in a node's JSON, which only these tests read. */
interface RpcBlock {
  signed_header: { header: Record<string, any>; commit: Record<string, any> }
  validator_set: { validators: any[] | null }
  next_validator_set: { validators: any[] | null }
}
const fromHex = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, 'hex'))
const timeOf = (text: string): bigint => {
  const [, seconds, rest] = /^([^.Z]+)(?:\.([0-9]+))?Z$/.exec(text) as unknown as [string, string, string | undefined]
  return nanoseconds(Date.parse(`${seconds}Z`) / 1000) + BigInt((rest ?? '').padEnd(9, '0'))
}
const blockIdOf = (value: any) => {
  const parts = value?.parts ?? value?.part_set_header
  return { hash: fromHex(value?.hash ?? ''), parts: parts?.total ?? 0, partsHash: fromHex(parts?.hash ?? '') }
}
const setOf = (validators: any[]): Validator[] =>
  validators
    .map((item) => validatorOf(admitKey('Ed25519', base64Decode(item.pub_key.value)), Number(item.voting_power)))
    .sort((one, other) => other.power - one.power || (hex(one.address) < hex(other.address) ? -1 : 1))
const headerOf = (header: Record<string, any>) => ({
  blockVersion: Number(header.version.block),
  appVersion: Number(header.version.app ?? 0),
  chainId: header.chain_id as string,
  height: Number(header.height),
  time: timeOf(header.time),
  lastBlock: blockIdOf(header.last_block_id),
  lastCommitHash: fromHex(header.last_commit_hash),
  dataHash: fromHex(header.data_hash),
  validatorsHash: fromHex(header.validators_hash),
  nextValidatorsHash: fromHex(header.next_validators_hash),
  consensusHash: fromHex(header.consensus_hash),
  appHash: fromHex(header.app_hash),
  lastResultsHash: fromHex(header.last_results_hash),
  evidenceHash: fromHex(header.evidence_hash),
  proposer: fromHex(header.proposer_address),
})
const blockOf = ({ signed_header: { header, commit }, validator_set: set }: RpcBlock): LightBlock => ({
  header: headerOf(header),
  commit: {
    height: Number(commit.height),
    round: commit.round,
    block: blockIdOf(commit.block_id),
    votes: (commit.signatures ?? []).map((vote: any) => ({
      kind: vote.block_id_flag,
      address: fromHex(vote.validator_address),
      time: vote.block_id_flag === 1 ? 0n : timeOf(vote.timestamp),
      signature: base64Decode(vote.signature ?? ''),
    })),
  },
  validators: setOf(set?.validators ?? []),
})

describe.skipIf(!haveVectors)('the published model-based cases', () => {
  const folder = vectors('light-client/light-client/tests/support/model_based/single_step')
  const names = haveVectors ? readdirSync(folder).filter((name) => name.endsWith('.json')) : []
  let verdicts = 0

  test.each(names)('%s', (name) => {
    const vector = JSON.parse(readFileSync(`${folder}/${name}`, 'utf8'))
    const header = headerOf(vector.initial.signed_header.header)
    let trusted: TrustedBlock = {
      height: header.height,
      hash: headerHash(header),
      time: header.time,
      validators: setOf(vector.initial.next_validator_set.validators),
      nextValidatorsHash: header.nextValidatorsHash,
    }
    const rules = { chainId: header.chainId, trustingSeconds: Number(vector.initial.trusting_period) / 1e9, driftSeconds: 1 }
    for (const step of vector.input as { block: RpcBlock; now: string; verdict: string }[]) {
      let said = 'SUCCESS'
      try {
        const block = blockOf(step.block)
        const read = parseLightBlock(lightBlockBytes(block))
        const committed = verifyLater(read, trusted, rules, timeOf(step.now))
        const following = step.block.next_validator_set?.validators ?? []
        if (following.length) trusted = { ...trustedBlock(committed), validators: setOf(following) }
      } catch (error) {
        if (!(error instanceof Problem)) throw error
        said = error instanceof LightProblem && error.reason === 'not-enough-trust' ? 'NOT_ENOUGH_TRUST' : 'INVALID'
      }
      expect(said).toBe(step.verdict)
      verdicts++
    }
  })

  test('were 99 in 41 files', () => {
    expect(names).toHaveLength(41)
    expect(verdicts).toBe(99)
  })
})

test.skipIf(!haveVectors)('a recorded header of a 0.38 node has the hash that its commit names', () => {
  const text = readFileSync(vectors('light-client/rpc/tests/kvstore_fixtures/v0_38/incoming/commit_at_height_10.json'), 'utf8')
  const { header, commit } = JSON.parse(text).result.signed_header
  expect(hex(headerHash(headerOf(header))).toUpperCase()).toBe(commit.block_id.hash)
})

test('headers recorded from our own network are believed', () => {
  const recorded = JSON.parse(readFileSync(`${import.meta.dirname}/vectors/recorded.json`, 'utf8')) as {
    anchor: JsonObject
    now: number
    light_blocks: { height: number; hash: string; validators_hash: string; block: string }[]
    heads: { text: string; size: number; height: number }[]
  }
  let anchor = anchorOf(recorded.anchor)
  expect(recorded.light_blocks.length).toBeGreaterThan(8)
  for (const { height, hash, validators_hash: set, block } of recorded.light_blocks) {
    const parsed = parseLightBlock(base64Decode(block))
    expect(base64Encode(lightBlockBytes(parsed))).toBe(block)
    expect(hex(headerHash(parsed.header)).toUpperCase()).toBe(hash)
    expect(hex(validatorsHash(parsed.validators)).toUpperCase()).toBe(set)
    verifyCommit(parsed)
    anchor = anchorAfterBlock(base64Decode(block), height, anchor, recorded.now)
  }
  for (const { text, size, height } of recorded.heads) {
    expect(verifyHead(text, anchor, recorded.now)).toMatchObject({ size, height })
  }
})
