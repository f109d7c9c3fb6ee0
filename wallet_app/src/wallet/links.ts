/** What a scanned code or a pasted text is. */
import { Problem } from '../shared/problem'
import { parseGuardianLink, type GuardianLink } from './guardians/codes'

export type Link =
  | GuardianLink
  | { readonly kind: 'offer'; readonly offer: string | null; readonly offerUri: string | null }
  | { readonly kind: 'issuer'; readonly issuer: string; readonly configuration: string }
  | {
      readonly kind: 'request'
      readonly clientId: string
      readonly requestUri: string | null // where the signed request is; null: it is in the link
      readonly request: string | null // the signed request itself; null beside no requestUri: unsigned
      readonly post: boolean
    }

const MAX_LINK_CHARS = 8192 // twice a signed request with its registration and proof in it
const OFFER_SCHEMES = ['openid-credential-offer:', 'haip-vci:']
const REQUEST_SCHEMES = ['openid4vp:', 'haip-vp:', 'eudi-openid4vp:']

/**
 * Read an offer or a request: a custom scheme, or a link to a wallet page with the same parameters
 * (`https://…/wallet/?…`, or after `#`, where servers do not see them).
 *
 * @throws Problem 'not-a-link'; 'request-invalid' for a request that is to be fetched as nobody fetches
 */
export function parseLink(text: string): Link {
  const guardians = parseGuardianLink(text)
  if (guardians) return guardians
  const trimmed = text.trim()
  if (trimmed.length > MAX_LINK_CHARS) throw new Problem('not-a-link', 'too long')
  let url: URL
  try {
    url = new URL(trimmed)
  } catch {
    throw new Problem('not-a-link', 'not an address')
  }
  const web = url.protocol === 'https:' || url.protocol === 'http:'
  const query = url.search.length > 1 ? url.search : url.hash
  const parameters = new URLSearchParams(query.slice(1))
  if (web || OFFER_SCHEMES.includes(url.protocol)) {
    const offer = parameters.get('credential_offer')
    const offerUri = parameters.get('credential_offer_uri')
    if ((offer === null) !== (offerUri === null)) return { kind: 'offer', offer, offerUri }
    // An agency's "ask for this card": who issues it, and which one.
    const [issuer, configuration] = [parameters.get('issuer'), parameters.get('configuration')]
    if (issuer && configuration) return { kind: 'issuer', issuer, configuration }
  }
  if (web || REQUEST_SCHEMES.includes(url.protocol)) {
    const clientId = parameters.get('client_id')
    const requestUri = parameters.get('request_uri')
    const signed = parameters.get('request')
    const method = parameters.get('request_uri_method') ?? 'get'
    if (clientId && (requestUri || signed || parameters.get('response_uri'))) {
      // OpenID4VP 1.0 §8.5, invalid_request_uri_method: neither of the two, in lower case.
      if (method !== 'get' && method !== 'post') throw new Problem('request-invalid', 'request_uri_method')
      return {
        kind: 'request',
        clientId,
        requestUri,
        request: requestUri ? null : signed,
        post: method === 'post',
      }
    }
  }
  throw new Problem('not-a-link', url.protocol)
}

/** The link that this page itself was opened with, or null. */
export function linkOfPage(address: string): Link | null {
  const url = new URL(address)
  const given = /^#link=(.+)$/.exec(url.hash)?.[1]
  try {
    return parseLink(given ? decodeURIComponent(given) : address)
  } catch {
    return null
  }
}
