/** What one's own record says about recoveries, and how often to look. */
import type { RecordLine } from '../own_record'
import { DAY } from './desk'
import type { Look, UnderWay } from './memory'

const SOONEST_SECONDS = 5
const LATEST_SECONDS = DAY / 4
const WATCHED_SECONDS = 60 // while one is under way
const RETRY_SECONDS = 30 // after a look that failed; twice as long after each further one
const TELL_AFTER = 3 // failed looks, one after the other

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

/**
 * When to look again, in unix seconds. A failed look is tried again sooner than the next one would
 * be due, but less and less often: each shows the agency a copy of her credential.
 */
export function nextLook(look: Look, waitSeconds: number): number {
  const regular = dueAfter(waitSeconds, look.found)
  const { failures = 0, failedAt = 0 } = look
  if (failures === 0) return look.at + regular
  return failedAt + Math.min(RETRY_SECONDS * 2 ** (failures - 1), regular)
}

/** Whether so many looks failed that she is told: nobody knows whether somebody takes over her cards. */
export function isBlind({ failures = 0 }: Look): boolean {
  return failures >= TELL_AFTER
}

/** Recoveries that wait and have not come to an end. */
export function underWay(lines: readonly RecordLine[]): readonly UnderWay[] {
  const told = lines.filter(({ kind }) => kind === 'recovery')
  const over = new Set(told.filter(({ detail }) => detail.state !== 'waiting').map(({ detail }) => detail.recovery))
  return told
    .filter(({ detail }) => detail.state === 'waiting' && typeof detail.recovery === 'string' && !over.has(detail.recovery))
    .map(({ detail, time }) => ({ recovery: detail.recovery as string, since: time }))
}
