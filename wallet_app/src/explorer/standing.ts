/** What a proven record says about now, in one line: in force, suspended, voted for. */
import { isObject, type JsonObject } from '../shared/encoding'
import type { Head } from '../shared/trust'
import type { TextKey } from './text'

export interface Standing {
  readonly key: Extract<TextKey, `standing.${string}`>
  readonly values: Readonly<Record<string, string | number>>
  readonly state?: string
}

export function standing(record: JsonObject, head: Head): Standing | null {
  const height = Number(record.height)
  switch (record.record) {
    case 'accreditation':
      return ofAccreditation(record, head)
    case 'did': {
      const key = record.deactivated === true ? 'standing.deactivated' : 'standing.active'
      return { key, values: { version: Number(record.version) } }
    }
    case 'proposal': {
      const tally = isObject(record.tally) ? record.tally : {}
      // One that is open runs out by itself, without a transaction.
      const expired = record.state === 'open' && head.time > Number(record.expires)
      const values = { yes: Number(tally.yes), no: Number(tally.no), members: Number(tally.members) }
      return { key: 'standing.proposal', values, state: expired ? 'expired' : String(record.state) }
    }
    case 'batch':
      return { key: 'standing.anchored', values: { height, count: Number(record.count) } }
    case 'schema':
      return { key: 'standing.published', values: { height } }
    case 'relying-party':
    case 'status-list':
    case 'status':
      return { key: 'standing.version', values: { version: Number(record.version) } }
    default:
      return null
  }
}

function ofAccreditation(record: JsonObject, head: Head): Standing {
  if (isObject(record.ended)) return { key: 'standing.ended', values: { height: Number(record.ended.height) } }
  const until = typeof record.until_height === 'number' ? record.until_height : null
  if (until !== null && head.height > until) return { key: 'standing.over', values: { height: until } }
  const suspensions = Array.isArray(record.suspensions) ? record.suspensions.filter(isObject) : []
  const open = suspensions.find((item) => item.to === null)
  if (open) return { key: 'standing.suspended', values: { height: Number(open.from) } }
  return until === null ? { key: 'standing.in-force', values: {} } : { key: 'standing.until', values: { height: until } }
}
