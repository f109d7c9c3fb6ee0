/** What a new phone shows of its recovery, and which ways on it offers. */
import type { View } from './desk'

export type Step = 'over' | 'late' | 'ready' | 'waiting' | 'asking' | 'unknown'

/**
 * @param gone the agency knows it no longer
 * @param refused the agency said `recovery-not-ready` when it was to be completed
 * @returns `late`: it was completed, and the day in which the answer is given again is over
 */
export function stepOf(view: View | null, { gone, refused, now }: { gone: boolean; refused: boolean; now: number }): Step {
  if (gone || view?.state === 'stopped') return 'over'
  if (view === null) return 'unknown'
  if (view.state === 'completed') return refused ? 'late' : 'ready'
  if (view.state === 'ending') return 'ready'
  if (view.state === 'waiting') return view.endsAt <= now ? 'ready' : 'waiting'
  return 'asking'
}

/** Whether to offer giving it up: always, unless a button to begin again stands there anyway. */
export function canGiveUp(step: Step): boolean {
  return step !== 'over' && step !== 'late' && step !== 'unknown'
}
