/** What a log entry says, for people: which section shows it, which record it made, and what must agree. */
import { canonicalJson, hex, isObject, type Json, type JsonObject } from '../shared/encoding'
import { derivedDid, transactionId } from '../shared/log'
import type { TextKey } from './text'

export const SECTIONS = ['entries', 'issuers', 'members', 'votes', 'schemas', 'batches', 'parties'] as const
export type Section = (typeof SECTIONS)[number]

export type Line =
  | { readonly label: LabelKey; readonly kind: 'text' | 'code' | 'did'; readonly value: string }
  | { readonly label: LabelKey; readonly kind: 'types'; readonly value: readonly string[] }
  | { readonly label: LabelKey; readonly kind: 'claims'; readonly value: readonly string[] }
  | { readonly label: LabelKey; readonly kind: 'localized'; readonly value: Readonly<Record<string, string>> }
export type LabelKey = Extract<TextKey, `label.${string}`>

export interface Fact {
  readonly id: string
  readonly action: string // of the transaction, 'genesis', or 'record' for a fact without an entry
  readonly section: Section
  readonly entry: { readonly index: number; readonly value: JsonObject } | null
  readonly height: number
  readonly time: number
  readonly lines: readonly Line[]
  readonly key: string | null // of the record that shows what holds now
  readonly agrees: JsonObject // members that the record must have, as long as it is of this version
}

/** The fact that entry number `index` states. Shapes that this page does not know stay readable as JSON. */
export function factOf(value: JsonObject, index: number): Fact {
  const frame = { id: `entry-${index}`, entry: { index, value }, height: Number(value.height), time: Number(value.time) }
  if (isObject(value.genesis)) {
    const { network, members } = value.genesis
    const lines: Line[] = [text('label.network', network)]
    for (const member of list(members)) lines.push(text('label.member', member.name), did('label.did', member.did))
    return { ...frame, action: 'genesis', section: 'entries', lines, key: 'network', agrees: { network: network ?? null } }
  }
  const payload = isObject(value.transaction) && isObject(value.transaction.payload) ? value.transaction.payload : {}
  const body = isObject(payload.body) ? payload.body : {}
  const author = String(payload.author ?? '')
  const id = hex(transactionId(payload))
  const described = describe(String(payload.action), body, { author, payload, id, height: Number(value.height) })
  return { ...frame, action: String(payload.action), section: 'entries', key: `tx/${id}`, agrees: {}, ...described }
}

interface Around {
  readonly author: string
  readonly payload: JsonObject
  readonly id: string
  readonly height: number
}
type Described = Pick<Fact, 'lines'> & Partial<Pick<Fact, 'section' | 'key' | 'agrees'>>

function describe(action: string, body: JsonObject, { author, payload, id, height }: Around): Described {
  const by = did('label.by', author)
  switch (action) {
    case 'create-did': {
      const created = derivedDid(payload)
      return {
        lines: [did('label.did', created), ...items(body.alsoKnownAs).slice(0, 4).map((address) => code('label.address', address))],
        key: `did/${created}`,
        agrees: { did: created },
      }
    }
    case 'update-did':
    case 'deactivate-did':
      return { lines: [did('label.did', author)], key: `did/${author}`, agrees: { did: author } }
    case 'accredit':
      return { ...accreditation(body), lines: [...accreditation(body).lines, did('label.granted-by', author)] }
    case 'suspend-accreditation':
    case 'reinstate-accreditation':
    case 'end-accreditation':
      return {
        section: 'issuers',
        lines: [code('label.accreditation', body.accreditation), text('label.reason', body.reason), by],
        key: `accreditation/${String(body.accreditation)}`,
        agrees: { accreditation: body.accreditation ?? null },
      }
    case 'declare-compromise':
      return {
        lines: [did('label.did', body.subject), text('label.key', body.fragment), text('label.at-height', body.from_height), text('label.reason', body.reason), by],
        key: `compromise/${String(body.subject)}`,
        agrees: { subject: body.subject ?? null },
      }
    case 'publish-schema': {
      const schema = isObject(body.schema) ? body.schema : {}
      return {
        section: 'schemas',
        lines: [types('label.type', [body.name ?? '']), text('label.version', body.version), text('label.about', schema.description), by],
        key: `schema/${String(body.name)}/${String(body.version)}`,
        agrees: { ...pick(body, ['name', 'version', 'schema']), publisher: author },
      }
    }
    case 'anchor-batch':
      return {
        section: 'batches',
        lines: [types('label.types', body.types), text('label.count', body.count), did('label.issuer', author), code('label.batch', body.batch), code('label.root', body.root)],
        key: `batch/${author}/${String(body.batch)}`,
        agrees: { ...pick(body, ['batch', 'root', 'count', 'types']), issuer: author, height },
      }
    case 'publish-status':
      return {
        lines: [text('label.version', body.version), did('label.issuer', author), code('label.group', body.group)],
        key: `status/${author}/${String(body.group)}`,
        agrees: { issuer: author },
      }
    case 'register-relying-party': {
      const purposes = list(body.purposes)
      return {
        section: 'parties',
        lines: [
          text('label.name', body.name),
          ...purposes.flatMap((purpose): Line[] => [
            localized('label.purpose', purpose.description),
            claims(purpose),
            ...(purpose.pseudonym === true ? [text('label.pseudonym', true)] : []),
          ]),
          did('label.did', body.party),
          by,
        ],
        key: `relying-party/${String(body.party)}`,
        agrees: pick(body, ['party', 'version', 'name', 'purposes']),
      }
    }
    case 'propose': {
      const details = isObject(body.details) ? body.details : {}
      const granted = body.change === 'accredit' ? accreditation(details).lines : changed(details)
      return {
        section: 'votes',
        lines: [text('label.change', body.change), ...granted, text('label.reason', body.reason), did('label.proposer', author), code('label.proposal', id)],
        key: `proposal/${id}`,
        agrees: { change: body.change ?? null, details, proposer: author },
      }
    }
    case 'vote':
      return {
        section: 'votes',
        lines: [text('label.vote', body.vote), by, code('label.proposal', body.proposal)],
        key: `proposal/${String(body.proposal)}`,
        agrees: { proposal: body.proposal ?? null },
      }
    case 'record-disclosure':
      return {
        lines: [text('label.number', body.number), text('label.basis', body.legal_basis), ...items(body.institutions).map((item) => did('label.institution', item))],
        key: `disclosure-order/${String(body.number)}`,
        agrees: pick(body, ['number', 'reference', 'legal_basis', 'commitment', 'notice_days']),
      }
    default:
      return { lines: author ? [by] : [], agrees: { height } }
  }
}

/** What a proposal would change. */
function changed(details: JsonObject): Line[] {
  const { name, member, accreditation: grant, rule, value, version, at_height: from } = details
  return [
    text('label.name', name),
    did('label.member', member),
    code('label.accreditation', grant),
    text('label.rule', rule),
    text('label.value', value),
    text('label.version', version),
    text('label.at-height', from),
  ]
}

function accreditation(body: JsonObject): Described & { section: Section } {
  return {
    section: 'issuers',
    lines: [did('label.subject', body.subject), text('label.role', body.role), types('label.types', body.types), code('label.accreditation', body.accreditation)],
    key: `accreditation/${String(body.accreditation)}`,
    agrees: pick(body, ['accreditation', 'subject', 'role', 'types']),
  }
}

/** A member of the consortium, as a proven record names it. */
export function memberFact(name: string, member: string, active: boolean): Fact {
  return {
    id: `member-${member}`,
    action: active ? 'member' : 'former-member',
    section: 'members',
    entry: null,
    height: 0,
    time: 0,
    lines: [text('label.name', name), did('label.did', member)],
    key: `did/${member}`,
    agrees: { did: member },
  }
}

/** The members of `agrees` that `record` does not have with the same value. */
export function disagreements(fact: Fact, record: JsonObject): string[] {
  // A later version of the same thing may say something else; that it is later must show.
  const newer = typeof fact.agrees.version === 'number' && Number(record.version) > fact.agrees.version
  const names = newer ? ['party'].filter((name) => name in fact.agrees) : Object.keys(fact.agrees)
  return names.filter((name) => !(name in record) || canonicalJson(record[name] as Json) !== canonicalJson(fact.agrees[name] as Json))
}

/**
 * What DIDs are called: members by their proven names, others by the address that they give themselves;
 * one at this installation (`base`) by its path.
 *
 * A DID is the hash of the payload that made it, addresses included, so that no node can give it
 * another. It stays an address, because anybody may choose one that reads like somebody's name.
 */
export function namesOf(members: readonly Fact[], entries: readonly JsonObject[], base: string): Map<string, string> {
  const names = new Map<string, string>()
  for (const entry of entries) {
    const payload = isObject(entry.transaction) && isObject(entry.transaction.payload) ? entry.transaction.payload : null
    if (!payload || !isObject(payload.body)) continue
    const { action, body } = payload
    if (action === 'create-did' && Array.isArray(body.alsoKnownAs) && typeof body.alsoKnownAs[0] === 'string') {
      names.set(derivedDid(payload), shortAddress(body.alsoKnownAs[0], base))
    }
  }
  for (const { lines } of members) names.set(String(lines[1]?.value), String(lines[0]?.value))
  return names
}

/** Without scheme; what is at this installation begins with a slash, and nothing else does. */
function shortAddress(address: string, base: string): string {
  return address.startsWith(`${base}/`) ? address.slice(base.length) : address.replace(/^https?:\/\//, '').replace(/^\/+/, '')
}

function claims(purpose: JsonObject): Line {
  const asked = list(purpose.credentials).flatMap((credential) => items(credential.claims).map((path) => items(path).join('.')))
  return { label: 'label.claims', kind: 'claims', value: asked }
}

function pick(body: JsonObject, names: readonly string[]): JsonObject {
  return Object.fromEntries(names.map((name) => [name, body[name] ?? null]))
}

function items(value: Json | undefined): Json[] {
  return Array.isArray(value) ? value : []
}

function list(value: Json | undefined): JsonObject[] {
  return items(value).filter(isObject)
}

function shown(value: Json | undefined): string {
  return typeof value === 'string' ? value : value === undefined ? '' : canonicalJson(value)
}

const text = (label: LabelKey, value: Json | undefined): Line => ({ label, kind: 'text', value: shown(value) })
const code = (label: LabelKey, value: Json | undefined): Line => ({ label, kind: 'code', value: shown(value) })
const did = (label: LabelKey, value: Json | undefined): Line => ({ label, kind: 'did', value: shown(value) })
const types = (label: LabelKey, value: Json | undefined): Line => ({ label, kind: 'types', value: items(value).map(shown) })
function localized(label: LabelKey, value: Json | undefined): Line {
  const entries = isObject(value) ? Object.entries(value).map(([tag, words]) => [tag, shown(words)]) : []
  return { label, kind: 'localized', value: Object.fromEntries(entries) as Record<string, string> }
}
