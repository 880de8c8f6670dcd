/** The registry of signals is complete, and so is the page. */
import { readFileSync, writeFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { DETAIL_COLUMNS, SIGNALS, SIGNALS_SET } from '#core/signals/registry.ts'
import { DETAIL_NAMES, SIGNAL_KINDS } from '#core/signals/signal.ts'
import { signalDictionary } from '../../../jobs/datasets/signal-dictionary.ts'

test('docs/signals.md matches the registry (UPDATE_GOLDEN=1 rewrites it)', () => {
  const path = new URL('../../../docs/signals.md', import.meta.url)
  if (process.env['UPDATE_GOLDEN'] === '1') writeFileSync(path, signalDictionary())
  expect(readFileSync(path, 'utf8')).toBe(signalDictionary())
})

test('every kind is fully described, and every detail is of some kind', () => {
  for (const kind of SIGNAL_KINDS) {
    const { details, parameters, ...texts } = SIGNALS[kind]
    for (const [field, text] of Object.entries(texts)) {
      expect(text, `${kind}.${field}`).not.toBe('')
      expect(text, `${kind}.${field}`).not.toMatch(/undefined|NaN/)
    }
    expect(Object.values(parameters).every(Number.isFinite), kind).toBe(true)
    expect(details.length, kind).toBeGreaterThan(0)
  }
  const used = new Set(SIGNAL_KINDS.flatMap((kind) => SIGNALS[kind].details))
  expect([...used].toSorted()).toEqual(DETAIL_NAMES.toSorted())
  expect(DETAIL_COLUMNS.map(({ name }) => name)).toEqual(DETAIL_NAMES)
})

test('the keys of the dataset come first, and every column is described', () => {
  expect(SIGNALS_SET.columns.slice(0, 3).map(({ name }) => name)).toEqual([
    'ts',
    'exchange',
    'symbol',
  ])
  for (const { name, unit, description, source, null_rule } of SIGNALS_SET.columns) {
    for (const text of [unit, description, source, null_rule]) expect(text, name).not.toBe('')
  }
})
