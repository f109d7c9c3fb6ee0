import { describe, expect, test } from 'vitest'
import type { Json, JsonObject } from '../src/shared/encoding'
import { answerPaths, chooseQueries, parseDcql, valuesAt } from '../src/shared/dcql'
import type { RegisteredParty } from '../src/shared/registry'
import { judge } from '../src/wallet/requests'

const VCT = 'https://r.example/schemas/resident-identity/1'
const query = (more: JsonObject = {}): JsonObject => ({
  id: 'id1',
  format: 'dc+sd-jwt',
  meta: { vct_values: [VCT] },
  claims: [{ path: ['age_over_18'] }],
  ...more,
})
const only = (more: JsonObject) => parseDcql({ credentials: [query(more)] }).credentials[0]!
const claims = { age_over_18: true, family_name: '李', classes: [{ code: 'A' }, { code: 'B' }] }

describe('what a card can answer', () => {
  test('type, presence and value decide', () => {
    expect(answerPaths(only({}), VCT, claims)).toEqual([['age_over_18']])
    expect(answerPaths(only({}), 'other', claims)).toBeNull()
    expect(answerPaths(only({ claims: [{ path: ['none'] }] }), VCT, claims)).toBeNull()
    expect(answerPaths(only({ claims: [{ path: ['age_over_18'], values: [true] }] }), VCT, claims)).toEqual([['age_over_18']])
    expect(answerPaths(only({ claims: [{ path: ['age_over_18'], values: [false, 'true', 1] }] }), VCT, claims)).toBeNull()
    expect(answerPaths(only({ format: 'ldp_vc', meta: {} }), VCT, claims)).toBeNull()
  })

  test('without claims nothing is shown', () => {
    const { claims: _claims, ...bare } = query()
    expect(answerPaths(parseDcql({ credentials: [bare] }).credentials[0]!, VCT, claims)).toEqual([])
  })

  test('the first claim set that fits is taken, and no other', () => {
    const sets = only({
      claims: [
        { id: 'a', path: ['none'] },
        { id: 'b', path: ['age_over_18'] },
        { id: 'c', path: ['family_name'] },
      ],
      claim_sets: [['a'], ['b'], ['b', 'c']],
    })
    expect(answerPaths(sets, VCT, claims)).toEqual([['age_over_18']])
  })

  test('paths go through objects and arrays', () => {
    expect(valuesAt(claims, ['classes', null, 'code'])).toEqual(['A', 'B'])
    expect(valuesAt(claims, ['classes', 1, 'code'])).toEqual(['B'])
    expect(valuesAt(claims, ['classes', 'code'])).toEqual([])
    expect(valuesAt(claims, ['constructor'])).toEqual([])
  })
})

describe('which queries are answered', () => {
  const many = (sets?: JsonObject[]) => parseDcql({ credentials: ['a', 'b', 'c'].map((id) => query({ id })), ...(sets ? { credential_sets: sets } : {}) })

  test('all, when there are no sets', () => {
    expect(chooseQueries(many(), new Set(['a', 'b', 'c']))).toEqual(['a', 'b', 'c'])
    expect(chooseQueries(many(), new Set(['a', 'b']))).toBeNull()
  })

  test('the first option that can be, and optional sets not at all', () => {
    const sets: JsonObject[] = [{ options: [['a', 'b'], ['c']] }, { options: [['b']], required: false }]
    expect(chooseQueries(many(sets), new Set(['b', 'c']))).toEqual(['c'])
    expect(chooseQueries(many(sets), new Set(['a', 'b', 'c']))).toEqual(['a', 'b'])
    expect(chooseQueries(many(sets), new Set(['b']))).toBeNull()
  })
})

test.each<[string, Json]>([
  ['no object', []],
  ['no credentials', { credentials: [] }],
  ['an id twice', { credentials: [query(), query()] }],
  ['an id with other characters', { credentials: [query({ id: 'a b' })] }],
  ['no meta', { credentials: [{ id: 'a', format: 'dc+sd-jwt' }] }],
  ['no types', { credentials: [query({ meta: { vct_values: [] } })] }],
  ['an empty path', { credentials: [query({ claims: [{ path: [] }] })] }],
  ['a negative index', { credentials: [query({ claims: [{ path: ['a', -1] }] })] }],
  ['claim sets without claims', { credentials: [{ ...query(), claims: undefined as never, claim_sets: [['a']] }] }],
  ['a claim set of unknown ids', { credentials: [query({ claim_sets: [['zzz']] })] }],
  ['a set of unknown ids', { credentials: [query()], credential_sets: [{ options: [['zzz']] }] }],
  ['too many queries', { credentials: Array.from({ length: 17 }, (_, at) => query({ id: `q${at}` })) }],
])('a query with %s is refused', (_name, value) => {
  expect(() => parseDcql(value)).toThrow('request-invalid')
})

describe('what a party may ask', () => {
  const purpose = (code: string, ...names: string[]) => ({
    purpose: code,
    description: { en: code },
    credentials: [{ type: 'resident-identity', claims: names.map((name) => [name]) }],
  })
  const party: RegisteredParty = {
    did: 'did:cairn:demo:x',
    name: 'X',
    purposes: [purpose('age', 'age_over_18'), purpose('name', 'family_name', 'given_name')],
  }
  const asks = (...names: string[]) => parseDcql({ credentials: [query({ claims: names.map((name) => ({ path: [name] })) })] })

  test('what one purpose covers', () => {
    expect(judge(asks('age_over_18'), party)).toEqual({ why: { en: 'age' }, excess: [] })
    expect(judge(asks('given_name'), party)).toEqual({ why: { en: 'name' }, excess: [] })
  })

  test('two purposes do not add up', () => {
    expect(judge(asks('age_over_18', 'family_name', 'given_name'), party).excess).toEqual(['age_over_18'])
  })

  test('only the purpose that is named counts', () => {
    expect(judge(asks('age_over_18'), party, 'age').excess).toEqual([])
    expect(judge(asks('age_over_18'), party, 'name').excess).toEqual(['age_over_18'])
    expect(judge(asks('age_over_18'), party, 'none')).toEqual({ why: null, excess: ['age_over_18'] })
  })

  test('nobody registered, nothing allowed', () => {
    expect(judge(asks('age_over_18'), null)).toEqual({ why: null, excess: ['age_over_18'] })
    expect(judge(asks('age_over_18'), { ...party, purposes: [] }).excess).toEqual(['age_over_18'])
  })

  test('another type is another thing, and so is the whole of what has parts', () => {
    const other = parseDcql({ credentials: [query({ meta: { vct_values: [VCT, 'https://r.example/schemas/degree/1'] } })] })
    expect(judge(other, party).excess).toEqual(['age_over_18'])
    const partly = { ...party, purposes: [{ ...purpose('a'), credentials: [{ type: 'resident-identity', claims: [['address', 'city']] }] }] }
    expect(judge(asks('address'), partly).excess).toEqual(['address'])
  })

  test('without claims even the bare fact needs a registration', () => {
    const { claims: _claims, ...bare } = query()
    expect(judge(parseDcql({ credentials: [bare] }), party).excess).toEqual([])
    expect(judge(parseDcql({ credentials: [{ ...bare, meta: { vct_values: ['https://r.example/schemas/degree/1'] } }] }), party).excess).toEqual(['degree'])
  })
})
