/** Comments end by column 100. The formatter sees to code, and leaves comments as they are. */
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { ROOT } from './support/imports.ts'

const COLUMNS = 100
const COMMENT = /^\s*(?:\/\/|\/?\*)/

test('no line of a comment is longer than 100 columns', () => {
  const files = globSync('{core,ingestor,jobs,edge-api,sql,infra,bench,test}/**/*.{ts,tsx}', {
    cwd: ROOT,
    exclude: ['**/node_modules/**', '**/dist/**'],
  })
  const long = files.flatMap((file) =>
    readFileSync(join(ROOT, file), 'utf8')
      .split('\n')
      .flatMap((line, index) =>
        COMMENT.test(line) && [...line].length > COLUMNS ? [`${file}:${index + 1}`] : [],
      ),
  )
  expect(files.length).toBeGreaterThan(500)
  expect(long).toEqual([])
})
