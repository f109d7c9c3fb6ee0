// Says which version of each package that package.json names is really installed.
import { readFileSync } from 'node:fs'

const here = new URL('.', import.meta.url)
const wanted = JSON.parse(readFileSync(new URL('package.json', here)))
const versions = {}
for (const name of Object.keys(wanted.dependencies)) {
  versions[name] = JSON.parse(readFileSync(new URL(`node_modules/${name}/package.json`, here))).version
}
console.log(JSON.stringify(versions))
