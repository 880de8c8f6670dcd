/** Reads imported facts of a day, a part of one symbol at a time. */
import type { FactTable } from '#core/fact-tables.ts'
import type { Client } from '#core/node/pool.ts'
import type { Exchange } from '#core/symbols.ts'
import { type Day, dayRange, micros, toIso } from '#core/time.ts'
import type { DatasetRows } from '../files/dataset-rows.ts'

export interface FactSymbol {
  readonly symbol_id: number
  readonly exchange: Exchange
  readonly symbol: string
  /** Of klines: the intervals that files of the day have [s], ascending. Else one undefined. */
  readonly intervals_s: readonly (number | undefined)[]
}

/** Rows that are encoded and held at once. A part never has two intervals. */
const PART_ROWS = 32_768
const TIME = 'ts_exchange'
const INTERVAL = 'interval_s'

/** Parts in the order of the table's key; none is empty. */
export async function* readFacts(
  client: Client,
  table: FactTable,
  symbol: FactSymbol,
  day: Day,
): AsyncGenerator<DatasetRows> {
  for (const interval_s of symbol.intervals_s) {
    yield* readInterval(client, table, symbol, interval_s, day)
  }
}

async function* readInterval(
  client: Client,
  { name, columns, key }: FactTable,
  symbol: FactSymbol,
  interval_s: number | undefined,
  day: Day,
): AsyncGenerator<DatasetRows> {
  const { from, to } = dayRange(day)
  const order = key.filter((one) => one !== INTERVAL)
  const names = columns.map((column) => column.name)
  const selected = names.map((one) =>
    one === TIME ? `(extract(epoch from ${TIME}) * 1000000)::float8` : `${one}::float8`,
  )
  const after = order.map((_, i) => `$${i + 3}`)
  const of_interval = interval_s === undefined ? '' : ` and ${INTERVAL} = $${order.length + 3}`
  const text = `
    select ${selected.join(', ')} from marketdata.${name}
    where symbol_id = $1 and ${TIME} < $2
      and (${order.join(', ')}) > (${after.join(', ')})${of_interval}
    order by ${order.join(', ')} limit ${PART_ROWS}`
  // After every row of the day before.
  let last = [from - 1, ...order.slice(1).map(() => Infinity)]
  for (;;) {
    const [ts, ...others] = last
    const values = [symbol.symbol_id, toIso(to), toIso(micros(ts!)), ...others]
    if (interval_s !== undefined) values.push(interval_s)
    const query = { text, values, rowMode: 'array' } as const
    const { rows } = await client.query<(number | null)[]>(query)
    if (rows.length > 0) yield rowsOf(symbol, names, rows)
    if (rows.length < PART_ROWS) return
    last = order.map((one) => rows.at(-1)![names.indexOf(one)]!)
  }
}

function rowsOf(
  { exchange, symbol }: FactSymbol,
  names: readonly string[],
  rows: readonly (readonly (number | null)[])[],
): DatasetRows {
  const columns = names.map((name, i) => {
    return [name, Float64Array.from(rows, (row) => row[i] ?? NaN)] as const
  })
  const { ts_exchange, ...others } = Object.fromEntries(columns)
  return { exchange, symbol, ts: BigInt64Array.from(ts_exchange!, BigInt), columns: others }
}
