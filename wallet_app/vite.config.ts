import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { svelte } from '@sveltejs/vite-plugin-svelte'
import type { Plugin } from 'vite'
import { defineConfig } from 'vitest/config'

import { mockMiddleware } from './dev/mock.mjs'

const here = import.meta.dirname

/** The stand-in for issuer, verifier and registry, behind `npm run dev` and `npm run preview`. */
function mock(): Plugin {
  return {
    name: 'cairn-mock',
    configureServer: (server) => void server.middlewares.use(mockMiddleware()),
    configurePreviewServer: (server) => void server.middlewares.use(mockMiddleware({ strict: true })),
  }
}

/** Write the service worker with the list of files that make up the wallet's shell. */
function serviceWorker(): Plugin {
  return {
    name: 'cairn-service-worker',
    apply: 'build',
    generateBundle(_options, bundle) {
      // What only the scan page needs is left out, and so is the QR reader: a megabyte that many
      // phones never load, kept when it was first used.
      const wanted = new Set<string>()
      const visit = (name: string): void => {
        const file = bundle[name]
        if (!file || wanted.has(name)) return
        wanted.add(name)
        if (file.type !== 'chunk') return
        file.imports.forEach(visit)
        file.viteMetadata?.importedCss.forEach(visit)
        file.viteMetadata?.importedAssets.forEach((asset) => !asset.endsWith('.wasm') && visit(asset))
      }
      visit('wallet/index.html')
      for (const file of Object.values(bundle)) {
        if (file.type === 'chunk' && file.isEntry && file.facadeModuleId?.endsWith('wallet/index.html')) visit(file.fileName)
      }
      const files = [...wanted]
        .filter((name) => name.startsWith('wallet/') && !name.endsWith('.html'))
        .map((name) => name.slice('wallet/'.length))
      const shell = ['./', 'manifest.webmanifest', 'icon.svg', 'icon-maskable.svg', ...files].sort()
      const source = readFileSync(resolve(here, 'src/wallet/service_worker.js'), 'utf8')
      const digest = createHash('sha256').update(source).update(JSON.stringify(shell))
      for (const name of ['wallet/index.html', 'public/wallet/manifest.webmanifest', 'public/wallet/icon.svg']) {
        digest.update(readFileSync(resolve(here, name)))
      }
      this.emitFile({
        type: 'asset',
        fileName: 'wallet/sw.js',
        source: source
          .replace("'__VERSION__'", JSON.stringify(digest.digest('hex').slice(0, 16)))
          .replace("['__SHELL__']", JSON.stringify(shell, null, 2)),
      })
    },
  }
}

export default defineConfig({
  // Relative addresses: the pages work under any base path of an installation.
  base: './',
  plugins: [svelte(), mock(), serviceWorker()],
  appType: 'mpa',
  server: { port: 5173, host: '127.0.0.1' },
  preview: { port: 4173, host: '127.0.0.1' },
  build: {
    target: 'es2022',
    assetsDir: 'wallet/assets',
    assetsInlineLimit: 0, // a strict policy allows no data: in scripts and styles
    modulePreload: { polyfill: false },
    rollupOptions: {
      input: {
        wallet: resolve(here, 'wallet/index.html'),
        scan: resolve(here, 'scan/index.html'),
        explorer: resolve(here, 'explorer/index.html'),
      },
    },
  },
  test: {
    include: ['tests/**/*.test.ts'],
    environment: 'node',
  },
})
