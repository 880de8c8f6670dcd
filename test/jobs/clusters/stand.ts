/** A cluster engine over a real Postgres and a real object store. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ClusterRow } from '#core/clusters/row.ts'
import { silentLogger } from '#core/node/log.ts'
import { createObjectStore, type ObjectStore } from '#core/node/object-store.ts'
import { type Client, createPool, type Pool } from '#core/node/pool.ts'
import { HOUR_US, type Micros, micros, toIso } from '#core/time.ts'
import {
  type ClusterEngine,
  type EngineOptions,
  startEngine,
} from '../../../jobs/clusters/engine.ts'
import { runArchive } from '../../../jobs/archive/run-archive.ts'
import type { BarsWanted } from '../../../jobs/clusters/read-bars.ts'
import { registerEngine } from '../../../jobs/clusters/registration.ts'
import { dropHour } from '../../support/archive-hours.ts'
import { takeBucket } from '../../support/bucket.ts'
import { createTestDatabase } from '../../support/database.ts'
import { atFileEnd } from '../../support/file-end.ts'
import { insertTrades, type TradeRow } from '../market.ts'

export interface Stand {
  readonly pool: Pool
  readonly url: string
  readonly store: ObjectStore
  startEngine(options?: Partial<EngineOptions>): ClusterEngine
  /** Trades of the hour go to the object store, and from Postgres. */
  archiveAndDrop(hour: Micros): Promise<void>
}

export async function createStand(): Promise<Stand> {
  const { pool, url } = await createTestDatabase()
  const store = createObjectStore(takeBucket())
  const ending: (() => Promise<void>)[] = []
  atFileEnd(async () => {
    for (const end of ending) await end()
    store.close()
  })
  const work_dir = await mkdtemp(join(tmpdir(), 'booktape-clusters-'))
  ending.push(() => rm(work_dir, { recursive: true }))
  await registerEngine(pool)
  return {
    pool,
    url,
    store,
    async archiveAndDrop(hour) {
      await runArchive({
        pool,
        store,
        codec: 'zstd',
        work_dir,
        now: () => (hour + 3 * HOUR_US) / 1_000,
        log: silentLogger,
        hours: [{ table_name: 'trades', hour }],
      })
      await dropHour(pool, { table_name: 'trades', hour: toIso(hour) })
    },
    startEngine(options = {}) {
      const own = createPool(url, 'booktape-clusters', 3)
      const engine = startEngine({
        pool: own,
        store,
        shared: undefined,
        names: [],
        watch_s: 300,
        cache_bytes_max: 32 << 20,
        cache_s: 3_600,
        every_s: 3_600,
        wait_ms: 60_000,
        log: silentLogger,
        now: Date.now,
        ...options,
      })
      ending.push(async () => {
        await engine.stop()
        await own.end()
      })
      return engine
    },
  }
}

export async function addSymbol(pool: Pool, symbol: string, tick: number, step: number) {
  const { rows } = await pool.query<{ id: string }>(
    `insert into marketdata.symbols (exchange, symbol, instrument_type, tick_size, step_size)
     values ('binance-futures', $1, 'perp', $2, $3) returning id`,
    [symbol, tick, step],
  )
  return Number(rows[0]!.id)
}

/** From then on, trades before `to` count as late. */
export async function raiseThreshold(pool: Pool, to: number): Promise<void> {
  await pool.query('select marketdata.raise_invalidation_threshold($1, $2)', [
    'trades',
    toIso(micros(to)),
  ])
}

/** Adds trades as the writer does: with a log entry for those below the threshold. */
export async function addTrades(pool: Pool | Client, rows: readonly TradeRow[]): Promise<void> {
  await insertTrades(pool, rows)
  for (const { symbol, ts } of rows) {
    await pool.query(
      `insert into marketdata.invalidations (consumer, table_name, symbol_id, lowest, greatest)
       select consumer, 'trades', s.id, $2, $2
       from marketdata.invalidation_thresholds t
       cross join unnest(t.consumers) as consumer
       join marketdata.symbols s on s.symbol = $1
       where t.table_name = 'trades' and $2 < t.threshold`,
      [symbol, toIso(micros(ts))],
    )
  }
}

type Asked = Parameters<ClusterEngine['bars']>[0]

/** All bars of a range, from all pages. */
export async function allBars(
  engine: ClusterEngine,
  asked: Partial<Omit<BarsWanted, 'symbol'>> &
    Pick<Asked, 'symbol' | 'from' | 'to' | 'interval' | 'bin'>,
): Promise<readonly ClusterRow[]> {
  const rows: ClusterRow[] = []
  let after = asked.after
  for (;;) {
    const page: Awaited<ReturnType<ClusterEngine['bars']>> = await engine.bars({
      exchange: 'binance-futures',
      order: 'asc',
      limit: 500,
      ...asked,
      after,
    })
    rows.push(...page.rows.map((text) => JSON.parse(text) as ClusterRow))
    if (page.next_ts === null) return rows
    after = page.next_ts
  }
}

/** Trades of `minutes` minutes from `from` on: a random walk in ticks, the same for a seed. */
export function randomTrades(options: {
  readonly symbol: string
  readonly from: number
  readonly minutes: number
  readonly per_minute: number
  readonly seed: number
}): readonly TradeRow[] {
  const { symbol, from, minutes, per_minute, seed } = options
  let state = seed
  const random = (): number => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648
    return state / 2_147_483_648
  }
  let ticks = 617_000
  return Array.from({ length: minutes * per_minute }, (_, i) => {
    ticks += Math.round((random() - 0.5) * 14)
    return {
      symbol,
      ts: from + Math.floor((i * 60_000_000) / per_minute) + Math.floor(random() * 1_000),
      id: i + 1,
      price: Number((ticks / 10).toFixed(1)),
      qty: Number((Math.ceil(random() * 900) / 1_000).toFixed(3)),
      is_buyer_maker: random() < 0.5,
    }
  })
}
