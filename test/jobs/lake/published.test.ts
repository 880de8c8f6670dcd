/** Every dataset that we publish is a table of the lake. */
import { expect, test } from 'vitest'
import { datasetDictionary } from '../../../jobs/datasets/dictionary.ts'
import { PUBLISHED } from '../../../jobs/datasets/published.ts'

test('the lake has the datasets that docs/datasets.md lists, each once', () => {
  const listed = [...datasetDictionary().matchAll(/^\| `([a-z0-9_]+)` \| (\d+) \|/gm)]
  expect(listed.length).toBeGreaterThan(10)
  expect(
    PUBLISHED.sets.map(({ dataset, schema_version }) => `${dataset} ${schema_version}`).toSorted(),
  ).toEqual(listed.map(([, dataset, version]) => `${dataset} ${version}`).toSorted())
})
