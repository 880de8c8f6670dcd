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

test('every number says its size, so that no client reads an id as 32 bits', async () => {
  const document = await apiDocument()
  expect(document.components.schemas['LatestQuote']).toMatchObject({
    properties: { update_id: { type: 'integer', format: 'int64' } },
  })
  const sizes = new Set<string>()
  visit(document, ({ type, format }) => {
    const types = [type].flat().filter((one) => one === 'integer' || one === 'number')
    if (types.length > 0) sizes.add(`${types.join(' ')}: ${format}`)
  })
  expect([...sizes].toSorted()).toEqual(['integer: int32', 'integer: int64', 'number: double'])
})

test('what an array holds has a name, which is the name of its class in a client', async () => {
  const { components } = await apiDocument()
  const unnamed: string[] = []
  visit(components, ({ items }) => {
    if (items?.properties !== undefined) unnamed.push(Object.keys(items.properties).join())
  })
  expect(unnamed).toEqual([])
})

interface Schema {
  readonly type?: unknown
  readonly format?: string
  readonly items?: Schema
  readonly properties?: Readonly<Record<string, Schema>>
}

function visit(node: unknown, see: (schema: Schema) => void): void {
  if (typeof node !== 'object' || node === null) return
  see(node)
  for (const child of Object.values(node)) visit(child, see)
}
