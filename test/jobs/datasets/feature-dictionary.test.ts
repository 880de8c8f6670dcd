/** The registry is complete, the computed columns match it, and so does the page. */
import { readFileSync, writeFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { FEATURE_SETS, FEATURES_1S, FEATURES_100MS } from '#core/features.ts'
import { featureDictionary } from '../../../jobs/datasets/feature-dictionary.ts'

const KEYS = ['ts', 'exchange', 'symbol']

test('docs/features.md matches the registry (UPDATE_GOLDEN=1 rewrites it)', () => {
  const path = new URL('../../../docs/features.md', import.meta.url)
  if (process.env['UPDATE_GOLDEN'] === '1') writeFileSync(path, featureDictionary())
  expect(readFileSync(path, 'utf8')).toBe(featureDictionary())
})

for (const { dataset, columns } of Object.values(FEATURE_SETS)) {
  test(`${dataset}: keys come first, names are unique, and every column is fully described`, () => {
    const names = columns.map(({ name }) => name)
    expect(names.slice(0, 3)).toEqual(KEYS)
    expect(new Set(names).size).toBe(names.length)
    for (const { name, formula, ...words } of columns) {
      expect(name).toMatch(/^[a-z][a-z0-9_]*$/)
      for (const [field, text] of Object.entries(words))
        expect(text, `${name}.${field}`).not.toBe('')
      if (!KEYS.includes(name)) expect(formula, name).not.toBe('')
    }
  })
}

test('features_100ms is a subset of features_1s, word for word', () => {
  const columns = FEATURES_100MS.filter(({ name }) => !KEYS.includes(name))
  expect(columns).toHaveLength(22)
  for (const column of columns) expect(FEATURES_1S).toContain(column)
})
