/** The description of a dataset column, and helpers for groups of columns. */

export interface DatasetColumn {
  readonly name: string
  readonly type: string
  readonly unit: string
  readonly description: string
  readonly formula: string
  readonly source: string
  /** When the value is null. */
  readonly null_rule: string
}

export type FeatureType = 'timestamp_us' | 'string' | 'float64' | 'float32' | 'int64'

export interface Feature extends DatasetColumn {
  readonly type: FeatureType
  /** For a string that is not a name: every value that it may have, by their UTF-8 bytes. */
  readonly words?: readonly string[]
}

/** The null rule of a column that has a value in every row. */
export const NEVER = 'never'

/** The columns of one group: shared properties, then name, unit, description and formula each. */
export function columnsOf(
  common: { readonly null_rule: string; readonly source?: string },
  rows: readonly ColumnRow[],
): readonly Feature[] {
  return rows.map(([name, unit, description, formula, own = {}]) => ({
    name,
    type: 'float64',
    unit,
    description,
    formula,
    source: 'definition',
    ...common,
    ...own,
  }))
}

export type ColumnRow = readonly [
  name: string,
  unit: string,
  description: string,
  formula: string,
  own?: Partial<Pick<Feature, 'type' | 'source' | 'null_rule'>>,
]

/** The columns that identify a row. Rows are sorted by exchange, symbol, ts. */
export function keyColumns(step: string): readonly Feature[] {
  const key = (
    name: string,
    type: FeatureType,
    unit: string,
    description: string,
    formula = '',
  ): Feature => ({ name, type, unit, description, formula, source: 'definition', null_rule: NEVER })
  return [
    key(
      'ts',
      'timestamp_us',
      'UTC',
      `start of the interval [ts, ts + ${step}), by ts_exchange`,
      `floor(ts_exchange to ${step})`,
    ),
    key('exchange', 'string', 'name', 'exchange'),
    key('symbol', 'string', 'name', "the exchange's name for the symbol; case-sensitive"),
  ]
}
