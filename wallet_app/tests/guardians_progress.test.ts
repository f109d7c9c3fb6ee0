/** What a new phone offers at each step of its recovery. */
import { expect, test } from 'vitest'
import type { State, View } from '../src/wallet/guardians/desk'
import { canGiveUp, stepOf } from '../src/wallet/guardians/progress'

const START = 1_800_000_000

test.each<[State, boolean, string, boolean]>([
  ['open', false, 'asking', true],
  ['waiting', false, 'ready', true],
  ['ending', true, 'ready', true],
  ['completed', false, 'ready', true], // the cards may never come: she can always begin again
  ['completed', true, 'late', false],
  ['stopped', false, 'over', false],
])('a recovery that is %s (refused: %s) shows %s', (state, refused, step, gives) => {
  const view = { state, endsAt: START } as View
  expect(stepOf(view, { gone: false, refused, now: START })).toBe(step)
  expect(canGiveUp(stepOf(view, { gone: false, refused, now: START }))).toBe(gives)
  expect(stepOf(view, { gone: true, refused, now: START })).toBe('over')
})
