/** The service worker answers for the shell, and for nothing that has to do with credentials. */
import { readFileSync } from 'node:fs'
import { runInNewContext } from 'node:vm'
import { describe, expect, test } from 'vitest'

const SCOPE = 'https://h.example/wallet/'
const source = readFileSync(`${import.meta.dirname}/../src/wallet/service_worker.js`, 'utf8').replace(
  "['__SHELL__']",
  "['./', 'assets/wallet-1.js']",
)

interface Asked {
  url: string
  method?: string
  mode?: string
  authorization?: string
}

function answers({ url, method = 'GET', mode = 'cors', authorization }: Asked): boolean {
  const listeners = new Map<string, (event: unknown) => void>()
  const self = { registration: { scope: SCOPE }, addEventListener: (name: string, listener: (event: unknown) => void) => listeners.set(name, listener) }
  const caches = { open: async () => ({ match: async () => new Response('kept'), put: async () => undefined }) }
  runInNewContext(source, { self, caches, URL, Response, Request, Set, Promise, fetch: async () => new Response('net') })
  let answered = false
  const headers = new Headers(authorization ? { Authorization: authorization } : {})
  listeners.get('fetch')!({ request: { url, method, mode, headers }, respondWith: () => (answered = true) })
  return answered
}

describe('answered from the shell', () => {
  test.each<Asked>([
    { url: SCOPE, mode: 'navigate' },
    { url: `${SCOPE}?credential_offer_uri=https://a`, mode: 'navigate' },
    { url: `${SCOPE}assets/wallet-1.js` },
    { url: `${SCOPE}assets/zxing_reader-abc.wasm` },
  ])('$url', (asked) => expect(answers(asked)).toBe(true))
})

describe('never touched', () => {
  test.each<Asked>([
    { url: 'https://h.example/issuers/a/credential', method: 'POST' },
    { url: 'https://h.example/issuers/a/offers/by-reference/x' },
    { url: 'https://h.example/issuers/a/receipts/x' },
    { url: 'https://h.example/issuers/a/status/g/token' },
    { url: 'https://h.example/verifiers/bar/requests/x/object' },
    { url: 'https://h.example/registry/records?key=x' },
    { url: 'https://h.example/rendezvous/x', authorization: 'Bearer x' },
    { url: `${SCOPE}assets/wallet-1.js`, authorization: 'Bearer x' },
    { url: `${SCOPE}assets/wallet-1.js`, method: 'POST' },
    { url: `${SCOPE}assets/wallet-1.js?x=1` },
    { url: `${SCOPE}other`, mode: 'navigate' },
    { url: 'https://h.example/scan/', mode: 'navigate' },
    { url: 'https://other.example/wallet/', mode: 'navigate' },
  ])('$method $url', (asked) => expect(answers(asked)).toBe(false))
})
