import { expect, test } from 'vitest'
import type { Level } from '#core/market.ts'
import { withClient } from '#core/node/pool.ts'
import { RAW_CHANNELS, RAW_TABLES, type RawChannel, type Table } from '#core/tables.ts'
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

/** Values at the limits of each column. The hourly partition is 2026-03-01 12:00. */
const HOUR_US = Date.UTC(2026, 2, 1, 12) * 1_000
const LADDER: readonly Level[] = Array.from({ length: 1_000 }, (_, rank) => [
  60_000 - rank / 10,
  rank,
])
const EDGES: Readonly<Record<string, readonly CellValue[]>> = {
  ts_exchange: [HOUR_US, HOUR_US + 1, HOUR_US + 3_599_999_999],
  ts_ingest: [HOUR_US + 123_457, 946_684_799_999_999, 1, Date.UTC(2255, 0, 1) * 1_000],
  timestamptz: [HOUR_US + 28_800_000_000],
  int8: [0, 1, 2 ** 31, 2 ** 32 - 1, 2 ** 32, Number.MAX_SAFE_INTEGER],
  float8: [0, 0.1, 1e-8, 65_432.1, Number.MAX_VALUE, 5e-324],
  bool: [true, false],
  depth_kind: ['diff', 'partial', 'snapshot'],
  side: ['buy', 'sell'],
  levels: [
    [],
    [[61_800.2, 0.014]],
    LADDER,
    [
      [0.1, 0],
      [5e-324, Number.MAX_VALUE],
    ],
  ],
}

/** Makes each key unique: by time, if the table's key has no id. */
function uniqueOf(table: Table): string {
  return (
    table.identity.find((name) => name.endsWith('_id') && name !== 'symbol_id') ?? 'ts_exchange'
  )
}

function edgeRows(table: Table): readonly Row[] {
  const unique = uniqueOf(table)
  return Array.from({ length: 24 }, (_, index) =>
    Object.fromEntries(
      table.columns
        .filter(({ name }) => name !== 'symbol_id')
        .map(({ name, type, nullable }, place) => {
          const values = EDGES[name] ?? EDGES[type] ?? []
          if (name === unique && name === 'ts_exchange') return [name, HOUR_US + index * 1_003]
          if (name === unique) return [name, index * 1_000_003]
          const value =
            nullable && index % 3 === 0 ? null : values[(index + place) % values.length]!
          return [name, value]
        }),
    ),
  )
}

const KINDS: { readonly [name in RawChannel]: StoredEvent['kind'] } = {
  book_ticker: 'book_ticker',
  trades: 'trade',
  depth_events: 'depth',
  mark_price: 'mark_price',
  liquidations: 'liquidation',
}

/** Turns the rows into events of the table's kind. */
function bufferOf(table: Table, rows: readonly Row[]): RowBuffer {
  const buffer = new RowBuffer(table)
  for (const row of rows) buffer.push(eventOf(table, row))
  return buffer
}

function eventOf(table: Table, row: Row): StoredEvent {
  // The columns of a row are those of its event.
  return { kind: KINDS[table.name], ...row } as unknown as StoredEvent
}

function joined(table: Table, ...groups: readonly (readonly [number, readonly Row[]])[]): CopyRows {
  return joinRows(
    table,
    groups.map(([symbol_id, rows]) => ({ symbol_id, rows: bufferOf(table, rows) })),
  )
}

/** In key order, as the encoder sorts them. */
function sortedByKey(table: Table, rows: readonly Row[]): readonly Row[] {
  const unique = uniqueOf(table)
  return rows.toSorted(
    (a, b) =>
      Number(a['ts_exchange']) - Number(b['ts_exchange']) || Number(a[unique]) - Number(b[unique]),
  )
}

for (const channel of RAW_CHANNELS) {
  const table = RAW_TABLES[channel]

  test(`${channel}: rows decode exactly from their bytes, from any slice`, () => {
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

  test(`${channel}: a repeated key keeps its first row, wherever the second is`, () => {
    const rows = sortedByKey(table, edgeRows(table))
    const again = { ...rows[5]!, ts_ingest: HOUR_US + 999 }
    const orders = [
      [...rows.slice(0, 6), again, ...rows.slice(6)],
      [...rows, again],
      [rows[5]!, ...rows.toReversed(), again],
    ]
    for (const order of orders) {
      const encoded = joined(table, [7, order])
      const found = Array.from({ length: encoded.row_count }, (_, index) =>
        decodeRow(encoded, index),
      )
      expect(found).toEqual(rows.map((row) => ({ ...row, symbol_id: 7 })))
    }
  })

  test(`${channel}: a cleared buffer holds only later rows`, () => {
    const rows = sortedByKey(table, edgeRows(table))
    const buffer = bufferOf(table, rows)
    expect([...buffer.hours]).toEqual([HOUR_US])
    buffer.clear()
    expect(buffer.hours.size).toBe(0)
    buffer.push(eventOf(table, rows[0]!))
    const encoded = joinRows(table, [{ symbol_id: 7, rows: buffer }])
    expect(encoded.row_count).toBe(1)
    expect(decodeRow(encoded, 0)).toEqual({ ...rows[0]!, symbol_id: 7 })
  })

  test(`${channel}: Postgres reads the same values from the bytes`, async () => {
    const { pool } = await createTestDatabase()
    const rows = edgeRows(table)
    const encoded = joined(table, [2 ** 40, rows])
    await pool.query('select marketdata.ensure_hour($1, $2)', [channel, '2026-03-01T12:00:00Z'])
    await withClient(pool, (client) => copyInto(client, `marketdata.${channel}`, encoded))
    const columns = table.columns.map(({ name, type }) =>
      type === 'timestamptz' ? `(extract(epoch from ${name}) * 1000000)::bigint as ${name}` : name,
    )
    const stored = await pool.query<Row>(
      `select ${columns.join(', ')} from marketdata.${channel} order by ${uniqueOf(table)}`,
    )
    // pg returns whole numbers as text.
    const values = stored.rows.map((row) =>
      Object.fromEntries(
        Object.entries(row).map(([name, value]) => {
          const is_number = typeof value === 'string' && /^\d+$/.test(value)
          return [name, is_number ? Number(value) : value]
        }),
      ),
    )
    expect(values).toEqual(rows.map((row) => ({ ...row, symbol_id: 2 ** 40 })))
  })
}

test('a diff, a partial book and a snapshot with the same last update id are three rows', () => {
  const [row] = edgeRows(RAW_TABLES.depth_events)
  const kinds = ['snapshot', 'diff', 'partial', 'diff']
  const rows = joined(RAW_TABLES.depth_events, [
    7,
    kinds.map((depth_kind) => ({ ...row!, depth_kind })),
  ])
  const found = Array.from(
    { length: rows.row_count },
    (_, index) => decodeRow(rows, index)['depth_kind'],
  )
  expect(found.toSorted()).toEqual(['diff', 'partial', 'snapshot'])
})

test('after a burst of snapshots a buffer takes the next rows as usual', () => {
  const table = RAW_TABLES.depth_events
  const buffer = bufferOf(
    table,
    Array.from({ length: 200 }, (_, index) => ({
      ...edgeRows(table)[0]!,
      final_update_id: index,
      bids: LADDER,
      asks: LADDER,
    })),
  )
  expect(buffer.byte_count).toBeGreaterThan(8_000_000)
  buffer.clear()
  buffer.push(eventOf(table, edgeRows(table)[1]!))
  const rows = joinRows(table, [{ symbol_id: 1, rows: buffer }])
  expect(decodeRow(rows, 0)).toEqual({ ...edgeRows(table)[1]!, symbol_id: 1 })
})
