import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { base64Decode } from '../src/shared/encoding'
import { verifyInclusion } from '../src/shared/merkle'
import { haveVectors, vectors } from './published'

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
