/** The verdict in plain words: what a check is called, and why the answer is no. */
import { t } from '../shared/language.svelte'
import type { TextKey } from '../shared/text'
import type { Verdict } from './verifier'

const CHECKS = [
  'proof',
  'issuer',
  'accreditation',
  'schema',
  'validity',
  'status',
  'anchor',
  'holder_binding',
  'audience',
  'policy',
] as const
type CheckName = (typeof CHECKS)[number]

function isKnown(check: string): check is CheckName {
  return (CHECKS as readonly string[]).includes(check)
}

export function checkName(check: string): string {
  return isKnown(check) ? t(`check.${check}`) : check
}

/**
 * One sentence for the person at the counter: the first failed check, in the order of the checks, so
 * that "forged" comes before "expired". Some reasons have a sentence of their own.
 */
export function plainReason(verdict: Verdict): string {
  const failed = CHECKS.map((name) => verdict.checks.find((check) => check.check === name && check.outcome === 'failed'))
  const first = failed.find((check) => check !== undefined)
  if (!first) return t('result.no-unknown')
  const special: Partial<Record<string, TextKey>> = {
    revoked: 'reason.revoked',
    suspended: 'reason.suspended',
    expired: 'reason.expired',
  }
  const word = first.reason.split(/[-_]/).find((part) => special[part])
  const key = word ? special[word] : undefined
  return t(key ?? `reason.${first.check as CheckName}`)
}
