/** Every request this page makes: bounded in time and size, without cookies, errors in our words. */
import { concat, MAX_JSON_CHARS, parseJsonObject, type Bytes, type JsonObject } from './encoding'
import { Problem } from './problem'

export type Fetch = typeof fetch

const TIMEOUT_MS = 20_000
const MAX_BYTES = 1 << 21

export interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly text: string
  readonly bytes: Bytes // the same, as it came
}

/**
 * @throws Problem 'insecure-address' for http beyond this machine, 'offline' when nothing answers,
 *   'malformed' when the answer is too long.
 */
export async function request(url: string, init: RequestInit = {}, fetcher: Fetch = fetch): Promise<Answer> {
  const address = safeUrl(url)
  try {
    const response = await fetcher(address, {
      cache: 'no-store',
      credentials: 'omit',
      redirect: 'error', // a redirect could carry a token to somebody else
      referrerPolicy: 'no-referrer',
      ...init,
      signal: init.signal ?? AbortSignal.timeout(TIMEOUT_MS),
    })
    const bytes = await readBytes(response)
    return { status: response.status, headers: response.headers, bytes, text: new TextDecoder().decode(bytes) }
  } catch (error) {
    if (error instanceof Problem) throw error
    if (init.signal?.aborted) throw error
    throw new Problem('offline', new URL(address).origin)
  }
}

/** The body, given up as soon as it is longer than anything we read. */
async function readBytes(response: Response): Promise<Bytes> {
  const reader = response.body?.getReader()
  const parts: Uint8Array[] = []
  for (let length = 0; reader; ) {
    const { done, value } = await reader.read()
    if (done) break
    length += value.length
    if (length > MAX_BYTES) {
      await reader.cancel()
      throw new Problem('malformed', 'answer is too long')
    }
    parts.push(value)
  }
  return concat(...parts)
}

/** A JSON answer with a 2xx status. @throws Problem 'server' for 5xx and 429, 'refused' otherwise. */
export async function requestJson(url: string, init: RequestInit = {}, fetcher: Fetch = fetch): Promise<JsonObject> {
  return jsonOf(await request(url, init, fetcher))
}

export function jsonOf(answer: Answer): JsonObject {
  if (answer.status >= 500 || answer.status === 429) throw new Problem('server', String(answer.status))
  if (answer.status < 200 || answer.status > 299) {
    throw new Problem('refused', errorDetail(answer))
  }
  return parseJsonObject(answer.text, MAX_JSON_CHARS)
}

/** The OAuth `error`, or the last part of the problem `type`, of a refusal; '' when there is none. */
export function errorCode(answer: Answer): string {
  try {
    const body = parseJsonObject(answer.text, 16_384)
    const code = body.error ?? (typeof body.type === 'string' ? body.type.split('/').at(-1) : '')
    return typeof code === 'string' ? code.slice(0, 80) : ''
  } catch {
    return ''
  }
}

/** What the other side said about its refusal, for the details that support asks for. */
export function errorDetail(answer: Answer): string {
  try {
    const body = parseJsonObject(answer.text, 16_384)
    const detail = body.error_description ?? body.detail
    if (typeof detail === 'string' && detail) return detail.slice(0, 300)
  } catch {
    // no JSON: the code will do
  }
  return errorCode(answer) || String(answer.status)
}

/** https everywhere; http only to this machine, and to the page's own origin. @throws Problem */
export function safeUrl(text: string): string {
  let url: URL
  try {
    url = new URL(text)
  } catch {
    throw new Problem('malformed', 'not an address')
  }
  const own = typeof location !== 'undefined' && url.origin === location.origin
  const local = ['127.0.0.1', 'localhost', '[::1]'].includes(url.hostname)
  if (url.protocol !== 'https:' && !(url.protocol === 'http:' && (own || local))) {
    throw new Problem('insecure-address', url.protocol)
  }
  if (url.username || url.password) throw new Problem('insecure-address', 'address holds a password')
  return url.href
}

/** `{base}` of the installation that served this page, without trailing slash. */
export function ownBase(): string {
  return new URL('..', location.href.replace(/[?#].*$/, '')).href.replace(/\/$/, '')
}

export function form(fields: Record<string, string>): RequestInit {
  return { method: 'POST', body: new URLSearchParams(fields) }
}

export function json(body: JsonObject, bearer?: string): RequestInit {
  const headers: Record<string, string> = { 'Content-Type': 'application/json' }
  if (bearer) headers.Authorization = `Bearer ${bearer}`
  return { method: 'POST', body: JSON.stringify(body), headers }
}
