/**
 * Rows of marketdata.signals for the live stream. Their seq is the number that the table gave them.
 * The job adds rows in one transaction after the other, so rows become visible in this order.
 */
import type { Decimals } from '#core/decimal-text.ts'
import type { Client } from '#core/node/pool.ts'
import { signalJson, type StoredSignal } from '#core/signals/row.ts'
import { DETAIL_NAMES } from '#core/signals/signal.ts'

export type NumberedSignal = StoredSignal & {
  readonly seq: number
  readonly exchange: string
  readonly symbol: string
}

const TIMES = ['ts', 'bar_ts']
const NUMBERS = ['id', 'interval_s', 'price_low', 'price_high', 'strength', 'version']

const CELLS = [
  's.seq::float8 as seq',
  'm.exchange',
  'm.symbol',
  's.kind',
  's.side',
  ...TIMES.map((name) => `(extract(epoch from s.${name}) * 1000000)::float8 as ${name}`),
  ...[...NUMBERS, ...DETAIL_NAMES].map((name) => `s.${name}::float8 as ${name}`),
]

/** Rows after `after` and up to `to`, in the order of seq. `symbol_id` null: of all symbols. */
export async function readSignals(
  client: Client,
  symbol_id: number | null,
  after: number,
  to: number,
  limit: number,
): Promise<readonly NumberedSignal[]> {
  const { rows } = await client.query<NumberedSignal>(
    `select ${CELLS.join(', ')}
     from marketdata.signals s join marketdata.symbols m on m.id = s.symbol_id
     where s.seq > $1 and s.seq <= $2 and ($3::bigint is null or s.symbol_id = $3)
     order by s.seq limit $4`,
    [after, to, symbol_id, limit],
  )
  return rows
}

/** Seq of the oldest and the newest row; 0 if there are none. */
export async function readSignalSpan(
  client: Client,
): Promise<{ readonly oldest: number; readonly newest: number }> {
  const { rows } = await client.query<{ oldest: number; newest: number }>(
    `select coalesce(min(seq), 0)::float8 as oldest, coalesce(max(seq), 0)::float8 as newest
     from marketdata.signals`,
  )
  return rows[0]!
}

export function signalText(row: StoredSignal, decimals: Decimals): string {
  return JSON.stringify(signalJson(row, decimals))
}
