/** The client's types are those of the OpenAPI document. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { apiDocument } from '../../../infra/client/api-document.ts'
import { printTypes } from '../../../infra/client/print-types.ts'
import { ROOT } from '../../support/imports.ts'

/** Without what a formatter changes. */
const bare = (text: string): string => text.replaceAll(/[\s|;()*]+/g, '')

test('edge-api/client/api.ts is what the document says: npm run client:types', async () => {
  const written = readFileSync(join(ROOT, 'edge-api/client/api.ts'), 'utf8')
  const is_same = bare(written) === bare(printTypes(await apiDocument()))
  expect(is_same).toBe(true)
})
