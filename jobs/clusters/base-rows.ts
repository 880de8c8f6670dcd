/** Rows of marketdata.clusters. Arrays travel as JSON, which Node parses fastest. */
import type { BaseMinute } from '#core/clusters/base.ts'
import type { Client, Pool } from '#core/node/pool.ts'
import { DAY_US, type Micros, micros, toIso } from '#core/time.ts'

/** A minute without its prices: enough for the bars of an interval, but for their cells. */
export interface MinuteSummary {
  readonly ts: Micros
  /** Null if nothing was traded. */
  readonly open: number | null
  readonly high: number | null
  readonly low: number | null
  readonly close: number | null
  readonly buy_volume: number
  readonly sell_volume: number
}

type Reader = Pick<Pool, 'query'> | Pick<Client, 'query'>

const TS = '(extract(epoch from bucket) * 1000000)::float8 as ts'
const SUMMARY = `${TS}, open, high, low, close, buy_volume, sell_volume`

/** Minutes of [from, to) that are stored, in order. */
export function selectSummaries(
  pool: Reader,
  symbol_id: number,
  from: Micros,
  to: Micros,
): Promise<readonly MinuteSummary[]> {
  return selectByDay<MinuteSummary>(pool, SUMMARY, symbol_id, from, to)
}

/** Minutes of [from, to) that are stored, in order, with everything. */
export async function selectBase(
  pool: Reader,
  symbol_id: number,
  from: Micros,
  to: Micros,
): Promise<readonly BaseMinute[]> {
  const rows = await selectByDay<MinuteSummary & ExtraColumns>(pool, BASE, symbol_id, from, to)
  return rows.map(({ cells, ...minute }) => ({ ...minute, ...cells }))
}

interface ExtraColumns {
  readonly min_delta: number
  readonly max_delta: number
  readonly cells: Pick<BaseMinute, 'price' | 'buy_qty' | 'sell_qty' | 'buy_count' | 'sell_count'>
}

const BASE = `${SUMMARY}, min_delta, max_delta, json_build_object('price', price,
  'buy_qty', buy_qty, 'sell_qty', sell_qty, 'buy_count', buy_count, 'sell_count', sell_count) as cells`

/** A statement a day, so that it locks one partition. */
async function selectByDay<Row extends { readonly ts: Micros }>(
  pool: Reader,
  columns: string,
  symbol_id: number,
  from: Micros,
  to: Micros,
): Promise<readonly Row[]> {
  const found: Row[] = []
  for (let at = from; at < to; at = dayEnd(at)) {
    const { rows } = await pool.query<Row>(
      `select ${columns} from marketdata.clusters
       where symbol_id = $1 and bucket >= $2 and bucket < $3 order by bucket`,
      [symbol_id, toIso(at), toIso(micros(Math.min(dayEnd(at), to)))],
    )
    for (const row of rows) found.push(row)
  }
  return found
}

function dayEnd(ts: Micros): Micros {
  return micros((Math.floor(ts / DAY_US) + 1) * DAY_US)
}

/** Rows of one statement: Postgres allows 65,535 parameters. */
const ROWS_MAX = 1_000
const COLUMNS = [
  'symbol_id',
  'bucket',
  'open',
  'high',
  'low',
  'close',
  'buy_volume',
  'sell_volume',
  'min_delta',
  'max_delta',
  'price',
  'buy_qty',
  'sell_qty',
  'buy_count',
  'sell_count',
] as const

/** A minute that is stored already stays. All minutes are of one UTC day. */
export async function insertBase(
  client: Client,
  symbol_id: number,
  minutes: readonly BaseMinute[],
): Promise<void> {
  if (minutes.length === 0) return
  await client.query(`select marketdata.ensure_day('clusters', $1)`, [toIso(minutes[0]!.ts)])
  for (let at = 0; at < minutes.length; at += ROWS_MAX) {
    const rows = minutes.slice(at, at + ROWS_MAX)
    const places = rows.map((_, row) => {
      const first = row * COLUMNS.length
      return `(${COLUMNS.map((_name, i) => `$${first + i + 1}`).join(', ')})`
    })
    await client.query(
      `insert into marketdata.clusters (${COLUMNS.join(', ')}) values ${places.join(', ')}
       on conflict do nothing`,
      rows.flatMap((minute) =>
        COLUMNS.map((name) => {
          if (name === 'symbol_id') return symbol_id
          return name === 'bucket' ? toIso(minute.ts) : minute[name]
        }),
      ),
    )
  }
}
