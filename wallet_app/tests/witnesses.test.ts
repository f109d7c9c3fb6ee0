/**
 * Heads that must be co-signed. The values are those of tests/registry/core/test_cosignature.py, written by
 * the registry's own code: one head, one log key, three witnesses of whom two are enough.
 */
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { parseTrustAnchor, verifyHead } from '../src/shared/trust'

const VECTORS = JSON.parse(readFileSync(new URL('./vectors/witnesses.json', import.meta.url), 'utf-8'))
const ANCHOR = parseTrustAnchor(VECTORS.anchor)
const withSection = (section: unknown) => parseTrustAnchor({ ...VECTORS.anchor, witnesses: section })

describe('a head under witnesses', () => {
  it('counts with its quorum', () => {
    expect(verifyHead(VECTORS.good, ANCHOR).height).toBe(7)
  })

  it.each(['one', 'twice', 'signed', 'bare', 'false'])('does not count: %s', (name) => {
    expect(() => verifyHead(VECTORS[name], ANCHOR)).toThrow()
    expect(verifyHead(VECTORS.good, ANCHOR).height).toBe(7)
  })

  it('counts without a quorum where no witnesses are named', () => {
    const { witnesses: _, ...plain } = VECTORS.anchor
    expect(parseTrustAnchor(plain).witnesses).toBeNull()
    expect(verifyHead(VECTORS.bare, parseTrustAnchor(plain)).height).toBe(7)
  })

  it('does not count with any character of a co-signature changed', () => {
    const at = VECTORS.good.lastIndexOf(' ') + 1
    for (let index = at; index < VECTORS.good.length - 1; index += 1) {
      const other = VECTORS.good[index] === 'A' ? 'B' : 'A'
      const changed = VECTORS.good.slice(0, index) + other + VECTORS.good.slice(index + 1)
      expect(() => verifyHead(changed, ANCHOR), `character ${index}`).toThrow()
    }
  })
})

describe('the witnesses of a trust anchor', () => {
  const { keys } = VECTORS.anchor.witnesses
  it.each([
    ['null', null],
    ['none', { keys: [], threshold: 1 }],
    ['threshold 0', { keys, threshold: 0 }],
    ['threshold 4', { keys, threshold: 4 }],
    ['one twice', { keys: [keys[0], keys[0]], threshold: 1 }],
    ['a key of heads', { keys: VECTORS.anchor.heads.keys, threshold: 1 }],
    ['too many', { keys: Array(33).fill(keys[0]), threshold: 1 }],
  ])('are refused: %s', (_name, section) => {
    expect(() => withSection(section)).toThrow()
  })
})
