/*
 * Keeps the shell of the wallet page, so that it opens without a connection. The build puts the
 * version and the list of files in.
 *
 * It answers for these files and for nothing else. Offers, credentials, requests, status lists and
 * the registry are never looked at and never kept: for them this worker does not exist.
 */
const VERSION = '__VERSION__'
const SHELL = ['__SHELL__']

const CACHE = `cairn-shell-${VERSION}`
const READER = /\/wallet\/assets\/(zxing_reader|reader)[^/]*\.(wasm|js)$/ // kept when first used
const scope = new URL(self.registration.scope)
const shell = new Set(SHELL.map((path) => new URL(path, scope).href))

self.addEventListener('install', (event) => {
  event.waitUntil(
    caches
      .open(CACHE)
      // Past the browser's own cache, which may still hold files of an older version.
      .then((cache) => cache.addAll([...shell].map((url) => new Request(url, { cache: 'reload' }))))
      .then(() => self.skipWaiting()),
  )
})

self.addEventListener('activate', (event) => {
  event.waitUntil(
    caches
      .keys()
      .then((names) => names.filter((name) => name.startsWith('cairn-shell-') && name !== CACHE))
      .then((old) => Promise.all(old.map((name) => caches.delete(name))))
      .then(() => self.clients.claim()),
  )
})

self.addEventListener('fetch', (event) => {
  const { request } = event
  const url = new URL(request.url)
  if (request.method !== 'GET' || url.origin !== scope.origin) return
  if (request.headers.has('Authorization')) return
  const address = url.origin + url.pathname
  if (request.mode === 'navigate') {
    // The page itself, whatever its query says: from the net if it can be had, else from the shell.
    if (address === scope.href || address === `${scope.href}index.html`) event.respondWith(page(request))
    return
  }
  if (url.search) return
  if (shell.has(address)) event.respondWith(fromShell(request))
  else if (READER.test(url.pathname)) event.respondWith(fromShell(request, true))
})

async function page(request) {
  const kept = () => caches.open(CACHE).then((cache) => cache.match(scope.href))
  try {
    const answer = await fetch(request)
    return answer.ok ? answer : ((await kept()) ?? answer)
  } catch {
    return (await kept()) ?? Response.error()
  }
}

async function fromShell(request, keep = false) {
  const cache = await caches.open(CACHE)
  const kept = await cache.match(request.url)
  if (kept) return kept
  const answer = await fetch(request)
  if (keep && answer.ok) await cache.put(request.url, answer.clone())
  return answer
}
