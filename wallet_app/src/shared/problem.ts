/**
 * A "no" that this page says on purpose.
 *
 * `code` picks the sentence that people read (see `text.ts`, key `problem.<code>`); `detail` is for
 * the curious and for tests, and holds no claim values and no keys.
 */
export class Problem extends Error {
  constructor(
    readonly code: ProblemCode,
    readonly detail = '',
  ) {
    super(detail ? `${code}: ${detail}` : code)
    this.name = 'Problem'
  }
}

export type ProblemCode =
  | 'malformed' // what came from outside cannot be read
  | 'not-a-link' // the code or text is nothing this page knows
  | 'offline' // no answer at all
  | 'server' // an answer that says "not now"
  | 'refused' // the other side said no
  | 'offer-used' // the offer is used up or expired
  | 'cancelled' // the citizen, or the agency, said no on the agency's page
  | 'tx-code' // wrong transaction code
  | 'proof' // the ledger's proof does not hold
  | 'anchor-changed' // the registry is not the one pinned at first use
  | 'signature' // a signature does not hold
  | 'request-expired'
  | 'request-invalid'
  | 'party-unknown' // no key of the asking party to check the request with
  | 'insecure-address'
  | 'credential-invalid' // what the issuer sent is not what it offered
  | 'nothing-fits' // no card can answer
  | 'card-dead' // a card could, but it is withdrawn or has expired
  | 'storage'
  | 'insecure-page' // opened by plain http: the browser gives no keys
  | 'access-key'
  | 'code-expired'
  | 'unexpected'

/** The problem that `error` is, whatever was thrown. */
export function asProblem(error: unknown): Problem {
  if (error instanceof Problem) return error
  return new Problem('unexpected', error instanceof Error ? error.name : 'unknown')
}
