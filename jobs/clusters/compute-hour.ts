/**
 * Computes the minutes of a symbol's hour that are not stored yet, and stores them. However many
 * engines ask, one computes: the others wait for its lock and find the rows.
 *
 * Invariant: the transaction reads trades and stores minutes under the lock that excludes settling
 * (state.ts). A late trade that it does not see is settled after its commit, and then deletes the
 * minute.
 */
import type { ArchivedHour } from '#core/archive.ts'
import { BaseFold, type BaseMinute, emptyMinute } from '#core/clusters/base.ts'
import { MINUTE_US } from '#core/clusters/intervals.ts'
import { type Client, inTransaction, type Pool } from '#core/node/pool.ts'
import { hourStart, type Micros, micros } from '#core/time.ts'
import type { ArchiveReader } from '../archive/read.ts'
import { insertBase, selectSummaries } from './base-rows.ts'
import {
  findFile,
  type HourPart,
  mergeTrades,
  readFile,
  readStored,
  type TradeRows,
} from './hour-trades.ts'
import { lockForComputing } from './state.ts'

export interface ComputeSources {
  readonly pool: Pool
  readonly archive: ArchiveReader
}

/** Returns the number of minutes that were computed. `part`: whole minutes that are final. */
export async function computeHour(
  { pool, archive }: ComputeSources,
  part: HourPart,
): Promise<number> {
  let file: ReadFile | undefined
  for (;;) {
    const found = await inTransaction(pool, (client) => storeMissing(client, part, file))
    if (typeof found === 'number') return found
    // Files are read outside the transaction, which would hold its locks for as long.
    file = { key: found.object_key, rows: await readFile(archive, found, part) }
  }
}

interface ReadFile {
  readonly key: string
  readonly rows: TradeRows
}

const SETTINGS = `set local synchronous_commit = off;
  set local lock_timeout = '30s';
  set local statement_timeout = '2min';
  set local idle_in_transaction_session_timeout = '1min'`

/** Or the file that has to be read first. */
async function storeMissing(
  client: Client,
  part: HourPart,
  file: ReadFile | undefined,
): Promise<number | ArchivedHour> {
  await client.query(SETTINGS)
  await client.query('select pg_advisory_xact_lock(hashtextextended($1, 0))', [
    `marketdata.clusters ${part.symbol_id} ${hourStart(part.from)}`,
  ])
  await lockForComputing(client)
  const missing = await findMissing(client, part)
  if (missing === undefined) return 0
  // Dropping a partition needs a lock that conflicts with this one, and is recorded together.
  await client.query('lock table only marketdata.trades in access share mode')
  const archived = await findFile(client, missing)
  if (archived !== undefined && archived.object_key !== file?.key) return archived
  const stored = await readStored(client, missing)
  const trades = archived === undefined ? stored : mergeTrades(cut(file!.rows, missing), stored)
  const minutes = minutesOf(trades, missing)
  await insertBase(client, part.symbol_id, minutes)
  return minutes.length
}

/** From the first minute that is missing to the last one. */
async function findMissing(client: Client, part: HourPart): Promise<HourPart | undefined> {
  const { symbol_id, from, to } = part
  const stored = await selectSummaries(client, symbol_id, from, to)
  const known = new Set<number>(stored.map(({ ts }) => ts))
  const missing: Micros[] = []
  for (let ts = from; ts < to; ts = micros(ts + MINUTE_US)) if (!known.has(ts)) missing.push(ts)
  if (missing.length === 0) return undefined
  return { ...part, from: missing[0]!, to: micros(missing.at(-1)! + MINUTE_US) }
}

function cut(rows: TradeRows, { from, to }: HourPart): TradeRows {
  const isInside = (_: number, row: number): boolean =>
    rows.ts_exchange[row]! >= from && rows.ts_exchange[row]! < to
  return {
    ts_exchange: rows.ts_exchange.filter(isInside),
    agg_trade_id: rows.agg_trade_id.filter(isInside),
    price: rows.price.filter(isInside),
    qty: rows.qty.filter(isInside),
    is_buyer_maker: rows.is_buyer_maker.filter(isInside),
  }
}

/** One for each minute of the span, traded or not. */
function minutesOf(trades: TradeRows, { from, to }: HourPart): readonly BaseMinute[] {
  const fold = new BaseFold()
  fold.add({ row_count: trades.price.length, ...trades })
  const traded = new Map<number, BaseMinute>(fold.take().map((minute) => [minute.ts, minute]))
  const minutes: BaseMinute[] = []
  for (let ts = from; ts < to; ts = micros(ts + MINUTE_US)) {
    minutes.push(traded.get(ts) ?? emptyMinute(ts))
  }
  return minutes
}
