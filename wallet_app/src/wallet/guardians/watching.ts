/** What one's own record says about recoveries, and how often to look. */
import type { RecordLine } from '../own_record'
import { DAY } from './desk'
import type { UnderWay } from './memory'

const SOONEST_SECONDS = 5
const LATEST_SECONDS = DAY / 4
const WATCHED_SECONDS = 60 // while one is under way

/**
 * Seconds until the record is worth another look: a tenth of the wait, so that nobody gets through
 * between two looks, and seldom, because an agency sees each of them.
 *
 * @param waitSeconds 0 where this phone does not know it: then as for the shortest, a day
 * @param found what the last look found
 */
export function dueAfter(waitSeconds: number, found: readonly UnderWay[]): number {
  const latest = found.length > 0 ? WATCHED_SECONDS : LATEST_SECONDS
  return Math.min(Math.max((waitSeconds || DAY) / 10, SOONEST_SECONDS), latest)
}

/** Recoveries that wait and have not come to an end. */
export function underWay(lines: readonly RecordLine[]): readonly UnderWay[] {
  const told = lines.filter(({ kind }) => kind === 'recovery')
  const over = new Set(told.filter(({ detail }) => detail.state !== 'waiting').map(({ detail }) => detail.recovery))
  return told
    .filter(({ detail }) => detail.state === 'waiting' && typeof detail.recovery === 'string' && !over.has(detail.recovery))
    .map(({ detail, time }) => ({ recovery: detail.recovery as string, since: time }))
}
