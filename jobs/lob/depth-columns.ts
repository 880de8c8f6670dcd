/** Registry of the dataset `depth`: every change of the book, one row per price level. */
import { columnsOf, keyColumns, type Feature } from '#core/features/column.ts'
import { NEVER, type FeatureSet } from '#core/features.ts'

/** In the order of their bytes: the index of the word is the column's value. */
export const DEPTH_KINDS = ['diff', 'snapshot'] as const
export const DEPTH_SIDES = ['ask', 'bid'] as const

const [, exchange, symbol] = keyColumns('')

function key(name: string, description: string, others: Partial<Feature>): Feature {
  const common = { formula: '', source: 'recorded', null_rule: NEVER, unit: 'UTC' }
  return { name, type: 'timestamp_us', description, ...common, ...others }
}

export const DEPTH: FeatureSet = {
  dataset: 'depth',
  schema_version: 1,
  description:
    'Every change of a known book, one row per level, for the symbols in DEPTH_SYMBOLS, beside ' +
    'the files that backtesters read. Where the book becomes known (first in the day, after a ' +
    'gap), all of its levels are rows of the kind snapshot. Sorted by exchange, symbol, ts, ' +
    'update_id, side, price.',
  columns: [
    key('ts', 'time of the update', { formula: 'ts_exchange' }),
    exchange!,
    symbol!,
    key('ts_ingest', 'when the book with this update was known here', {
      formula: 'the latest arrival of it and of the updates before it',
    }),
    ...columnsOf({ null_rule: NEVER }, [
      ['update_id', 'id', "the exchange's id of the update", '', { type: 'int64' }],
    ]),
    key('depth_kind', 'diff: the level changed; snapshot: the level of a whole book', {
      type: 'string',
      unit: 'name',
      words: DEPTH_KINDS,
    }),
    key('side', 'side of the book', { type: 'string', unit: 'name', words: DEPTH_SIDES }),
    ...columnsOf({ null_rule: NEVER }, [
      ['price', 'quote asset', 'price of the level', ''],
      ['qty', 'base asset', 'quantity of the level from now on; 0: it is removed', ''],
    ]),
  ],
}
