import { mount } from 'svelte'
import '../shared/theme.css'
import { showLanguage } from '../shared/language.svelte'
import { asProblem, Problem } from '../shared/problem'
import App from './App.svelte'
import { Store } from './store'
import { Wallet } from './wallet.svelte'

async function start(): Promise<void> {
  showLanguage()
  let wallet: Wallet | null = null
  let problem: Problem | null = null
  try {
    if (!isSecureContext) throw new Problem('insecure-page')
    wallet = new Wallet(await Store.open())
    await wallet.start()
  } catch (error) {
    problem = asProblem(error)
  }
  const target = document.getElementById('app') as HTMLElement
  target.replaceChildren()
  mount(App, { target, props: { wallet, problem } })
  if (import.meta.env.PROD && 'serviceWorker' in navigator) {
    // Scope is the folder of this page; without a worker the page works as well, only not offline.
    navigator.serviceWorker.register('./sw.js').catch(() => undefined)
  }
}

void start()
