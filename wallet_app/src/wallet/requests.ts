/**
 * Reading a presentation request (OpenID4VP 1.0): who really asks, and may it ask for this?
 */
import { isObject, type Json } from '../shared/encoding'
import { form, request, safeUrl, type Fetch } from '../shared/http'
import { parseCompact, verifyCompact } from '../shared/jose'
import type { Localized } from '../shared/language.svelte'
import { Problem } from '../shared/problem'
import type { RegisteredParty, RegisteredPurpose, Registry } from '../shared/registry'
import type { Path } from '../shared/sd_jwt'
import { parseDcql, type CredentialQuery, type DcqlQuery } from '../shared/dcql'
import { answerKey, type AnswerKey } from '../shared/jwe'
import type { Link } from './links'
import { matchingCode, whoAsks } from './names'
import { typeName } from './offers'
import { parseWish, type PseudonymWish } from './pseudonyms'

const LEEWAY_SECONDS = 300 // phones' clocks
/** Stands among the excess where a party wants to know the wallet again and did not register that. */
export const RECOGNITION = 'cairn:pseudonym'

export interface VerifiedRequest {
  readonly clientId: string // with its prefix: the audience of our answer
  readonly did: string
  readonly responseUri: string
  readonly nonce: string
  readonly state: string | null
  readonly query: DcqlQuery
  readonly encryptTo: AnswerKey | null // null: the answer goes in plain form
  readonly matchingCode: string // the party's screen shows the same digits
  readonly expiresAt: number | null
  readonly pseudonym: PseudonymWish // does the party want to know this wallet again?
  readonly party: RegisteredParty | null // null: not registered
  readonly why: Localized | null // the registered purpose that covers the request
  readonly excess: readonly string[] // names of what it asks beyond its registration
}

interface Around {
  readonly registry: Registry
  readonly now: () => number
  readonly fetcher?: Fetch
}

/**
 * Fetch the request and check it before anything of it is shown.
 *
 * 1. The object is a signed request, and its key belongs to the DID that the client id names, on the
 *    ledger, for authentication.
 * 2. It is meant for wallets, fresh, and answers go where the signed request says.
 * 3. What it asks, a pseudonym too, is compared with what the party registered.
 *
 * @throws Problem 'request-invalid', 'request-expired', 'signature', 'party-unknown'
 */
export async function readRequest(link: Extract<Link, { kind: 'request' }>, around: Around): Promise<VerifiedRequest> {
  // 1
  const jws = parseCompact(await signedRequest(link, around.fetcher))
  const { did, key } = await whoAsks(link.clientId, jws, around.registry)
  const payload = verifyCompact(jws, key, 'oauth-authz-req+jwt')

  // 2
  if (payload.client_id !== link.clientId) invalid('client_id')
  if (payload.iss !== undefined && payload.iss !== did) invalid('iss')
  if (payload.aud !== 'https://self-issued.me/v2') invalid('aud')
  if (payload.response_type !== 'vp_token') invalid('response_type')
  const encrypts = payload.response_mode === 'direct_post.jwt'
  if (!encrypts && payload.response_mode !== 'direct_post') invalid('response_mode')
  if (payload.redirect_uri !== undefined) invalid('redirect_uri')
  if (typeof payload.response_uri !== 'string') invalid('response_uri')
  if (typeof payload.nonce !== 'string' || payload.nonce.length < 16) invalid('nonce')
  if (payload.state !== undefined && typeof payload.state !== 'string') invalid('state')
  if (payload.transaction_data !== undefined) invalid('transaction_data')
  const now = around.now()
  if (typeof payload.exp !== 'number') invalid('exp')
  if ((payload.exp as number) + LEEWAY_SECONDS < now) throw new Problem('request-expired', 'exp')
  if (typeof payload.iat === 'number' && payload.iat > now + LEEWAY_SECONDS) invalid('iat')
  const query = parseDcql(payload.dcql_query)
  const pseudonym = parseWish(payload.pseudonym) ?? invalid('pseudonym')

  // 3
  const party = await around.registry.relyingParty(did)
  const { why, excess } = judge(query, party, namedPurpose(payload.verifier_info), pseudonym)
  return {
    clientId: link.clientId,
    did,
    responseUri: safeUrl(payload.response_uri as string),
    nonce: payload.nonce as string,
    state: (payload.state as string | undefined) ?? null,
    query,
    encryptTo: encrypts ? answerKey(payload.client_metadata) : null,
    matchingCode: matchingCode(link.clientId, payload.nonce as string),
    expiresAt: payload.exp as number,
    pseudonym,
    party,
    why,
    excess,
  }
}

/** The signed request, from the link or from where the link points. */
async function signedRequest(link: Extract<Link, { kind: 'request' }>, fetcher?: Fetch): Promise<string> {
  if (link.request !== null) return link.request
  if (link.requestUri === null) throw new Problem('party-unknown', 'the request is not signed')
  const init: RequestInit = link.post ? form({}) : {}
  const headers = { Accept: 'application/oauth-authz-req+jwt' }
  const answer = await request(link.requestUri, { ...init, headers }, fetcher)
  if ([404, 409, 410].includes(answer.status)) throw new Problem('request-expired', String(answer.status))
  if (answer.status >= 500 || answer.status === 429) throw new Problem('server', String(answer.status))
  if (answer.status !== 200) throw new Problem('request-invalid', String(answer.status))
  return answer.text
}

/** The code of the purpose that the party says it asks for (`verifier_info`, §5.11), or null. */
function namedPurpose(info: Json | undefined): string | null {
  for (const entry of Array.isArray(info) ? info.slice(0, 16) : []) {
    if (!isObject(entry) || entry.format !== 'cairn-registration/1' || !isObject(entry.data)) continue
    if (typeof entry.data.purpose === 'string') return entry.data.purpose
  }
  return null
}

/**
 * Find the registered purpose that covers everything asked. One purpose must cover it all: two
 * registrations for two purposes do not add up to a third. When the party names its purpose, no
 * other one counts. The words shown are those of the ledger, never those of the request.
 */
export function judge(
  query: DcqlQuery,
  party: RegisteredParty | null,
  named: string | null = null,
  wish: PseudonymWish = 'none',
): { why: Localized | null; excess: string[] } {
  const asked = query.credentials.flatMap(askedOf)
  const again = wish === 'none' ? [] : [RECOGNITION]
  const everything = [...unique(asked.map(({ name }) => name)), ...again]
  if (!party) return { why: null, excess: everything }
  let best: { why: Localized | null; excess: string[] } | null = null
  for (const purpose of party.purposes) {
    if (named !== null && purpose.purpose !== named) continue
    const excess = unique(asked.filter((one) => !covers(purpose, one)).map(({ name }) => name))
    if (purpose.pseudonym !== true) excess.push(...again)
    if (!best || excess.length < best.excess.length) {
      best = { why: isObject(purpose.description) ? (purpose.description as Localized) : null, excess }
    }
  }
  return best ?? { why: null, excess: everything }
}

interface Asked {
  readonly types: readonly string[]
  readonly path: Path | null // null: the bare fact that such a credential is held
  readonly name: string
}

function askedOf(query: CredentialQuery): Asked[] {
  const types = query.vcts.map(typeName)
  if (query.claims === null) return [{ types, path: null, name: types[0] ?? query.id }]
  return query.claims.map(({ path }) => ({ types, path, name: String(path.find((step) => typeof step === 'string') ?? '') }))
}

function covers(purpose: RegisteredPurpose, asked: Asked): boolean {
  return asked.types.every((type) =>
    purpose.credentials.some(
      (credential) =>
        credential.type === type &&
        (asked.path === null ||
          // A registered path covers itself and what lies below it.
          credential.claims.some((path) => path.every((step, at) => step === asked.path?.[at]))),
    ),
  )
}

function unique(names: readonly string[]): string[] {
  return [...new Set(names)]
}

function invalid(detail: string): never {
  throw new Problem('request-invalid', detail)
}

/** Tell the party that nothing will come (OpenID4VP 1.0 §8.5). Failure to tell is no failure. */
export async function declineRequest(unanswered: VerifiedRequest, fetcher?: Fetch): Promise<void> {
  const fields: Record<string, string> = { error: 'access_denied' }
  if (unanswered.state !== null) fields.state = unanswered.state
  try {
    await request(unanswered.responseUri, form(fields), fetcher)
  } catch {
    // the citizen has decided; whether the party hears of it changes nothing for her
  }
}

