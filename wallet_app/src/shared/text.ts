/**
 * Every word of the two pages, in English and Simplified Chinese. Plain words; what happened, then
 * what to do. A key missing in one language is a type error.
 */
import type { en } from './text/en'

export { en } from './text/en'
export { zh } from './text/zh'

export type TextKey = keyof typeof en
