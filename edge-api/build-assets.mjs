/**
 * Collects the static assets in dist/public: our pages from public/, Swagger UI for /docs from
 * node_modules, and the bundled page of /chart, so that no page loads anything from other hosts.
 * It is plain JavaScript because wrangler runs it with any version of Node. Files that are already
 * up to date are not touched.
 */
import { mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { bundleChart } from './chart/bundle.mjs'

const here = import.meta.dirname
const swagger = dirname(createRequire(import.meta.url).resolve('swagger-ui-dist/package.json'))
const target = join(here, 'dist', 'public')

for (const name of readdirSync(join(here, 'public'), { recursive: true, withFileTypes: true })) {
  if (!name.isFile()) continue
  const path = join(name.parentPath, name.name)
  put(readFileSync(path), join(target, path.slice(join(here, 'public').length)))
}
for (const name of ['swagger-ui-bundle.js', 'swagger-ui.css', 'favicon-32x32.png']) {
  put(readFileSync(join(swagger, name)), join(target, 'docs', name))
}
const chart = await bundleChart()
removeOthers(join(target, 'chart'), new Set(chart.map(({ path }) => path)))
for (const { path, bytes } of chart) put(bytes, join(target, 'chart', path))

function put(bytes, to) {
  try {
    if (readFileSync(to).equals(bytes)) return
  } catch {
    mkdirSync(dirname(to), { recursive: true })
  }
  writeFileSync(to, bytes)
}

/** Names of bundled files change with their content. */
function removeOthers(dir, kept) {
  mkdirSync(dir, { recursive: true })
  for (const name of readdirSync(dir, { recursive: true, withFileTypes: true })) {
    const path = join(name.parentPath, name.name)
    if (name.isFile() && !kept.has(path.slice(dir.length + 1))) rmSync(path)
  }
}
