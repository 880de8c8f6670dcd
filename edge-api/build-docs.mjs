/**
 * Collects the static assets of /docs in dist/public: our page from public/ and Swagger UI from
 * node_modules, so that the page loads nothing from other hosts. It is plain JavaScript because
 * wrangler runs it with any version of Node. Files that are already up to date are not touched.
 */
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'

const here = import.meta.dirname
const swagger = dirname(createRequire(import.meta.url).resolve('swagger-ui-dist/package.json'))
const target = join(here, 'dist', 'public')

for (const name of readdirSync(join(here, 'public'), { recursive: true, withFileTypes: true })) {
  if (!name.isFile()) continue
  const path = join(name.parentPath, name.name)
  put(path, join(target, path.slice(join(here, 'public').length)))
}
for (const name of ['swagger-ui-bundle.js', 'swagger-ui.css', 'favicon-32x32.png']) {
  put(join(swagger, name), join(target, 'docs', name))
}

function put(from, to) {
  const bytes = readFileSync(from)
  try {
    if (readFileSync(to).equals(bytes)) return
  } catch {
    mkdirSync(dirname(to), { recursive: true })
  }
  writeFileSync(to, bytes)
}
