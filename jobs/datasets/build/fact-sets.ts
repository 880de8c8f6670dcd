/** Registry of the datasets of imported facts: their columns follow from core/fact-tables.ts. */
import { FACT_TABLES, type FactColumn, type FactTable } from '#core/fact-tables.ts'
import { keyColumns } from '#core/features/column.ts'
import { type Feature, type FeatureSet, NEVER } from '#core/features.ts'

export interface FactSet extends FeatureSet {
  readonly table: FactTable
}

/** In the order in which they are built. */
export const FACT_SETS: readonly FactSet[] = Object.values(FACT_TABLES).map(factSet)

function factSet(table: FactTable): FactSet {
  const { name, files, schema_version, description, columns, key } = table
  const source = `Binance's files ${files}`
  const [time, ...others] = columns
  const [, ...names] = keyColumns('')
  const ts: Feature = { ...columnOf(time!, source), name: 'ts', type: 'timestamp_us' }
  const order = key.map((column) => (column === time!.name ? 'ts' : column)).join(', ')
  return {
    table,
    dataset: name,
    schema_version,
    description:
      `${description} Imported from ${source}, and published only for days that were imported ` +
      `(docs/import.md). Sorted by exchange, symbol, ${order}.`,
    columns: [ts, ...names, ...others.map((column) => columnOf(column, source))],
  }
}

function columnOf(
  { name, type, nullable, unit, description, field }: FactColumn,
  source: string,
): Feature {
  return {
    name,
    type: type === 'int8' ? 'int64' : 'float64',
    unit,
    description,
    formula: field,
    source,
    null_rule: nullable ? 'the file has no value' : NEVER,
  }
}
