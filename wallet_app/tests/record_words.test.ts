/** The codes that agencies write into people's own records have words. */
import { readdirSync, readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { describe, expect, test } from 'vitest'
import { en, zh } from '../src/shared/text'
import type { Card } from '../src/wallet/cards'
import { arrangedBy, lookedBy, PURPOSES } from '../src/wallet/record_words'

describe('words of the record', () => {
  // What opens another row than hers, or none, is in no record of hers.
  const ELSEWHERE = ['offer', 'in-person', 'oidc-login']

  test('every purpose for which her row is opened has words in both languages', () => {
    const folder = resolve(import.meta.dirname, '../../identity')
    const source = ['realname', 'issuer'].flatMap((part) =>
      readdirSync(resolve(folder, part)).filter((name) => name.endsWith('.py')).map((name) => readFileSync(resolve(folder, part, name), 'utf8')),
    )
    const codes = [...new Set(source.join('\n').match(/purpose="[a-z-]+"/g))].map((text) => text.slice(9, -1))
    expect(codes.filter((code) => !(code in PURPOSES)).sort()).toEqual([...ELSEWHERE].sort())
    for (const key of Object.values(PURPOSES)) expect([en[key], zh[key]].every(Boolean), key).toBe(true)
  })

  test.each([
    ['issuer:registrar', 'Registry'],
    ['issuer:university', 'Agency: university'],
    ['officers:review', 'Two officers of the review'],
    ['officer:ada/officer:bo', 'Officers: ada, bo'],
    ['somebody', 'somebody'],
  ])('%s is told as %s', (actor, told) => {
    expect(lookedBy({ issuer: 'https://id.example/issuers/registrar', issuerName: { en: 'Registry' } } as unknown as Card, actor)).toBe(told)
  })

  const cards = [{ name: { en: 'Identity card' }, copies: [{ keyId: 'one' }, { keyId: 'mine' }] }] as unknown as Card[]
  const counts = { guardians: 3, threshold: 2, wait_seconds: 86_400, order: 'x' }

  test.each([
    [{ state: 'set', key: 'mine', ...counts }, 'Chosen: 3, of whom 2 are needed · signed with the key of your card: Identity card'],
    [{ state: 'changed', key: 'a-strange-key', ...counts }, 'Changed: 3, of whom 2 are needed · signed with a key that this wallet does not have (a-strang)'],
    [{ state: 'withdrawn', key: 'mine', order: 'x' }, 'Withdrawn · signed with the key of your card: Identity card'],
    [{ state: 'withdrawn', by: 'proofing' }, 'Withdrawn · an office proofed you anew'],
    [{ state: 'new', by: 'somebody' }, 'new · somebody'],
  ])('a change of her guardians %j is told as %s', (detail, told) => {
    expect(arrangedBy(cards, detail)).toBe(told)
  })
})
