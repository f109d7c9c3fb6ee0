/** Stand-in issuer and relying parties: keys, DIDs on the stand-in ledger, credentials, requests. */
import { createPublicKey, generateKeyPairSync, randomBytes, sign, verify } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { deflateSync } from 'node:zlib'
import { b64u, jcs, labelled, leafHash, sha256, treePath, treeRoot } from './ledger.mjs'

const BASE58 = '123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz'
const now = () => Math.floor(Date.now() / 1000)

function base58(bytes) {
  let value = BigInt(`0x${Buffer.from(bytes).toString('hex')}`)
  let text = ''
  for (; value > 0n; value /= 58n) text = BASE58[Number(value % 58n)] + text
  return text
}

export function p256() {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const { x, y } = publicKey.export({ format: 'jwk' })
  const bytes = Buffer.from(x, 'base64url')
  const sign02 = Buffer.of(2 + (Buffer.from(y, 'base64url')[31] & 1))
  const multikey = `z${base58(Buffer.concat([Buffer.of(0x80, 0x24), sign02, bytes]))}`
  return { privateKey, multikey }
}

export function jws(header, payload, privateKey) {
  const input = [header, payload].map((part) => b64u(Buffer.from(JSON.stringify(part)))).join('.')
  return `${input}.${b64u(sign('sha256', Buffer.from(input), { key: privateKey, dsaEncoding: 'ieee-p1363' }))}`
}

export function readJws(text, jwk) {
  const [header, payload, signature] = text.split('.')
  const key = createPublicKey({ key: jwk, format: 'jwk' })
  const good = verify(
    'sha256',
    Buffer.from(`${header}.${payload}`),
    { key, dsaEncoding: 'ieee-p1363' },
    Buffer.from(signature, 'base64url'),
  )
  return { good, ...peek(text) }
}

export function peek(text) {
  const [header, payload] = text.split('.')
  const read = (part) => JSON.parse(Buffer.from(part, 'base64url').toString())
  return { header: read(header), payload: read(payload) }
}

const PEOPLE = {
  'resident-identity': {
    family_name: '李',
    given_name: '小梅',
    birth_date: '1994-03-11',
    sex: 'female',
    nationality: 'CN',
    age_over_16: true,
    age_over_18: true,
    age_over_21: true,
    assurance_level: 'IAL2',
    issuing_country: 'CN',
  },
  degree: {
    degree_name: 'Bachelor of Engineering',
    degree_level: 'bachelor',
    field_of_study: 'Hydraulic engineering',
    awarded_on: '2016-06-30',
    institution: 'River University',
    family_name: '李',
    given_name: '小梅',
  },
}

export class Issuer {
  constructor(base, ledger) {
    Object.assign(this, { base, ledger, url: `${base}/issuers/civil-registry` })
    this.did = ledger.newDid()
    this.key = p256()
    this.offers = new Map()
    this.tokens = new Map()
    this.nonces = new Set()
    this.receipts = new Map()
    this.statuses = new Uint8Array(131072 / 4)
    this.nextIndex = 7
    this.change = {} // tests put wrong things into what is signed
    ledger.put(`did/${this.did}`, {
      record: 'did',
      did: this.did,
      version: 1,
      deactivated: false,
      verificationMethods: [{ fragment: 'jose-1', publicKeyMultibase: this.key.multikey, purposes: ['assertionMethod'] }],
      alsoKnownAs: [this.url],
      services: [],
    })
  }

  display(type) {
    return JSON.parse(readFileSync(new URL(`../../schemas/${type}/1/display.json`, import.meta.url), 'utf8'))
  }

  metadata() {
    const named = (texts) => [
      { name: texts.en, locale: 'en-US' },
      { name: texts.zh, locale: 'zh-CN' },
    ]
    const configurations = {}
    for (const type of Object.keys(PEOPLE)) {
      const { name, colors, claims } = this.display(type)
      configurations[`${type}-sd-jwt`] = {
        format: 'dc+sd-jwt',
        vct: `${this.base}/schemas/${type}/1`,
        cryptographic_binding_methods_supported: ['jwk'],
        proof_types_supported: { jwt: { proof_signing_alg_values_supported: ['ES256'] } },
        credential_metadata: {
          display: named(name).map((entry) => ({
            ...entry,
            background_color: colors.background,
            text_color: colors.text,
          })),
          claims: Object.entries(claims).map(([claim, texts]) => ({ path: [claim], display: named(texts) })),
        },
      }
    }
    configurations.other = { format: 'ldp_vc' }
    return {
      credential_issuer: this.url,
      credential_endpoint: `${this.url}/credential`,
      nonce_endpoint: `${this.url}/nonce`,
      notification_endpoint: `${this.url}/notification`,
      batch_credential_issuance: { batch_size: 10 },
      display: named({ en: 'Civil Registry of Lakeside', zh: '湖滨市民政局' }),
      credential_configurations_supported: configurations,
    }
  }

  offer(types, txCode) {
    const id = b64u(randomBytes(9))
    const grant = { 'pre-authorized_code': b64u(randomBytes(16)) }
    if (txCode) grant.tx_code = { input_mode: 'numeric', length: txCode.length }
    const offer = {
      credential_issuer: this.url,
      credential_configuration_ids: [...types.map((type) => `${type}-sd-jwt`), 'other'],
      grants: { 'urn:ietf:params:oauth:grant-type:pre-authorized_code': grant },
    }
    this.offers.set(id, { offer, code: grant['pre-authorized_code'], txCode })
    const uri = `${this.url}/offers/${id}`
    return { link: `openid-credential-offer://?credential_offer_uri=${encodeURIComponent(uri)}`, uri, txCode }
  }

  token(fields) {
    const found = [...this.offers.entries()].find(([, { code }]) => code === fields.get('pre-authorized_code'))
    if (!found || (found[1].txCode && found[1].txCode !== fields.get('tx_code'))) return null
    this.offers.delete(found[0])
    const token = b64u(randomBytes(16))
    this.tokens.set(token, true)
    return { access_token: token, token_type: 'Bearer', expires_in: 300 }
  }

  nonce() {
    const nonce = b64u(randomBytes(16))
    this.nonces.add(nonce)
    return nonce
  }

  /** Issue one copy for each proof, and anchor them as one batch after `delay`. */
  issue(configurationId, proofs, delay) {
    const type = configurationId.replace('-sd-jwt', '')
    const batch = b64u(randomBytes(16))
    const digests = []
    const credentials = proofs.map((proof) => {
      const { jwk } = peek(proof).header
      const { good, payload } = readJws(proof, jwk)
      if (!good || payload.aud !== this.url || !this.nonces.has(payload.nonce)) throw new Error('invalid_proof')
      const disclosures = Object.entries(PEOPLE[type]).map((claim) =>
        b64u(Buffer.from(JSON.stringify([b64u(randomBytes(16)), ...claim]))),
      )
      const salt = randomBytes(32)
      const content = {
        iss: this.url,
        vct: `${this.base}/schemas/${type}/1`,
        iat: now() - 5,
        exp: now() + 365 * 86400,
        cnf: { jwk },
        status: { status_list: { idx: this.nextIndex++, uri: `${this.url}/status/main/token` } },
        anchor: { salt: b64u(salt), batch, network: this.ledger.network },
        _sd: disclosures.map((text) => b64u(sha256(text))).sort(),
        _sd_alg: 'sha-256',
        ...this.change,
      }
      digests.push(labelled('cairn/credential/v1', salt, Buffer.from(jcs(content))))
      const header = { typ: 'dc+sd-jwt', alg: 'ES256', kid: `${this.did}#jose-1` }
      return [jws(header, content, this.key.privateKey), ...disclosures, ''].join('~')
    })
    setTimeout(() => this.seal(batch, type, digests), delay)
    return credentials
  }

  seal(batch, type, digests) {
    const leaves = digests.map(leafHash)
    const key = `batch/${this.did}/${batch}`
    const record = this.ledger.put(key, {
      record: 'batch',
      issuer: this.did,
      batch,
      root: b64u(treeRoot(leaves)),
      count: leaves.length,
      types: [type],
    })
    const { proof, head } = this.ledger.prove(key)
    digests.forEach((digest, index) => {
      this.receipts.set(b64u(digest), {
        type: 'cairn-anchor-receipt/1',
        network: this.ledger.network,
        digest: b64u(digest),
        index,
        path: treePath(leaves, index).map(b64u),
        batch: record,
        proof,
        head,
      })
    })
  }

  setStatus(value) {
    this.statuses.fill(value | (value << 2) | (value << 4) | (value << 6))
  }

  statusToken() {
    const payload = {
      sub: `${this.url}/status/main/token`,
      iat: now() - 5,
      exp: now() + 3600,
      status_list: { bits: 2, lst: b64u(deflateSync(this.statuses)) },
      ...this.change,
    }
    return jws({ typ: 'statuslist+jwt', alg: 'ES256', kid: `${this.did}#jose-1` }, payload, this.key.privateKey)
  }
}

export class Party {
  constructor(base, ledger, slug, { name, purposes, register = true }) {
    Object.assign(this, { base, ledger, slug, name, purposes, url: `${base}/verifiers/${slug}` })
    this.accessKey = `${slug}-access-key`
    this.did = ledger.newDid()
    this.key = p256()
    this.requests = new Map()
    ledger.put(`did/${this.did}`, {
      record: 'did',
      did: this.did,
      version: 1,
      deactivated: false,
      verificationMethods: [
        { fragment: 'request-1', publicKeyMultibase: this.key.multikey, purposes: ['authentication'] },
      ],
      alsoKnownAs: [this.url],
      services: [],
    })
    if (register) {
      ledger.put(`relying-party/${this.did}`, {
        record: 'relying-party',
        party: this.did,
        version: 1,
        name: name.en,
        purposes: purposes.filter(({ hidden }) => !hidden),
        registered_by: this.did,
      })
    }
  }

  about() {
    return { name: this.name, did: this.did, purposes: this.purposes }
  }

  ask(code) {
    const purpose = this.purposes.find((one) => one.purpose === code)
    if (!purpose) return null
    const id = b64u(randomBytes(12))
    const clientId = `decentralized_identifier:${this.did}`
    const request = {
      id,
      purpose,
      nonce: b64u(randomBytes(16)),
      state: b64u(randomBytes(16)),
      secret: b64u(randomBytes(24)),
      result: { state: 'pending' },
      clientId,
    }
    this.requests.set(id, request)
    const uri = `${this.url}/requests/${id}/object`
    const query = new URLSearchParams({ client_id: clientId, request_uri: uri, request_uri_method: 'post' })
    return { request: id, request_uri: uri, link: `openid4vp://?${query}`, result_secret: request.secret, expires_in: 120 }
  }

  object(request, changes = {}) {
    const payload = {
      client_id: request.clientId,
      response_type: 'vp_token',
      response_mode: 'direct_post',
      response_uri: `${this.url}/requests/${request.id}/response`,
      nonce: request.nonce,
      state: request.state,
      aud: 'https://self-issued.me/v2',
      iat: now() - 5,
      exp: now() + 120,
      dcql_query: {
        credentials: request.purpose.credentials.map(({ type, claims }, index) => ({
          id: `c${index}`,
          format: 'dc+sd-jwt',
          meta: { vct_values: [`${this.base}/schemas/${type}/1`] },
          claims: claims.map((path) => ({ path })),
        })),
      },
      ...changes,
    }
    return jws({ typ: 'oauth-authz-req+jwt', alg: 'ES256', kid: `${this.did}#request-1` }, payload, this.key.privateKey)
  }

  /** Far fewer checks than the real verifier makes; enough to click through. */
  answer(request, fields, issuer) {
    if (fields.get('error')) {
      request.result = { state: 'declined' }
      return
    }
    const tokens = JSON.parse(fields.get('vp_token'))
    const receipts = JSON.parse(fields.get('anchor_receipts') ?? '{}')
    const outcome = (good) => (good ? 'passed' : 'failed')
    const checks = []
    const credentials = []
    for (const [id, [presentation]] of Object.entries(tokens)) {
      const parts = presentation.split('~')
      const binding = parts.pop()
      const { payload } = peek(parts[0])
      const kb = readJws(binding, payload.cnf.jwk)
      const claims = Object.fromEntries(
        parts.slice(1).map((part) => JSON.parse(Buffer.from(part, 'base64url').toString()).slice(1)),
      )
      const hashed = b64u(sha256(`${parts.join('~')}~`))
      const asked = request.purpose.credentials[Number(id.slice(1))]
      const complete = asked.claims.every(([name]) => name in claims && claims[name] !== false)
      const status = (issuer.statuses[payload.status.status_list.idx >> 2] ?? 0) & 3
      checks.push(
        { check: 'proof', outcome: 'passed', reason: 'ok', detail: 'signature of the issuer verified' },
        { check: 'status', outcome: outcome(status === 0), reason: ['ok', 'revoked', 'suspended'][status], detail: '' },
        { check: 'anchor', outcome: outcome(receipts[id]?.[0] != null), reason: 'receipt', detail: 'anchor receipt checked' },
        {
          check: 'holder_binding',
          outcome: outcome(kb.good && kb.payload.sd_hash === hashed && kb.header.typ === 'kb+jwt'),
          reason: 'key',
          detail: '',
        },
        {
          check: 'audience',
          outcome: outcome(kb.payload.aud === request.clientId && kb.payload.nonce === request.nonce),
          reason: 'nonce',
          detail: '',
        },
        { check: 'policy', outcome: outcome(complete), reason: 'claims', detail: '' },
      )
      credentials.push({ type: asked.type, issuer: issuer.did, claims, holder: payload.cnf.jwk })
    }
    const verified = checks.every((check) => check.outcome === 'passed')
    request.result = { state: 'answered', verdict: { verified, checks, credentials, verified_at: new Date().toISOString() } }
  }
}
