/** A running set of stand-in servers, and a wallet's surroundings in memory. */
import 'fake-indexeddb/auto'
import { IDBFactory } from 'fake-indexeddb'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createWorld, handle } from '../dev/mock.mjs'
import type { Json, JsonObject } from '../src/shared/encoding'
import { Registry } from '../src/shared/registry'
import { Store } from '../src/wallet/store'

/** What the tests touch of the stand-ins, which are plain JavaScript. */
export interface Party {
  did: string
  accessKey: string
  ask(purpose: string): { link: string; request: string }
  object(request: unknown, changes?: JsonObject): string
  requests: Map<string, { id: string; nonce: string; clientId: string; result: { state: string; verdict?: JsonObject } }>
}
export interface World {
  base: string
  ledger: { put(key: string, record: JsonObject): JsonObject; anchor: JsonObject }
  issuer: {
    url: string
    did: string
    offer(types: string[], txCode: string | null): { link: string }
    receipts: Map<string, JsonObject>
    setStatus(value: number): void
    change: JsonObject
    metadata(): JsonObject
  }
  parties: Record<'bar' | 'bank' | 'stranger', Party>
  notifications: Json[]
  seen: { method: string; path: string; body: string }[]
}

export async function startWorld(sealAfter = 0): Promise<{ world: World; close: () => void }> {
  let world: World | null = null
  const server: Server = createServer((request, response) => {
    void handle(world, request, response).then((handled: boolean) => {
      if (!handled) response.writeHead(404).end()
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  world = createWorld(`http://127.0.0.1:${port}`, { sealAfter }) as World
  return { world, close: () => server.close() }
}

export async function newWallet(world: World) {
  globalThis.indexedDB = new IDBFactory()
  const store = await Store.open()
  const registry = new Registry(`${world.base}/registry`, store)
  return { store, registry, now: () => Math.floor(Date.now() / 1000) }
}
