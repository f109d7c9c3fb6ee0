/** The check behind every "verify" button, and the one behind the search box. */
import { base64urlDecode, base64urlEncode, isObject, parseJsonObject, type JsonObject } from '../shared/encoding'
import { asProblem, Problem } from '../shared/problem'
import { verifyDigestReceipt } from '../shared/receipt'
import type { Head } from '../shared/trust'
import { disagreements, type Fact } from './facts'
import type { LedgerReader, OnStep, Step } from './reader'

const MAX_ENTRIES_SEARCHED = 4096 // some megabytes to load and hash

/** What a check came to. `unproven` is a lie or a mistake of the node; `unanswered` is none of both. */
export type Outcome = 'proven' | 'absent' | 'unproven' | 'unanswered'
export interface Result {
  readonly outcome: Outcome
  readonly steps: readonly Step[]
  readonly agrees: boolean | null // whether the record says what was shown; null without a record
  readonly record: JsonObject | null
  readonly head: Head | null
  readonly problem: Problem | null
}

async function collect(work: (onStep: OnStep) => Promise<Partial<Result>>): Promise<Result> {
  const steps: Step[] = []
  const nothing = { agrees: null, record: null, head: null, problem: null }
  try {
    const done = await work((step) => steps.push(step))
    return { ...nothing, outcome: 'proven', ...done, steps: distinct(steps) }
  } catch (error) {
    const problem = asProblem(error)
    // An answer that is missing says nothing; everything else claims something that it cannot show.
    const outcome = ['offline', 'server', 'refused', 'storage'].includes(problem.code) ? 'unanswered' : 'unproven'
    return { ...nothing, outcome, problem, steps: distinct(steps) }
  }
}

/** Steps about heads repeat when a check reads several records; once is enough for people. */
function distinct(steps: readonly Step[]): Step[] {
  const kept = new Map<string, Step>()
  for (const step of steps) kept.set(['signed', 'first', 'unchanged', 'grown'].includes(step.step) ? step.step : JSON.stringify(step), step)
  if (kept.has('grown') || kept.has('first')) kept.delete('unchanged')
  return [...kept.values()]
}

export function verifyHeadOf(reader: LedgerReader): Promise<Result> {
  return collect(async (onStep) => ({ head: await reader.checkHead(onStep) }))
}

/** Entry and record of a fact, under one head; and that the record says what was shown. */
export function verifyFact(reader: LedgerReader, fact: Fact): Promise<Result> {
  return collect(async (onStep) => {
    const { record, head } = fact.key ? await reader.checkRecord(fact.key, onStep) : { record: null, head: await reader.checkHead(onStep) }
    if (fact.entry) await reader.checkEntry(fact.entry.value, fact.entry.index, head, onStep)
    if (fact.key && !record) throw new Problem('proof', 'the ledger holds no such record')
    if (record) {
      const different = disagreements(fact, record)
      if (different.length > 0) throw new Problem('proof', `the record says otherwise: ${different.join(', ')}`)
    }
    return { record, head, agrees: record ? true : null }
  })
}

export type Question =
  | { readonly kind: 'record'; readonly key: string }
  | { readonly kind: 'digest'; readonly digest: Uint8Array }
  | { readonly kind: 'receipt'; readonly receipt: JsonObject }

const RECORD = /^(network|members|rules|proposals|disclosures|(did|did-fragment|accreditations?|schema|batch|status|status-list|relying-party|tx|member|proposal|disclosure-order|compromise)\/\S{1,480})$/

/** What was typed into the search box; null when it is nothing that this page can look for. */
export function readQuestion(typed: string): Question | null {
  const text = typed.trim()
  if (text.length > 65_536) return null
  if (/^did:cairn:[a-z0-9-]{1,32}:[1-9A-HJ-NP-Za-km-z]{20,28}(#\S*)?$/.test(text)) return { kind: 'record', key: `did/${text.split('#')[0]}` }
  if (/^[0-9a-f]{64}$/.test(text)) return { kind: 'record', key: `tx/${text}` }
  if (/^[A-Za-z0-9_-]{22}$/.test(text)) return { kind: 'record', key: `accreditation/${text}` }
  if (RECORD.test(text)) return { kind: 'record', key: text }
  try {
    if (/^[A-Za-z0-9_-]{43}$/.test(text)) return { kind: 'digest', digest: base64urlDecode(text) }
    if (text.startsWith('{')) return { kind: 'receipt', receipt: parseJsonObject(text) }
  } catch {
    // not canonical, or no JSON: nothing that anybody could have anchored
  }
  return null
}

/** Presence or absence, whichever can be proven. */
export function answerQuestion(reader: LedgerReader, question: Question): Promise<Result> {
  return collect(async (onStep) => {
    if (question.kind === 'record') {
      const { record, head } = await reader.checkRecord(question.key, onStep)
      return { outcome: record ? 'proven' : 'absent', record, head }
    }
    if (question.kind === 'digest') {
      const head = await reader.checkHead(onStep)
      if (head.size > MAX_ENTRIES_SEARCHED) throw new Problem('refused', 'the log is too long to search in a browser')
      const { entries } = await reader.entries(0, head.size)
      const found = await reader.checkDigest(question.digest, head, entries, onStep)
      return { outcome: found ? 'proven' : 'absent', record: found as JsonObject | null, head }
    }
    const digest = base64urlDecode(question.receipt.digest)
    const head = await reader.checkHead(onStep)
    const verified = verifyDigestReceipt(question.receipt, { digest, anchor: await reader.trustFor(question.receipt) })
    const batch = isObject(question.receipt.batch) ? question.receipt.batch : {}
    onStep({ step: 'present', values: { key: `batch/${verified.issuer}/${String(batch.batch)}`, height: verified.head.height } })
    return { record: { ...batch, digest: base64urlEncode(digest) }, head }
  })
}
