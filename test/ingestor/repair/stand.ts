/**
 * A repairer with real parts: the exchange server's REST API, a tape, the writer and Postgres. Only
 * the sockets are left out: a test chooses which of the exchange's trades were received.
 */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { silentLogger } from '#core/node/log.ts'
import type { Pool } from '#core/node/pool.ts'
import { type Micros, micros } from '#core/time.ts'
import { type ExchangeServer, startExchange } from '../../../infra/exchange/server.ts'
import type { AggTradeRow } from '../../../infra/exchange/source.ts'
import { binance_futures } from '../../../ingestor/exchanges/binance-futures/adapter.ts'
import type { StreamChoice } from '../../../ingestor/exchanges/adapter.ts'
import { atFileEnd } from '../../support/file-end.ts'
import {
  type Repairer,
  type RepairOptions,
  type RepairSettings,
  startRepairer,
} from '../../../ingestor/repair/repairer.ts'
import type { Mark } from '../../../ingestor/tape/record.ts'
import { createClock } from '../../../ingestor/transport/clock.ts'
import { createRestClient } from '../../../ingestor/transport/rest-client.ts'
import { startFollower } from '../../../ingestor/writer/follower.ts'
import { createSharedTapeEnd, sharedTapeEnd } from '../../../ingestor/writer/tape-end.ts'
import { until } from '../support.ts'
import { createTestDatabase, type TestDatabase } from '../../support/database.ts'
import { CHOICE, openTestTape, temporaryDirectory } from '../writer/support.ts'

export const SYMBOL = 'BTCUSDT'
const STREAM = { symbol: SYMBOL, channel: 'trades' } as const

/** Short enough for a test to wait for the last attempt. */
const SETTINGS: Partial<RepairSettings> = {
  look_ms: 20,
  quiet_ms: 100,
  attempts_max: 3,
  backoff_base_ms: 5,
  backoff_cap_ms: 50,
  unanswered_ms: 50,
}

export interface Stand {
  readonly pool: Pool
  readonly url: string
  /** Paths of all requests for trades in order, including refused ones. */
  readonly asked: readonly string[]
  hear(payloads: readonly object[]): void
  mark(mark: Mark, ts_ingest?: Micros): number
  committed(): Promise<void>
  repair(options?: Partial<RepairOptions>): Repairer
}

export async function createStand(
  exchange: ExchangeServer,
  choice: StreamChoice = CHOICE,
  database?: TestDatabase,
  ingestor_id = 'test',
): Promise<Stand> {
  const { url, pool } = database ?? (await createTestDatabase())
  const tape_dir = temporaryDirectory()
  const end = createSharedTapeEnd()
  const tape = openTestTape(tape_dir, end.publish)
  end.publish(tape.end)
  const clock = () => micros(Date.now() * 1_000)
  const follower = startFollower({
    database_url: url,
    ingestor_id,
    tape_dir,
    end: sharedTapeEnd(end.memory),
    choice,
    limits: { rows_max: 5_000, bytes_max: 1024 * 1024, age_ms_max: 5 },
    dead_letter_path: join(tape_dir, 'dead.ndjson'),
    live: false,
    clock,
    random: Math.random,
    log: silentLogger,
  })
  const rest = createRestClient({
    clock: createClock(),
    base_url: exchange.url,
    limits: { weight_per_minute_max: 1_000_000, used_weight_header: 'x-mbx-used-weight-1m' },
    log: silentLogger,
    settings: { backoff_base_ms: 10, backoff_cap_ms: 50 },
  })
  const asked: string[] = []
  const repairers: Repairer[] = []
  const committed = async (): Promise<void> => {
    tape.flush()
    await follower.committed(tape.end)
  }
  const mark = (what: Mark, ts_ingest = clock()): number => {
    tape.append('mark', 1, 0, ts_ingest, Buffer.from(JSON.stringify(what)))
    tape.flush()
    return tape.end
  }
  atFileEnd(async () => {
    rest.stop()
    await Promise.all(repairers.map((repairer) => repairer.stop()))
    await follower.stop()
    await tape.close()
  })
  return {
    pool,
    url,
    asked,
    committed,
    hear(payloads) {
      for (const data of payloads) {
        tape.append('frame', 1, 2, clock(), Buffer.from(JSON.stringify({ stream: 'x@y', data })))
      }
      tape.flush()
    },
    mark,
    repair(options = {}) {
      const repairer = startRepairer({
        database_url: url,
        ingestor_id,
        adapter: binance_futures,
        choice,
        symbols: [SYMBOL],
        rest: {
          get(request) {
            asked.push(request.path)
            return rest.get(request)
          },
        },
        append: ({ path, body, ts_ingest }) =>
          typeof tape.append('rest', 1, 0, ts_ingest, Buffer.from(`${path}\n${body}`)) === 'number',
        committed,
        committedPosition: () => follower.status().committed_position,
        coveredSymbols: () => [SYMBOL],
        noteNewest(symbol, { newest_id, ts_exchange }) {
          mark({ kind: 'newest', newest_id, ts_exchange, streams: [{ symbol, channel: 'trades' }] })
        },
        clock,
        random: Math.random,
        log: silentLogger,
        settings: SETTINGS,
        ...options,
      })
      repairers.push(repairer)
      return repairer
    },
  }
}

/** An exchange that has traded only this. */
export async function exchangeThatPlayed(
  stream_class: 'trade' | 'aggTrade',
  trades: readonly { readonly T: number }[],
): Promise<ExchangeServer> {
  const path = join(temporaryDirectory(), 'trades.ndjson')
  const header = { t: 'header', exchange: 'binance-futures', symbols: [SYMBOL] }
  const lines = trades.map((data, index) => ({
    t: 'ws',
    ts: (trades[0]!.T + index) * 1_000,
    data: JSON.stringify({ stream: `btcusdt@${stream_class}`, data }),
  }))
  writeFileSync(path, [header, ...lines].map((line) => JSON.stringify(line)).join('\n'))
  const exchange = await startExchange({
    port: 0,
    source: { kind: 'replay', files: [path], speed: 'max' },
  })
  atFileEnd(() => exchange.stop())
  exchange.startReplay()
  await until('everything was played', () => exchange.status().state === 'done')
  return exchange
}

export function started(): Mark {
  return { kind: 'started', streams: [STREAM] }
}

export function lostMark(): Mark {
  return { kind: 'deaf', cause: 'disconnect', streams: [STREAM] }
}

/** Every aggregated trade that the exchange still has. */
export async function history(exchange: ExchangeServer): Promise<readonly AggTradeRow[]> {
  const rows: AggTradeRow[] = []
  for (;;) {
    const from_id = (rows.at(-1)?.a ?? -1) + 1
    const path = `/fapi/v1/aggTrades?symbol=${SYMBOL}&fromId=${from_id}&limit=1000`
    const page = (await (await fetch(exchange.url + path)).json()) as AggTradeRow[]
    if (page.length === 0) return rows
    rows.push(...page)
  }
}

/** Id of the newest aggregated trade. Waits for the first one. */
export async function newestId(exchange: ExchangeServer): Promise<number> {
  for (;;) {
    const answer = await fetch(`${exchange.url}/fapi/v1/aggTrades?symbol=${SYMBOL}&limit=1`)
    const [row] = (await answer.json()) as AggTradeRow[]
    if (row !== undefined) return row.a
    await sleep(10)
  }
}

/** The frame of the stream that carries it. */
export function frameOf(row: AggTradeRow): object {
  return { e: 'aggTrade', E: row.T, s: SYMBOL, ...row }
}

/** The table's trades with the exchange's letters, and numbers instead of decimal text. */
export async function storedTrades(pool: Pool): Promise<readonly object[]> {
  const { rows } = await pool.query<object>(
    `select agg_trade_id::float8 as a, price as p, qty as q, non_rpi_qty as nq,
        first_trade_id::float8 as f, last_trade_id::float8 as l,
        (extract(epoch from ts_exchange) * 1000)::float8 as "T", is_buyer_maker as m
      from marketdata.trades order by agg_trade_id`,
  )
  return rows
}

export function asNumbers({ p, q, nq, ...row }: AggTradeRow): object {
  return { ...row, p: Number(p), q: Number(q), nq: Number(nq) }
}

export interface LedgerRow {
  readonly from_id: number | null
  readonly to_id: number
  readonly cause: string
  readonly repaired_count: number
  readonly is_closed: boolean
  readonly repair_note: string | null
  readonly repair_attempts: number
  readonly is_given_up: boolean
}

export async function ledger(pool: Pool): Promise<readonly LedgerRow[]> {
  const { rows } = await pool.query<LedgerRow>(
    `select from_id::float8, to_id::float8, cause, repaired_count::int, repair_note, repair_attempts,
        repaired_at is not null as is_closed,
        repair_due_at is not distinct from 'infinity' as is_given_up
      from marketdata.gaps where channel = 'trades' order by from_id`,
  )
  return rows
}

/** Lost trade streams for which it is still unknown whether they missed anything. */
export async function unendedGaps(pool: Pool): Promise<number> {
  const { rows } = await pool.query<{ count: number }>(
    `select count(*)::int as count from marketdata.gap_ledger
      where to_ts is null and channel = 'trades' and cause = 'disconnect'`,
  )
  return rows[0]!.count
}
