/** Signals of one instrument, and the span for which the database has them. */
import type { StoredSignal } from '#core/signals/row.ts'
import { DETAIL_NAMES, type SignalKind } from '#core/signals/signal.ts'
import { toIso, type Micros } from '#core/time.ts'
import type { Cursor } from '../tables/cursor.ts'
import type { Database } from './database.ts'

export const SIGNAL_COLUMNS = [
  'ts',
  'id',
  'kind',
  'interval_s',
  'bar_ts',
  'side',
  'price_low',
  'price_high',
  'strength',
  'version',
  ...DETAIL_NAMES,
] as const

export interface SignalsArgs {
  readonly symbol_id: number
  readonly from: Micros
  readonly to: Micros
  /** (ts, id) of the last row before. */
  readonly after: Cursor | null
  /** Null: all. */
  readonly kind: SignalKind | null
  readonly interval_s: number | null
  readonly limit: number
}

const SQL = `
select ${SIGNAL_COLUMNS.join(', ')}
from marketdata.signals
where symbol_id = $1 and ts >= $2::timestamptz and ts < $3::timestamptz
  and ($4::timestamptz is null or (ts, id) > ($4::timestamptz, $5::bigint))
  and ($6::text is null or kind = $6) and ($7::bigint is null or interval_s = $7)
order by ts, id
limit $8::int`

export function selectSignals(db: Database, args: SignalsArgs): Promise<readonly StoredSignal[]> {
  const { symbol_id, from, to, after, kind, interval_s, limit } = args
  const after_ts = after === null ? null : toIso(after[0])
  const after_id = after === null ? null : after[1]!
  const values = [symbol_id, toIso(from), toIso(to), after_ts, after_id, kind, interval_s, limit]
  return db.query(SQL, values)
}

/** The database has the signals after `from_ts`, up to `computed_to`. */
export interface SignalProgressRow {
  readonly from_ts: Micros
  readonly computed_to: Micros
}

const PROGRESS = `
select greatest(from_ts, books_from) as from_ts, least(trades_to, books_to) as computed_to
from marketdata.signal_progress where symbol_id = $1`

/** Undefined if the job does not keep the instrument up to date. */
export async function selectSignalProgress(
  db: Database,
  symbol_id: number,
): Promise<SignalProgressRow | undefined> {
  return (await db.query<SignalProgressRow>(PROGRESS, [symbol_id]))[0]
}
