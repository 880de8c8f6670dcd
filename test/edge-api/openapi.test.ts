/** The OpenAPI document, as a strict linter reads it. */
import { createConfig, lintFromString } from '@redocly/openapi-core'
import { expect, test } from 'vitest'
import { apiDocument } from '../../infra/client/api-document.ts'

test('a strict linter finds nothing in the OpenAPI document', async () => {
  const config = await createConfig({ extends: ['recommended-strict'] })
  const lint = async (document: object): Promise<readonly string[]> => {
    const problems = await lintFromString({ source: JSON.stringify(document), config })
    return problems.map(({ ruleId, message, location }) =>
      [ruleId, message, location[0]?.pointer].join(' '),
    )
  }
  const document = await apiDocument()
  expect(await lint(document)).toEqual([])
  // It would find something.
  expect(await lint({ ...document, servers: [] })).toHaveLength(1)
})

test('every tuple says what its elements are to tools that do not know prefixItems', async () => {
  const tuples: string[] = []
  JSON.stringify(await apiDocument(), (name, value: unknown) => {
    const { prefixItems, items } = (value ?? {}) as Readonly<Record<string, unknown>>
    if (prefixItems !== undefined) tuples.push(JSON.stringify([items, name]))
    return value
  })
  expect(tuples).toContain('[{"type":"string"},"items"]')
  expect(tuples.filter((tuple) => tuple.startsWith('[null'))).toEqual([])
})
