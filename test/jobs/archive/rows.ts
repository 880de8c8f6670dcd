/** Rows of every raw table for the archive's tests, and other programs' view of the files. */
import { createHash } from 'node:crypto'
import type { Pool } from '#core/node/pool.ts'
import { type RawChannel, RAW_TABLES } from '#core/tables.ts'
import { HOUR_US, type Micros, micros, SECOND_US, toIso } from '#core/time.ts'

export type Row = Readonly<Record<string, unknown>>

/** 13:00 of a day; every time in it has a fraction of a millisecond. */
export const HOUR = micros(Date.parse('2024-08-08T13:00:00Z') * 1_000)
export const TABLE_NAMES = Object.keys(RAW_TABLES) as readonly RawChannel[]

/** Ids in the order of the names: 1, 2, 3 ... */
export const LISTED = [
  ['binance-futures', 'ETHUSDT'],
  ['binance-futures', 'BTCUSDT'],
  ['binance-spot', 'BTCUSDT'],
  ['binance-futures', '币安人生USDT'],
] as const

export async function insertListed(pool: Pool): Promise<void> {
  for (const [exchange, symbol] of LISTED) {
    await pool.query('insert into marketdata.symbols (exchange, symbol) values ($1, $2)', [
      exchange,
      symbol,
    ])
  }
}

export async function insertRows(
  pool: Pool,
  table_name: RawChannel,
  rows: readonly Row[],
): Promise<void> {
  const columns = RAW_TABLES[table_name].columns.map(({ name }) => name).join(', ')
  for (const hour of new Set(rows.map((row) => String(row['ts_exchange']).slice(0, 13)))) {
    await pool.query('select marketdata.ensure_hour($1, $2)', [table_name, `${hour}:00:00Z`])
  }
  await pool.query(
    `insert into marketdata.${table_name} (${columns})
     select ${columns} from jsonb_populate_recordset(null::marketdata.${table_name}, $1)`,
    [JSON.stringify(rows)],
  )
}

/** `count` rows over the hour, unordered by time and symbol; equal arguments give equal rows. */
export function makeRows(
  table_name: RawChannel,
  count: number,
  hour: Micros = HOUR,
): readonly Row[] {
  return Array.from({ length: count }, (_, i) => {
    const place = (i * 7_919) % count
    const ts = micros(
      hour + Math.floor((place * (HOUR_US - SECOND_US)) / count) + (place % 777) + 1,
    )
    const stamps = {
      ts_exchange: toIso(ts),
      ts_ingest: toIso(micros(ts + 1_234)),
      symbol_id: (i % LISTED.length) + 1,
    }
    return { ...stamps, ...valuesOf(table_name, i) }
  })
}

function valuesOf(table_name: RawChannel, i: number): Row {
  const price = 60_000 + (i % 977) / 10
  switch (table_name) {
    case 'book_ticker': {
      const bid = i % 7 === 3 ? {} : { best_bid: price, bid_qty: i / 1_000 }
      const ask = i % 5 === 2 ? {} : { best_ask: price + 0.1, ask_qty: 0 }
      return { update_id: 5e12 + i, ...bid, ...ask }
    }
    case 'trades':
      return {
        agg_trade_id: 9_000 + i,
        price,
        qty: 0.001 * i,
        non_rpi_qty: i % 3 === 0 ? null : 0.0005,
        first_trade_id: i % 2 === 0 ? null : i,
        last_trade_id: null,
        is_buyer_maker: i % 5 === 0,
      }
    case 'depth_events':
      return {
        final_update_id: 100 + i,
        depth_kind: ['diff', 'snapshot', 'partial'][i % 3],
        first_update_id: i % 3 === 0 ? 90 + i : null,
        prev_final_update_id: null,
        bids: Array.from({ length: i % 4 }, (_, k) => [price - k, k]),
        asks: Array.from({ length: (i + 2) % 3 }, (_, k) => [price + k, k + 0.25]),
      }
    case 'mark_price':
      return {
        mark_price: price,
        index_price: i % 2 === 0 ? null : price,
        settle_price: null,
        funding_rate: -0.000125,
        next_funding_at: i % 2 === 0 ? null : '2024-08-08T16:00:00.000001Z',
      }
    case 'liquidations':
      return {
        side: i % 2 === 0 ? 'sell' : 'buy',
        price,
        qty: i,
        average_price: price,
        filled_qty: i / 2,
      }
  }
}

/** The table's rows as text, in the order of the archive's files. */
export async function tableRows(pool: Pool, table_name: RawChannel): Promise<readonly Row[]> {
  const { columns, identity } = RAW_TABLES[table_name]
  const cells = columns.map(({ name, type }) => {
    if (name === 'symbol_id') return 'symbol'
    if (type === 'timestamptz')
      return `(extract(epoch from ${name}) * 1000000)::int8::text as ${name}`
    if (type === 'int8') return `${name}::text`
    return type === 'levels' ? `to_jsonb(${name}) as ${name}` : name
  })
  const order = identity.map((name) => (name === 'symbol_id' ? 'symbol collate "C"' : `t.${name}`))
  const { rows } = await pool.query<Row>(
    `select exchange, ${cells.join(', ')} from marketdata.${table_name} t
     join marketdata.symbols s on s.id = t.symbol_id
     order by exchange, ${order.join(', ')}`,
  )
  return rows
}

export function digestOfBytes(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}
