/**
 * Stand-in servers for `npm run dev` and `npm run preview`: everything the two pages talk to, with
 * invented people, in memory. It verifies next to nothing and must never run anywhere else.
 *
 * GET /dev/offer[?type=degree&tx_code=…], /dev/status?value=0|1|2, /dev/ask?party=bar&purpose=age-check
 * give what other parties would hand over.
 */
import { randomBytes } from 'node:crypto'
import { Issuer, Party } from './actors.mjs'
import { b64u, Ledger } from './ledger.mjs'

const POLICY =
  "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; img-src 'self' data: blob:; " +
  "media-src 'self' blob:; font-src 'self'; connect-src 'self' https: http://127.0.0.1:* http://localhost:*; " +
  "manifest-src 'self'; worker-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

const text = (en, zh) => ({ en, zh })
const identity = (...claims) => [{ type: 'resident-identity', claims: claims.map((claim) => [claim]) }]

export function createWorld(base, { sealAfter = 1500 } = {}) {
  const ledger = new Ledger()
  const issuer = new Issuer(base, ledger)
  const parties = {
    bar: new Party(base, ledger, 'bar', {
      name: text('The Copper Kettle', '铜壶酒吧'),
      purposes: [
        {
          purpose: 'age-check',
          description: text('Check that you are old enough to buy alcohol', '确认您已达到购买酒精饮料的年龄'),
          credentials: identity('age_over_18'),
          pseudonym: true,
        },
        {
          purpose: 'once', // may not know a wallet again
          description: text('Check your age once', '核对一次年龄'),
          credentials: identity('age_over_18'),
        },
        {
          purpose: 'nosy',
          hidden: true, // not registered: the wallet must warn
          description: text('Ask for far too much', '索取过多信息'),
          credentials: identity('age_over_18', 'birth_date', 'family_name'),
        },
      ],
    }),
    bank: new Party(base, ledger, 'bank', {
      name: text('Harbour Bank', '海港银行'),
      purposes: [
        {
          purpose: 'account-opening',
          description: text('Open an account in your real name', '以实名开立账户'),
          credentials: identity('family_name', 'given_name'),
          pseudonym: true,
        },
      ],
    }),
    stranger: new Party(base, ledger, 'stranger', {
      name: text('Free Prizes', '免费大奖'),
      register: false,
      purposes: [
        {
          purpose: 'prize',
          description: text('You have won', '您中奖了'),
          credentials: identity('family_name', 'birth_date'),
        },
      ],
    }),
  }
  return { base, ledger, issuer, parties, meetings: new Map(), sealAfter, notifications: [] }
}

/** `strict` adds the policy that the real server sends; the development server cannot live under it. */
export function mockMiddleware({ strict = false } = {}) {
  let world = null
  return (request, response, next) => {
    if (strict) response.setHeader('Content-Security-Policy', POLICY)
    response.setHeader('Referrer-Policy', 'no-referrer')
    world ??= createWorld(`http://${request.headers.host}`)
    handle(world, request, response).then((handled) => handled || next(), next)
  }
}

/** Answer a request to the stand-ins; false when the address belongs to nobody here. */
export async function handle(world, request, response) {
  const url = new URL(request.url, world.base)
  const [, first, slug, ...rest] = url.pathname.split('/')
  const bearer = (request.headers.authorization ?? '').replace(/^Bearer /, '')
  const send = (status, body, type = 'application/json') => {
    response.statusCode = status
    response.setHeader('Access-Control-Allow-Origin', '*')
    if (body === undefined) response.end()
    else {
      response.setHeader('Content-Type', type)
      response.end(typeof body === 'string' ? body : JSON.stringify(body))
    }
    return true
  }
  const body = async () => {
    const chunks = []
    for await (const chunk of request) chunks.push(chunk)
    return Buffer.concat(chunks).toString()
  }
  const { ledger, issuer, parties, meetings } = world

  if (first === '.well-known') {
    if (rest.join('/') !== 'issuers/civil-registry') return send(404, { type: '/problems/not-found' })
    if (slug === 'openid-credential-issuer') return send(200, issuer.metadata())
    if (slug === 'oauth-authorization-server') return send(200, { issuer: issuer.url, token_endpoint: `${issuer.url}/token` })
    return send(404, {})
  }
  if (first === 'registry') {
    if (slug === 'trust-anchor') return send(200, ledger.anchor)
    if (slug === 'head') return send(200, ledger.head(), 'text/plain')
    if (slug === 'log' && rest[0] === 'consistency') {
      return send(200, ledger.consistency(Number(url.searchParams.get('first')), Number(url.searchParams.get('second'))))
    }
    if (slug === 'records') {
      const proven = ledger.prove(url.searchParams.get('key'))
      return send(proven.record ? 200 : 404, proven)
    }
  }
  if (first === 'schemas' && rest[1] === 'display.json') return send(200, issuer.display(slug))
  if (first === 'dev') {
    if (slug === 'offer') {
      const types = url.searchParams.getAll('type')
      return send(200, issuer.offer(types.length ? types : ['resident-identity'], url.searchParams.get('tx_code') ?? '493536'))
    }
    if (slug === 'status') {
      issuer.setStatus(Number(url.searchParams.get('value')))
      return send(200, {})
    }
    if (slug === 'ask') return send(200, parties[url.searchParams.get('party')].ask(url.searchParams.get('purpose')))
  }
  if (first === 'issuers' && slug === 'civil-registry') {
    if (rest[0] === 'offers') {
      const found = issuer.offers.get(rest[1])
      return found ? send(200, found.offer) : send(404, { type: '/problems/not-found' })
    }
    if (rest[0] === 'token') {
      const token = issuer.token(new URLSearchParams(await body()))
      return token ? send(200, token) : send(400, { error: 'invalid_grant' })
    }
    if (rest[0] === 'nonce') return send(200, { c_nonce: issuer.nonce() })
    if (rest[0] === 'notification') {
      world.notifications.push(JSON.parse(await body()))
      return send(204)
    }
    if (rest[0] === 'credential') {
      if (!issuer.tokens.has(bearer)) return send(401, { error: 'invalid_token' })
      const asked = JSON.parse(await body())
      try {
        const credentials = issuer.issue(asked.credential_configuration_id, asked.proofs.jwt, world.sealAfter)
        return send(200, { credentials: credentials.map((credential) => ({ credential })), notification_id: b64u(randomBytes(8)) })
      } catch {
        return send(400, { error: 'invalid_proof' })
      }
    }
    if (rest[0] === 'receipts') {
      const receipt = issuer.receipts.get(rest[1])
      return receipt ? send(200, receipt) : send(404, { type: '/problems/not-sealed-yet' })
    }
    if (rest[0] === 'status') return send(200, issuer.statusToken(), 'application/statuslist+jwt')
  }
  if (first === 'rendezvous') {
    if (request.method === 'POST') {
      const meeting = { reference: b64u(randomBytes(16)), secret: b64u(randomBytes(16)), link: null }
      meetings.set(meeting.reference, meeting)
      return send(200, { reference: meeting.reference, secret: meeting.secret, expires_in: 30 })
    }
    const meeting = meetings.get(slug)
    if (!meeting || meeting.secret !== bearer) return send(404, { type: '/problems/not-found' })
    if (!meeting.link) return send(204)
    meetings.delete(slug)
    return send(200, { link: meeting.link })
  }
  if (first === 'verifiers' && parties[slug]) {
    const party = parties[slug]
    if (rest.length === 0 || (rest[0] === 'requests' && rest.length === 1)) {
      if (bearer !== party.accessKey) return send(403, { type: '/problems/access-key' })
      if (rest.length === 0) return send(200, party.about())
      const { purpose, reference } = JSON.parse(await body())
      const meeting = meetings.get(reference)
      if (reference && !meeting) return send(404, { type: '/problems/not-found' })
      const asked = party.ask(purpose)
      if (meeting) meeting.link = asked.link
      return send(201, asked)
    }
    const found = party.requests.get(rest[1])
    if (!found) return send(404, {})
    if (rest[2] === 'object') return send(200, party.object(found), 'application/oauth-authz-req+jwt')
    if (rest[2] === 'response') {
      party.answer(found, new URLSearchParams(await body()), issuer)
      return send(200, {})
    }
    if (rest[2] === 'result' && bearer === found.secret) return send(200, found.result)
    return send(403, {})
  }
  return false
}
