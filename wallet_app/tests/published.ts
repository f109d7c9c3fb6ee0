/** Where the published vectors are; they are not part of this repository. */
import { existsSync } from 'node:fs'
import { resolve } from 'node:path'

const folder = process.env.CAIRN_VECTORS ?? resolve(import.meta.dirname, '../../../shared/vectors')

export const haveVectors = existsSync(folder)
if (!haveVectors) console.warn(`published vectors are skipped: no ${folder}; set CAIRN_VECTORS`)

export function vectors(...parts: string[]): string {
  return resolve(folder, ...parts)
}
