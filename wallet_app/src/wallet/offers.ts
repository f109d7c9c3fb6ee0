/** Reading a credential offer: who offers, and what (OpenID4VCI 1.0 §4 and §12.2). */
import { localized } from '../shared/claims'
import { isObject, parseJsonObject, type Json, type JsonObject } from '../shared/encoding'
import { requestJson, safeUrl, type Fetch } from '../shared/http'
import type { Localized } from '../shared/language.svelte'
import { Problem } from '../shared/problem'
import type { Link } from './links'

const AUTHORIZATION_CODE = 'authorization_code'
const PRE_AUTHORIZED = 'urn:ietf:params:oauth:grant-type:pre-authorized_code'
export const MAX_COPIES = 5 // of one credential; each is spent at one relying party

export interface TxCode {
  readonly numeric: boolean
  readonly length: number | null
  readonly description: string
}

/** One credential of the offer that this wallet can hold. */
export interface Offered {
  readonly configurationId: string
  readonly scope: string | null
  readonly vct: string
  readonly name: Localized
  readonly colors: { readonly background: string; readonly text: string }
  readonly labels: Readonly<Record<string, Localized>>
}

export interface Offer {
  readonly issuer: string
  readonly issuerName: Localized
  readonly server: string // identifier of the authorization server
  readonly code: string | null // pre-authorized; null: the citizen identifies herself at the agency
  readonly issuerState: string | null
  readonly dpop: boolean
  readonly txCode: TxCode | null
  readonly offered: readonly Offered[]
  readonly batchSize: number
  readonly endpoints: {
    readonly token: string
    readonly par: string | null
    readonly authorization: string | null
    readonly nonce: string | null
    readonly credential: string
    readonly deferred: string | null
    readonly notification: string | null
  }
}

/** `/.well-known/<name>` inserted between host and path of the issuer identifier. */
export function wellKnown(issuer: string, name: string): string {
  const url = new URL(safeUrl(issuer))
  if (url.search || url.hash) throw new Problem('malformed', 'issuer identifier has a query')
  return `${url.origin}/.well-known/${name}${url.pathname === '/' ? '' : url.pathname}`
}

/**
 * Fetch what the offer names and keep what this wallet can use.
 *
 * @throws Problem 'malformed' for what breaks the specification, 'refused' when the offer needs a
 *   grant or a format that this wallet does not have.
 */
export async function readOffer(link: Extract<Link, { kind: 'offer' }>, fetcher: Fetch = fetch): Promise<Offer> {
  const offer = link.offerUri === null
    ? parseJsonObject(link.offer ?? '')
    : await requestJson(link.offerUri, {}, fetcher).catch((error: unknown) => {
        throw error instanceof Problem && error.code === 'refused' ? new Problem('offer-used', error.detail) : error
      })
  const issuer = offer.credential_issuer
  const ids = offer.credential_configuration_ids
  if (typeof issuer !== 'string' || !Array.isArray(ids) || ids.length < 1 || ids.length > 32) {
    throw new Problem('malformed', 'offer')
  }
  const grants = isObject(offer.grants) ? offer.grants : {}
  const known = grants[PRE_AUTHORIZED] ?? grants[AUTHORIZATION_CODE]
  if (!isObject(known)) throw new Problem('refused', 'offer has no grant that this wallet knows')
  const code = PRE_AUTHORIZED in grants ? known['pre-authorized_code'] : null
  if (code !== null && typeof code !== 'string') throw new Problem('malformed', 'offer has no code')
  return describe(issuer, ids, { grant: known, code }, fetcher)
}

/**
 * What an agency issues to whoever identifies herself: an offer that nobody had to make.
 *
 * @throws Problem as `readOffer`
 */
export async function readCatalogue(link: Extract<Link, { kind: 'issuer' }>, fetcher: Fetch = fetch): Promise<Offer> {
  return describe(link.issuer, [link.configuration], { grant: {}, code: null }, fetcher)
}

async function describe(
  issuer: string,
  ids: readonly Json[],
  { grant, code }: { readonly grant: JsonObject; readonly code: string | null },
  fetcher: Fetch,
): Promise<Offer> {
  const metadata = await requestJson(wellKnown(issuer, 'openid-credential-issuer'), {}, fetcher)
  if (metadata.credential_issuer !== issuer) throw new Problem('malformed', 'metadata of another issuer')
  const servers = metadata.authorization_servers
  const server = Array.isArray(servers) && servers.length > 0 ? (grant.authorization_server ?? servers[0]) : issuer
  if (typeof server !== 'string' || (Array.isArray(servers) && servers.length > 0 && !servers.includes(server))) {
    throw new Problem('malformed', 'authorization server')
  }
  const oauth = await requestJson(wellKnown(server, 'oauth-authorization-server'), {}, fetcher)
  if (oauth.issuer !== server) throw new Problem('malformed', 'metadata of another authorization server')

  const configurations = metadata.credential_configurations_supported
  if (!isObject(configurations)) throw new Problem('malformed', 'no configurations')
  const offered = ids.flatMap((id) => readConfiguration(id, configurations))
  if (offered.length === 0) throw new Problem('refused', 'no offered format is known to this wallet')
  const algorithms = oauth.dpop_signing_alg_values_supported
  const batch = metadata.batch_credential_issuance
  const batchSize = isObject(batch) && typeof batch.batch_size === 'number' ? Math.floor(batch.batch_size) : 1
  return {
    issuer,
    issuerName: localized(metadata.display, new URL(issuer).host),
    server,
    code,
    issuerState: typeof grant.issuer_state === 'string' ? grant.issuer_state : null,
    dpop: Array.isArray(algorithms) && algorithms.includes('ES256'),
    txCode: readTxCode(grant.tx_code),
    offered,
    batchSize: Math.max(1, Math.min(batchSize, MAX_COPIES)),
    endpoints: {
      token: endpoint(oauth.token_endpoint),
      par: optionalEndpoint(oauth.pushed_authorization_request_endpoint),
      authorization: optionalEndpoint(oauth.authorization_endpoint),
      nonce: optionalEndpoint(metadata.nonce_endpoint),
      credential: endpoint(metadata.credential_endpoint),
      deferred: optionalEndpoint(metadata.deferred_credential_endpoint),
      notification: optionalEndpoint(metadata.notification_endpoint),
    },
  }
}

function readConfiguration(id: Json, configurations: JsonObject): Offered[] {
  const configuration = typeof id === 'string' ? configurations[id] : undefined
  if (!isObject(configuration)) throw new Problem('malformed', 'offer names an unknown configuration')
  if (configuration.format !== 'dc+sd-jwt' || typeof configuration.vct !== 'string') return []
  const metadata = isObject(configuration.credential_metadata) ? configuration.credential_metadata : {}
  const display = Array.isArray(metadata.display) ? metadata.display : []
  const first = display.find((entry): entry is JsonObject => isObject(entry)) ?? {}
  const labels: Record<string, Localized> = {}
  for (const claim of Array.isArray(metadata.claims) ? metadata.claims.slice(0, 128) : []) {
    if (!isObject(claim) || !Array.isArray(claim.path) || typeof claim.path[0] !== 'string') continue
    if (claim.path.length === 1) labels[claim.path[0]] = localized(claim.display, claim.path[0])
  }
  return [
    {
      configurationId: id as string,
      scope: typeof configuration.scope === 'string' ? configuration.scope : null,
      vct: configuration.vct,
      name: localized(display, typeName(configuration.vct)),
      colors: readable(color(first.background_color, '#33475b'), color(first.text_color, '#ffffff')),
      labels,
    },
  ]
}

/** `…/resident-identity/1` -> `resident-identity`: the name under which the ledger knows a type. */
export function typeName(vct: string): string {
  const parts = vct.split('/')
  return (parts.length > 1 ? parts.at(-2) : vct) as string
}

/** Only plain colours: whatever else CSS can say has no business in an issuer's metadata. */
function color(value: Json | undefined, fallback: string): string {
  return typeof value === 'string' && /^#[0-9a-fA-F]{6}$/.test(value) ? value : fallback
}

/** The issuer's colours, or with black or white text where its own could not be read (WCAG 1.4.3). */
export function readable(background: string, text: string): { background: string; text: string } {
  const contrast = (one: string): number => {
    const [a, b] = [luminance(one), luminance(background)]
    return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05)
  }
  if (contrast(text) >= 4.5) return { background, text }
  return { background, text: contrast('#ffffff') >= contrast('#000000') ? '#ffffff' : '#000000' }
}

/** Relative luminance of `#rrggbb`, 0 to 1 (WCAG 2.2, "relative luminance"). */
function luminance(color: string): number {
  const [r, g, b] = [1, 3, 5].map((at) => {
    const channel = parseInt(color.slice(at, at + 2), 16) / 255
    return channel <= 0.04045 ? channel / 12.92 : ((channel + 0.055) / 1.055) ** 2.4
  }) as [number, number, number]
  return 0.2126 * r + 0.7152 * g + 0.0722 * b
}

function readTxCode(value: Json | undefined): TxCode | null {
  if (!isObject(value)) return null
  return {
    numeric: value.input_mode !== 'text',
    length: typeof value.length === 'number' && value.length > 0 && value.length <= 64 ? value.length : null,
    description: typeof value.description === 'string' ? value.description.slice(0, 300) : '',
  }
}

function endpoint(value: Json | undefined): string {
  if (typeof value !== 'string') throw new Problem('malformed', 'endpoint is missing')
  return safeUrl(value)
}

function optionalEndpoint(value: Json | undefined): string | null {
  return value === undefined ? null : endpoint(value)
}
