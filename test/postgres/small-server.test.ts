/**
 * Many partitions on a small server: what a statement locks at most, and everything at the same
 * time. PARTITION_HOURS=720 (npm run test:partitions) is a month of hours.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { silentLogger } from '#core/node/log.ts'
import { createObjectStore } from '#core/node/object-store.ts'
import { createPool, type Pool } from '#core/node/pool.ts'
import { DAY_US, dayOf, HOUR_US, type Micros, micros, toIso } from '#core/time.ts'
import { selectCandles } from '../../edge-api/queries/candles.ts'
import { selectCoverage } from '../../edge-api/queries/coverage.ts'
import { createDatabase, type Database } from '../../edge-api/queries/database.ts'
import { depthSource } from '../../edge-api/queries/depth-source.ts'
import { selectLatestQuote } from '../../edge-api/queries/latest-quote.ts'
import { selectNewestQuoteTime } from '../../edge-api/queries/newest-quote.ts'
import { selectRange } from '../../edge-api/queries/range.ts'
import { selectSymbolStats } from '../../edge-api/queries/symbol-stats.ts'
import { storedColumns } from '../../edge-api/tables/table.ts'
import { RANGE_TABLES, trade_seconds } from '../../edge-api/tables/tables.ts'
import { selectLocatedGaps, selectMissing } from '../../ingestor/repair/ledger.ts'
import { followToEnd } from '../../ingestor/writer/follow-to-end.ts'
import { selectDueHours } from '../../jobs/archive/due-hours.ts'
import { runArchive } from '../../jobs/archive/run-archive.ts'
import { withDay } from '../../jobs/day/day.ts'
import { selectDaysWithData } from '../../jobs/day/days.ts'
import { planNow } from '../../jobs/retention/run-retention.ts'
import { runRollups } from '../../jobs/rollups/run-rollups.ts'
import { createTopnJob } from '../../jobs/topn/run-topn.ts'
import { validate } from '../../jobs/validation/run-validation.ts'
import { SECRET, startTestGateway } from '../edge-api/support.ts'
import { CHOICE, market, writeTape } from '../ingestor/writer/support.ts'
import { takeBucket } from '../support/bucket.ts'
import { atFileEnd } from '../support/file-end.ts'
import { LOCKS_MAX, SILENT, SPARSE, startSmallServer, TO } from './small-server.ts'

const HOURS = Number(process.env['PARTITION_HOURS'] ?? 48)
const server = await startSmallServer(HOURS)
const { pool, from, rowTime } = server
const times = Array.from({ length: HOURS }, (_, hour) => rowTime(hour))
/** The jobs' and the writer's now: the last row is some minutes old. */
const NOW_MS = rowTime(HOURS - 1) / 1_000 + 300_000
const log = silentLogger
const signal = new AbortController().signal
const store = createObjectStore(takeBucket())
const work_dir = mkdtempSync(join(tmpdir(), 'booktape-small-work-'))
const gateway = await startTestGateway(server.reader_url)
const db = createDatabase({
  database_url: server.reader_url,
  gateway_url: gateway.url,
  gateway_secret: SECRET,
})
atFileEnd(async () => {
  await gateway.stop()
  store.close()
  rmSync(work_dir, { recursive: true, force: true })
})

/** Relation locks of every other session, as often as the server answers: the most by program. */
class LockWatch {
  readonly most = new Map<string, number>()
  readonly #pool: Pool = createPool(server.url, 'test-watch', 1)
  readonly #running: Promise<void>
  #is_over = false

  constructor() {
    this.#running = this.#watch()
  }

  async #watch(): Promise<void> {
    while (!this.#is_over) {
      const { rows } = await this.#pool.query<{ program: string; n: number }>(
        `select a.application_name as program, count(*)::int as n
         from pg_locks l join pg_stat_activity a using (pid)
         where l.locktype = 'relation' and l.pid <> pg_backend_pid() group by l.pid, 1`,
      )
      for (const { program, n } of rows)
        this.most.set(program, Math.max(n, this.most.get(program) ?? 0))
      await new Promise((resolve) => setTimeout(resolve, 2))
    }
  }

  async stop(): Promise<ReadonlyMap<string, number>> {
    this.#is_over = true
    await this.#running
    await this.#pool.end()
    return this.most
  }
}

/** Widest reads of the edge, each with what it has to find. */
const READS: Readonly<Record<string, (db: Database) => Promise<void>>> = {
  ...Object.fromEntries(
    [...RANGE_TABLES.filter(({ archived }) => archived.length > 0), trade_seconds].map((table) => [
      `rows of ${table.name}`,
      async (of: Database) => {
        const columns = storedColumns(table, table.columns).map(({ name }) => name)
        const args = { table, columns, symbol_id: SPARSE, from, to: TO, limit: 5_000 }
        const found: Micros[] = []
        const rows = await selectRange(of, { ...args, after: null })
        for (const row of rows) found.push(row[table.identity[0]] as Micros)
        expect(found).toEqual(expect.arrayContaining([...expectedOf(table.name)]))
        expect(found).toEqual(found.toSorted((a, b) => a - b))
      },
    ]),
  ),
  candles: async (of) => {
    const args = { symbol_id: SPARSE, limit: 5_000 }
    const begin = micros(Math.max(from, TO - 10 * DAY_US))
    const rows = await selectCandles(of, { ...args, interval_us: HOUR_US, from: begin, to: TO })
    expect(rows.map((row) => row['ts'])).toEqual(
      times.filter((ts) => ts >= begin).map((ts) => ts - HOUR_US / 2),
    )
    const days = [micros(TO - DAY_US - (TO % DAY_US)), micros(TO - (TO % DAY_US))] as const
    const [day] = await selectCandles(of, {
      ...args,
      interval_us: DAY_US,
      from: days[0],
      to: days[1],
    })
    const count = times.filter((ts) => ts >= days[0] && ts < days[1]).length
    expect(day).toMatchObject({ ts: days[0], trade_count: count, volume: 3 * count })
  },
  coverage: async (of) => {
    const rows = await selectCoverage(of, {
      symbol_id: SPARSE,
      exchange: 'binance-futures',
      from,
      to: TO,
    })
    const edges = rows.map((row) => row.hot_first_ts)
    expect(edges).toEqual(Array.from({ length: 5 }, () => times[0]))
  },
  'the last quote of a silent symbol': async (of) => {
    expect(await selectLatestQuote(of, SILENT, TO)).toMatchObject({ ts_exchange: times[0] })
  },
  'a book long after its last change': async (of) => {
    const source = depthSource(of, SILENT)
    expect(await source.snapshotBefore(TO)).toMatchObject({ ts_exchange: times[0] })
    expect(await source.snapshotsAfter(from, TO)).toHaveLength(1)
    const diffs: Micros[] = []
    for await (const { ts_exchange } of source.diffs({ from_ts: from, from_id: 0, to_ts: TO })) {
      diffs.push(ts_exchange)
    }
    expect(diffs).toEqual([times[0]! + 1_000])
  },
  'health and statistics': async (of) => {
    await selectNewestQuoteTime(of, micros(TO - DAY_US))
    await selectSymbolStats(of, micros(TO - HOUR_US), 100)
  },
}

/** What is sampled and rolled up is written anew by the jobs beside the reads. */
function expectedOf(table: string): readonly number[] {
  if (table === 'depth') return times.flatMap((ts) => [ts, ts + 1_000])
  return table === 'orderbook-topn' || table === trade_seconds.name ? [] : times
}

const topn = (of: Pool) =>
  createTopnJob({
    pool: of,
    cadence: { min_us: 100_000, max_us: 1_000_000 },
    log,
    now: () => NOW_MS,
  })

/** Everything that jobs send to partitioned tables. */
const JOBS: Readonly<Record<string, (of: Pool) => Promise<void>>> = {
  rollups: async (of) => {
    await of.query(`update marketdata.rollup_watermarks set watermark = $1`, [
      toIso(micros(TO - HOUR_US)),
    ])
    await of.query(
      `insert into marketdata.invalidations (consumer, table_name, symbol_id, lowest, greatest)
       select 'rollups', t, ${SPARSE}, ts, ts from unnest($1::timestamptz[]) as ts,
         unnest('{book_ticker,trades,depth_events,orderbook_topn}'::text[]) as t`,
      [times.map(toIso)],
    )
    await runRollups({ pool: of, log, now: () => NOW_MS, signal })
    const { rows } = await of.query(`select count(*)::int as n from marketdata.invalidations
      where consumer = 'rollups'`)
    expect(rows).toEqual([{ n: 0 }])
  },
  topn: async (of) => void (await topn(of).run(signal)),
  validation: async (of) => void (await validate(of, NOW_MS)),
  retention: async (of) => {
    const settings = {
      budget_bytes: 1,
      days: { raw: 1, depth: 1, rollups: 1 },
      clusters_days: 0,
      settle_us: HOUR_US,
    }
    const plan = await planNow({ pool: of, settings, log, now: () => NOW_MS })
    expect(plan.partitions.length).toBeGreaterThanOrEqual(9 * HOURS)
  },
  'due hours': async (of) => void (await selectDueHours(of, TO)),
  archive: async (of) => {
    const hours = [{ table_name: 'trades', hour: from } as const]
    await runArchive({ pool: of, store, codec: 'zstd', work_dir, log, now: () => NOW_MS, hours })
  },
  'days with data': async (of) => {
    expect(await selectDaysWithData(of, 100)).toHaveLength(
      new Set(times.map((ts) => dayOf(ts))).size,
    )
  },
  'a whole day': async (of) => {
    const day = dayOf(micros(TO - DAY_US))
    await withDay({ pool: of, store }, day, async ({ reader, symbols }) => {
      let row_count = 0
      for await (const chunk of reader.trades(symbols[0]!)) row_count += chunk.row_count
      expect(row_count).toBe(times.filter((ts) => dayOf(ts) === day).length)
      for await (const changes of reader.depth(symbols[0]!)) row_count += changes.length
      await reader.quoteBefore(symbols[0]!)
    })
  },
  'a gap of all hours': async (of) => {
    await of.query(
      `insert into marketdata.gaps (symbol_id, channel, from_ts, to_ts, from_id, to_id, cause, detected_at)
       values (${SPARSE}, 'trades', $1, $2, 1, 100000000, 'restart', $2) on conflict do nothing`,
      [toIso(from), toIso(TO)],
    )
    const client = await of.connect()
    try {
      const [gap] = await selectLocatedGaps(client)
      expect(await selectMissing(client, gap!)).toMatchObject({ stored_count: HOURS })
    } finally {
      client.release()
    }
  },
}

/** One life of a writer: a tape to its end. The second time its rows are all there already. */
async function write(): Promise<void> {
  const tape_dir = await writeTape(market(['BTCUSDT', 'ETHUSDT'], 200))
  const dead_letter_path = join(tape_dir, 'dead.ndjson')
  const options = {
    database_url: server.url,
    ingestor_id: 'test',
    tape_dir,
    choice: CHOICE,
    dead_letter_path,
  }
  const counts = await followToEnd({ ...options, log })
  expect(counts.rows.book_ticker + counts.duplicates.book_ticker).toBeGreaterThan(0)
}

/** The most relation locks that one session was seen with. */
async function watched(work: () => Promise<void>): Promise<number> {
  const watch = new LockWatch()
  try {
    await work()
  } finally {
    await watch.stop()
  }
  return Math.max(...watch.most.values())
}

describe('a statement locks no more than a connection has room for', () => {
  // The first of the jobs makes the rollups that are read afterwards.
  for (const [name, job] of Object.entries(JOBS)) {
    test(name, async () => expect(await watched(() => job(pool))).toBeLessThanOrEqual(LOCKS_MAX))
  }
  for (const [name, read] of Object.entries(READS)) {
    test(name, async () => {
      expect(
        await watched(async () => {
          for (let i = 0; i < 3; i++) await read(db)
        }),
      ).toBeLessThanOrEqual(LOCKS_MAX)
    })
  }
  test('the writer', async () => expect(await watched(write)).toBeLessThanOrEqual(LOCKS_MAX))
})

test('eight callers, the jobs and the writer at the same time: nobody fails', async () => {
  const jobs_pool = createPool(server.url, 'booktape-jobs', 8)
  const failures: string[] = []
  const noting = async (name: string, work: () => Promise<void>): Promise<void> => {
    try {
      await work()
    } catch (error) {
      failures.push(`${name}: ${String(error)}`)
    }
  }
  /** Each begins with another read. */
  const caller = async (index: number): Promise<void> => {
    const reads = Object.entries(READS)
    for (const [name, read] of [...reads.slice(index), ...reads.slice(0, index)]) {
      await noting(name, () => read(db))
    }
  }
  await Promise.all([
    ...Array.from({ length: 8 }, (_, index) => caller(index)),
    ...Object.entries(JOBS).map(([name, job]) => noting(name, () => job(jobs_pool))),
    (async () => {
      for (let life = 0; life < 2; life++) await noting('writer', write)
    })(),
  ])
  await jobs_pool.end()
  expect(failures).toEqual([])
})
