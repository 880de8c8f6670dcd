import { expect, test } from 'vitest'
import { CHANNELS } from '#core/market.ts'
import { withClient } from '#core/node/pool.ts'
import { RAW_TABLES, type Table } from '#core/tables.ts'
import { copyInto } from '../../../ingestor/writer/copy.ts'
import {
  type CellValue,
  type CopyRows,
  decodeRow,
  sliceRows,
  type StoredEvent,
} from '../../../ingestor/writer/copy-encoder.ts'
import { joinRows, RowBuffer } from '../../../ingestor/writer/row-buffer.ts'
import { createTestDatabase } from '../../support/database.ts'

type Row = Record<string, CellValue>

/** Values at the edges of what a column can hold; the whole-hour partition is 2026-03-01 12:00. */
const HOUR_US = Date.UTC(2026, 2, 1, 12) * 1_000
const EDGES: Readonly<Record<string, readonly CellValue[]>> = {
  ts_exchange: [HOUR_US, HOUR_US + 1, HOUR_US + 3_599_999_999],
  ts_ingest: [HOUR_US + 123_457, 946_684_799_999_999, 1, Date.UTC(2255, 0, 1) * 1_000],
  int8: [0, 1, 2 ** 31, 2 ** 32 - 1, 2 ** 32, Number.MAX_SAFE_INTEGER],
  float8: [0, 0.1, 1e-8, 65_432.1, Number.MAX_VALUE, 5e-324],
  bool: [true, false],
}

function edgeRows(table: Table): readonly Row[] {
  return Array.from({ length: 24 }, (_, index) =>
    Object.fromEntries(
      table.columns
        .filter(({ name }) => name !== 'symbol_id')
        .map(({ name, type, nullable }, place) => {
          const values = EDGES[name] ?? EDGES[type] ?? []
          const value = nullable && index % 3 === 0 ? null : values[(index + place) % values.length]!
          // The id makes the key unique.
          return [name, name === table.identity[2] ? index * 1_000_003 : value]
        }),
    ),
  )
}

/** As the events of the table's kind. */
function bufferOf(table: Table, rows: readonly Row[]): RowBuffer {
  const buffer = new RowBuffer()
  const kind = table.name === 'trades' ? 'trade' : 'book_ticker'
  for (const row of rows) buffer.push({ kind, ...row } as unknown as StoredEvent)
  return buffer
}

function joined(table: Table, ...groups: readonly (readonly [number, readonly Row[]])[]): CopyRows {
  return joinRows(
    table,
    groups.map(([symbol_id, rows]) => ({ symbol_id, rows: bufferOf(table, rows) })),
  )
}

/** In the order of the key, which the encoder brings them into. */
function sortedByKey(table: Table, rows: readonly Row[]): readonly Row[] {
  const id = table.identity[2]
  return rows.toSorted(
    (a, b) => Number(a['ts_exchange']) - Number(b['ts_exchange']) || Number(a[id]) - Number(b[id]),
  )
}

for (const channel of CHANNELS) {
  const table = RAW_TABLES[channel]

  test(`${channel}: rows come back from their bytes exactly, in any part of the whole`, () => {
    const rows = edgeRows(table)
    const encoded = joined(table, [3, rows.slice(0, 10)], [2 ** 40, rows.slice(10)])
    const sorted = [...sortedByKey(table, rows.slice(0, 10)), ...sortedByKey(table, rows.slice(10))]
    expect(encoded.row_count).toBe(rows.length)
    for (const [index, row] of sorted.entries()) {
      expect(decodeRow(encoded, index)).toEqual({ ...row, symbol_id: index < 10 ? 3 : 2 ** 40 })
    }
    const parts = Buffer.concat([sliceRows(encoded, 0, 7), sliceRows(encoded, 7, rows.length)])
    expect(parts).toEqual(encoded.bytes)
  })

  test(`${channel}: a key that comes twice keeps its first row, wherever the second stands`, () => {
    const rows = sortedByKey(table, edgeRows(table))
    const again = { ...rows[5]!, ts_ingest: HOUR_US + 999 }
    const orders = [
      [...rows.slice(0, 6), again, ...rows.slice(6)],
      [...rows, again],
      [rows[5]!, ...rows.toReversed(), again],
    ]
    for (const order of orders) {
      const encoded = joined(table, [7, order])
      const found = Array.from({ length: encoded.row_count }, (_, index) => decodeRow(encoded, index))
      expect(found).toEqual(rows.map((row) => ({ ...row, symbol_id: 7 })))
    }
  })

  test(`${channel}: a buffer that was cleared holds only what came after it`, () => {
    const rows = sortedByKey(table, edgeRows(table))
    const buffer = bufferOf(table, rows)
    expect([...buffer.hours]).toEqual([HOUR_US])
    buffer.clear()
    expect(buffer.hours.size).toBe(0)
    const kind = channel === 'trades' ? 'trade' : 'book_ticker'
    buffer.push({ kind, ...rows[0]! } as unknown as StoredEvent)
    const encoded = joinRows(table, [{ symbol_id: 7, rows: buffer }])
    expect(encoded.row_count).toBe(1)
    expect(decodeRow(encoded, 0)).toEqual({ ...rows[0]!, symbol_id: 7 })
  })

  test(`${channel}: Postgres reads the same values out of the bytes`, async () => {
    const { pool } = await createTestDatabase()
    const rows = edgeRows(table)
    const encoded = joined(table, [2 ** 40, rows])
    await pool.query('select marketdata.ensure_hour($1, $2)', [channel, '2026-03-01T12:00:00Z'])
    await withClient(pool, (client) => copyInto(client, `marketdata.${channel}`, encoded))
    const columns = table.columns.map(({ name, type }) =>
      type === 'timestamptz' ? `(extract(epoch from ${name}) * 1000000)::bigint as ${name}` : name,
    )
    const stored = await pool.query<Record<string, string | number | boolean | null>>(
      `select ${columns.join(', ')} from marketdata.${channel} order by ${table.identity[2]}`,
    )
    const numbers = stored.rows.map((row) =>
      Object.fromEntries(
        Object.entries(row).map(([name, value]) => [name, typeof value === 'string' ? Number(value) : value]),
      ),
    )
    expect(numbers).toEqual(rows.map((row) => ({ ...row, symbol_id: 2 ** 40 })))
  })
}
