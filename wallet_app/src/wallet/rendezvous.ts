/**
 * "Show my code": the wallet opens a meeting point, shows its reference as a code that changes every
 * 30 seconds, and waits for the request that a relying party leaves there.
 */
import { json, jsonOf, request, type Fetch } from '../shared/http'
import { Problem } from '../shared/problem'

export interface Meeting {
  readonly reference: string
  readonly code: string // what the QR code says
  readonly secret: string
  readonly expiresAt: number // milliseconds
}

export async function openMeeting(base: string, now: number, fetcher: Fetch = fetch): Promise<Meeting> {
  const body = jsonOf(await request(`${base}/rendezvous`, json({}), fetcher))
  const { reference, secret, expires_in: lifetime } = body
  if (typeof reference !== 'string' || !/^[A-Za-z0-9_-]{8,128}$/.test(reference) || typeof secret !== 'string') {
    throw new Problem('malformed', 'meeting point')
  }
  const seconds = typeof lifetime === 'number' && lifetime >= 5 && lifetime <= 300 ? lifetime : 30
  return { reference, secret, code: `${base}/scan/#r=${reference}`, expiresAt: now + seconds * 1000 }
}

/**
 * Ask once whether somebody came. A link when so, null when not yet.
 *
 * @throws Problem 'code-expired' when the meeting point is gone.
 */
export async function lookAt(base: string, meeting: Meeting, signal: AbortSignal, fetcher: Fetch = fetch): Promise<string | null> {
  const answer = await request(
    `${base}/rendezvous/${meeting.reference}`,
    { headers: { Authorization: `Bearer ${meeting.secret}` }, signal },
    fetcher,
  )
  if (answer.status === 204) return null
  if (answer.status === 404 || answer.status === 410) throw new Problem('code-expired')
  const body = jsonOf(answer)
  const link = body.link ?? body.request_uri
  if (typeof link !== 'string') throw new Problem('malformed', 'no link')
  return link
}
