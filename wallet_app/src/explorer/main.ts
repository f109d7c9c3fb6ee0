import { mount } from 'svelte'
import '../shared/theme.css'
import { showLanguage } from '../shared/language.svelte'
import App from './App.svelte'

showLanguage()
const target = document.getElementById('app') as HTMLElement
target.replaceChildren()
mount(App, { target })
