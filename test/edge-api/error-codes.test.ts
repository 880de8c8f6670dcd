/** The list of error codes on /docs is that of the sources. */
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { ROOT } from '../support/imports.ts'

/** Where codes become answers of the API. The gateway and the admin API answer other programs. */
const SOURCES = globSync('{core/problem.ts,edge-api/**/*.ts}', {
  cwd: ROOT,
  exclude: ['edge-api/{client,chart,gateway,node,dist}/**', '**/dist/**'],
})

const PATTERNS = [
  /new Problem\(\s*(\d+),\s*'([a-z_]+)'/g,
  /\b(unauthorized)\('([a-z_]+)'/g,
  /^ {2}([a-z_]+): \{ status: (\d+), title/gm,
]

test('/docs explains every error code with its status, and no other', () => {
  const found = new Set<string>()
  for (const file of SOURCES) {
    const text = readFileSync(join(ROOT, file), 'utf8')
    for (const [index, pattern] of PATTERNS.entries()) {
      for (const [, first, second] of text.matchAll(pattern)) {
        const [status, code] = index === 2 ? [second, first] : [first, second]
        found.add(`${status === 'unauthorized' ? '401' : status} ${code}`)
      }
    }
  }
  const path = join(ROOT, 'edge-api/public/docs/errors.json')
  const listed = JSON.parse(readFileSync(path, 'utf8')) as [number, string, string][]
  expect(listed.map(([status, code]) => `${status} ${code}`).toSorted()).toEqual(
    [...found].toSorted(),
  )
  for (const [, , meaning] of listed) expect(meaning).toMatch(/^[A-Z/].*\.$/)
})
