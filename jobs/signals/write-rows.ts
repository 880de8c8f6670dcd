/**
 * Replaces the rows of one part of a symbol's signals. Rows that stay the same are left alone, so a
 * rerun changes nothing, and `seq` is the order in which rows became known here.
 */
import { type Client, inTransaction, type Pool } from '#core/node/pool.ts'
import { DETAIL_NAMES, type Signal } from '#core/signals/signal.ts'
import { DAY_US, type Micros, micros, toIso } from '#core/time.ts'
import { queueSignals } from '../webhook/queue.ts'
import { gapsJson, type TrackedSymbol } from './progress.ts'
import { type SignalRow, signalRows } from './rows.ts'

/** Where a symbol's signals go. */
export interface WriteTarget {
  readonly pool: Pool
  readonly symbol: TrackedSymbol
  /** Signals that are older than this are not sent to the webhook; undefined: none is. */
  readonly webhook_from: Micros | undefined
}

/** Of trades: everything that became known in (from, to]. Of books: the books of [from, to). */
export interface SignalPart {
  readonly kind: 'trades' | 'books'
  readonly from: Micros
  readonly to: Micros
}

/** Rows of the part. `$3` is its end: a bar is known at its end, a trade at its own time. */
const ROWS_OF = {
  trades: `ts >= $2 and ts <= $3 and (
    (kind = 'large_trade' and ts < $3) or (interval_s is not null and ts > $2))`,
  books: `ts >= $2 and kind in ('wall_appeared', 'wall_pulled') and bar_ts >= $2 and bar_ts < $3`,
}

const PROGRESS_OF = { trades: 'trades_to', books: 'books_to' }

const COLUMNS = [
  'ts',
  'symbol_id',
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
]

/** Returns the number of new rows. */
export async function replacePart(
  { pool, symbol, webhook_from }: WriteTarget,
  { kind, from, to }: SignalPart,
  found: readonly Signal[],
): Promise<number> {
  const { symbol_id, gaps } = symbol
  const rows = signalRows(symbol, found)
  return inTransaction(pool, async (client) => {
    const days = new Set(rows.map(({ ts }) => micros(ts - (ts % DAY_US))))
    for (const day of days) {
      await client.query('select marketdata.ensure_signals_day($1)', [toIso(day)])
    }
    await client.query(
      `delete from marketdata.signals
       where symbol_id = $1 and ${ROWS_OF[kind]} and id <> all ($4::bigint[])`,
      [symbol_id, toIso(from), toIso(to), rows.map(({ id }) => id)],
    )
    const added = await insertRows(client, symbol_id, rows)
    if (webhook_from !== undefined) {
      await queueSignals(
        client,
        symbol,
        rows.filter(({ id, ts }) => added.has(id) && ts >= webhook_from),
      )
    }
    await client.query(
      `update marketdata.signal_progress
       set ${PROGRESS_OF[kind]} = $2, gaps = $3, updated_at = now() where symbol_id = $1`,
      [symbol_id, toIso(to), JSON.stringify(gapsJson(gaps))],
    )
    return added.size
  })
}

/** Returns the ids of the rows that were not there. */
async function insertRows(
  client: Client,
  symbol_id: number,
  rows: readonly SignalRow[],
): Promise<ReadonlySet<number>> {
  if (rows.length === 0) return new Set()
  const values = rows.map(({ ts, bar_ts, details, ...row }) => ({
    ...row,
    ...details,
    symbol_id,
    ts: toIso(ts),
    bar_ts: bar_ts === null ? null : toIso(bar_ts),
  }))
  const names = COLUMNS.join(', ')
  const { rows: added } = await client.query<{ id: string }>(
    `insert into marketdata.signals (${names})
     select ${names} from jsonb_populate_recordset(null::marketdata.signals, $1)
     order by ts, id
     on conflict (symbol_id, ts, id) do nothing returning id`,
    [JSON.stringify(values)],
  )
  return new Set(added.map(({ id }) => Number(id)))
}
