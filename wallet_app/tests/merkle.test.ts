import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { base64Decode } from '../src/shared/encoding'
import { leafHash, nodeHash, rootOf, verifyConsistency, verifyInclusion } from '../src/shared/merkle'
import { sha256 } from '../src/shared/hashing'
import { haveVectors, vectors } from './published'

interface Growth {
  size1: number
  size2: number
  root1: string | null
  root2: string | null
  proof: string[] | null
  wantErr: boolean
}

interface Case {
  leafIdx: number
  treeSize: number
  root: string | null
  leafHash: string | null
  proof: string[] | null
  wantErr: boolean
}

describe.skipIf(!haveVectors)('published inclusion proofs', () => {
  const folder = vectors('merkle/testdata/inclusion')
  const names = haveVectors
    ? readdirSync(folder, { recursive: true }).map(String).filter((name) => name.endsWith('.json'))
    : []

  test('are here', () => expect(names).toHaveLength(98))
  test.each(names)('%s', (name) => {
    const vector = JSON.parse(readFileSync(`${folder}/${name}`, 'utf8')) as Case
    const verify = () =>
      verifyInclusion({
        leaf: base64Decode(vector.leafHash ?? ''),
        index: vector.leafIdx,
        treeSize: vector.treeSize,
        path: (vector.proof ?? []).map(base64Decode),
        root: base64Decode(vector.root ?? ''),
      })

    if (vector.wantErr) expect(verify).toThrow('proof')
    else verify()
  })
})

describe.skipIf(!haveVectors)('published consistency proofs', () => {
  const folder = vectors('merkle/testdata/consistency')
  const names = haveVectors
    ? readdirSync(folder, { recursive: true }).map(String).filter((name) => name.endsWith('.json'))
    : []

  test('are here', () => expect(names).toHaveLength(98))
  test.each(names)('%s', (name) => {
    const vector = JSON.parse(readFileSync(`${folder}/${name}`, 'utf8')) as Growth
    const verify = () =>
      verifyConsistency({
        first: vector.size1,
        second: vector.size2,
        firstRoot: base64Decode(vector.root1 ?? ''),
        secondRoot: base64Decode(vector.root2 ?? ''),
        path: (vector.proof ?? []).map(base64Decode),
      })

    if (vector.wantErr) expect(verify).toThrow('proof')
    else verify()
  })
})

describe('trees of every size to 40', () => {
  // By the definitions of RFC 9162 §2.1, from the top; the code under test works from the leaves.
  const leaves = Array.from({ length: 40 }, (_, index) => leafHash(sha256(Uint8Array.of(index))))
  const split = (count: number): number => (count <= 2 ? 1 : 2 * split(Math.ceil(count / 2)))
  const root = (part: Uint8Array[]): Uint8Array =>
    part.length === 1 ? part[0]! : nodeHash(root(part.slice(0, split(part.length))), root(part.slice(split(part.length))))
  const growth = (first: number, part: Uint8Array[], whole = true): Uint8Array[] => {
    if (first === part.length) return whole ? [] : [root(part)]
    const half = split(part.length)
    return first <= half
      ? [...growth(first, part.slice(0, half), whole), root(part.slice(half))]
      : [...growth(first - half, part.slice(half), false), root(part.slice(0, half))]
  }

  test('have the root of the definition', () => {
    for (let size = 1; size <= 40; size++) expect(rootOf(leaves.slice(0, size))).toEqual(root(leaves.slice(0, size)))
    expect(() => rootOf([])).toThrow('proof')
  })

  test('continue each smaller one, and no other', () => {
    for (let second = 1; second <= 40; second++) {
      for (let first = 1; first <= second; first++) {
        const [firstRoot, secondRoot] = [root(leaves.slice(0, first)), root(leaves.slice(0, second))]
        const path = growth(first, leaves.slice(0, second))
        verifyConsistency({ first, second, firstRoot, secondRoot, path })
        expect(() => verifyConsistency({ first, second, firstRoot: sha256(firstRoot), secondRoot, path })).toThrow('proof')
        expect(() => verifyConsistency({ first, second, firstRoot, secondRoot: sha256(secondRoot), path })).toThrow('proof')
        expect(() => verifyConsistency({ first, second, firstRoot, secondRoot, path: [...path, firstRoot] })).toThrow('proof')
      }
    }
  })

  test.each([0, -1, 0.5, NaN, 2 ** 53])('a first tree of %s entries proves nothing', (first) => {
    const hash = leaves[0]!
    expect(() => verifyConsistency({ first, second: 2 ** 53, firstRoot: hash, secondRoot: hash, path: [] })).toThrow('proof')
  })
})
