/**
 * What a table of the lake is: its Iceberg schema, partitions and order. Source: the Iceberg table
 * specification, version 2.
 */
import type { ArchivedColumn } from '#core/archived-tables.ts'
import { ARCHIVED_TABLES, type ArchivedTable, isDerived } from '#core/archived-tables.ts'
import type { Manifest } from '#core/dataset.ts'
import { OperatorError } from '#core/errors.ts'
import { SIGNALS_SET } from '#core/signals/registry.ts'
import { EXCHANGE_FIELD_ID, fieldIdAt, levelFieldIds } from '../../parquet/field-ids.ts'
import { EXCHANGE_COLUMN, fileColumns } from '../../parquet/schema.ts'

export type PrimitiveType = 'timestamptz' | 'string' | 'long' | 'float' | 'double' | 'boolean'

export interface StructType {
  readonly type: 'struct'
  readonly fields: readonly Field[]
}

export interface ListType {
  readonly type: 'list'
  readonly 'element-id': number
  readonly 'element-required': boolean
  readonly element: StructType
}

export interface Field {
  readonly id: number
  readonly name: string
  readonly required: boolean
  readonly type: PrimitiveType | ListType
  readonly doc?: string
}

export interface PartitionField {
  readonly 'source-id': number
  readonly 'field-id': number
  readonly name: string
  readonly transform: 'identity' | 'day'
}

export interface LakeTable {
  readonly namespace: 'raw' | 'derived' | 'datasets'
  readonly name: string
  readonly fields: readonly Field[]
  /** The column whose day partitions the table; undefined: a file may have rows of two days. */
  readonly day: Field | undefined
  /** Undefined: a file holds all exchanges. */
  readonly exchange: Field | undefined
  /** Columns that a file is sorted by, all ascending. */
  readonly sorted_by: readonly Field[]
}

export type TableName = Pick<LakeTable, 'namespace' | 'name'>

/** `raw.trades` */
export function tableName({ namespace, name }: TableName): string {
  return `${namespace}.${name}`
}

/** The first of partition fields; Iceberg counts from here. */
export const FIRST_PARTITION_ID = 1_000

/** Values by the names of the partition fields. */
export type Partition = Readonly<Record<string, string | number>>

/** None: a table without partitions. Its files are skipped by the bounds of their columns. */
export function partitionFields({ day, exchange }: LakeTable): readonly PartitionField[] {
  const fields = [
    ...(exchange === undefined ? [] : [['identity', exchange, exchange.name] as const]),
    ...(day === undefined ? [] : [['day', day, dayName(day)] as const]),
  ]
  return fields.map(([transform, source, name], i) => ({
    'source-id': source.id,
    'field-id': FIRST_PARTITION_ID + i,
    name,
    transform,
  }))
}

/** Of a file with rows of one exchange and of one day, in days since 1970. */
export function partitionOf(
  table: LakeTable,
  exchange: string | undefined,
  day: number,
): Partition {
  return {
    ...(table.exchange === undefined ? {} : { [table.exchange.name]: exchange! }),
    ...(table.day === undefined ? {} : { [dayName(table.day)]: day }),
  }
}

function dayName({ name }: Field): string {
  return `${name}_day`
}

const TYPES: Readonly<Record<Exclude<ArchivedColumn['type'], 'levels'>, PrimitiveType>> = {
  timestamptz: 'timestamptz',
  int8: 'long',
  float8: 'double',
  bool: 'boolean',
  text: 'string',
}

/** A raw table or one derived from it. Every file has one hour of one exchange. */
export function archivedLakeTable(name: ArchivedTable): LakeTable {
  const shape = ARCHIVED_TABLES[name]
  const names = fileColumns(shape)
  const fields = shape.columns.map((column, i): Field => {
    const id = fieldIdAt(i)
    const common = { id, name: names[i]!, required: !column.nullable }
    if (column.name === 'symbol_id') return { ...common, type: 'string' }
    return { ...common, type: column.type === 'levels' ? levels(id) : TYPES[column.type] }
  })
  const exchange: Field = {
    id: EXCHANGE_FIELD_ID,
    name: EXCHANGE_COLUMN,
    required: true,
    type: 'string',
  }
  const of = (column: string): Field =>
    fields[shape.columns.findIndex((one) => one.name === column)]!
  return {
    namespace: isDerived(name) ? 'derived' : 'raw',
    name,
    fields: [...fields, exchange],
    day: of(shape.identity[1]),
    exchange,
    sorted_by: shape.identity.map(of),
  }
}

function levels(field_id: number): ListType {
  const { element, price, qty } = levelFieldIds(field_id)
  return {
    type: 'list',
    'element-id': element,
    'element-required': true,
    element: {
      type: 'struct',
      fields: [
        { id: price, name: 'price', required: true, type: 'double' },
        { id: qty, name: 'qty', required: true, type: 'double' },
      ],
    },
  }
}

const DATASET_TYPES: Readonly<Record<string, PrimitiveType>> = {
  timestamp_us: 'timestamptz',
  string: 'string',
  float32: 'float',
  float64: 'double',
  int64: 'long',
  bool: 'boolean',
}
const NEVER_NULL = 'never'
/** The bars that end at midnight give a day's file rows of the next day's first instant. */
const ACROSS_MIDNIGHT: ReadonlySet<string> = new Set([SIGNALS_SET.dataset])

/** A version of a dataset. Every file has one day of all symbols. */
export function datasetLakeTable({
  dataset,
  schema_version,
  columns,
}: Pick<Manifest, 'dataset' | 'schema_version' | 'columns'>): LakeTable {
  const fields = columns.map(({ name, type, null_rule, unit, description }, i): Field => {
    const of_type = DATASET_TYPES[type]
    if (of_type === undefined) throw unknownType(dataset, name, type)
    const doc = `${description} [${unit}]`
    return { id: fieldIdAt(i), name, required: null_rule === NEVER_NULL, type: of_type, doc }
  })
  const of = (...names: readonly string[]): readonly Field[] =>
    names.flatMap((name) => fields.filter((field) => field.name === name))
  const [time] = of('ts', 'ts_exchange')
  if (time === undefined) throw unknownType(dataset, 'ts', 'a missing column')
  return {
    namespace: 'datasets',
    name: datasetTableName(dataset, schema_version),
    fields,
    day: ACROSS_MIDNIGHT.has(dataset) ? undefined : time,
    exchange: undefined,
    sorted_by: [...of('exchange', 'symbol', 'interval_s'), time],
  }
}

/** Another version has other columns, and is another table: `features_1s_v4`. */
export function datasetTableName(dataset: string, schema_version: number): string {
  return `${dataset}_v${schema_version}`
}

function unknownType(dataset: string, column: string, type: string): OperatorError {
  return new OperatorError('lake_column', `${dataset}.${column} has the type ${type}.`, {
    hint: 'Add the type to jobs/lake/format/table.ts.',
  })
}
