/**
 * Rollups and orderbook_topn in the archive: made, replaced by late rows, dropped and recomputed.
 */
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { ARCHIVED_TABLES, DERIVED_TABLES, type DerivedTable } from '#core/archived-tables.ts'
import { silentLogger } from '#core/node/log.ts'
import type { ArchivedHour } from '#core/archive.ts'
import { selectDueHours } from '../../../jobs/archive/due-hours.ts'
import { type ArchiveOptions, runArchive } from '../../../jobs/archive/run-archive.ts'
import { dropPartition } from '../../../jobs/retention/drop.ts'
import { selectPartitions } from '../../../jobs/retention/partitions.ts'
import { runRollups } from '../../../jobs/rollups/run-rollups.ts'
import { createTopnJob } from '../../../jobs/topn/run-topn.ts'
import { micros, toIso } from '#core/time.ts'
import { insertQuotes, insertSymbols, insertTrades } from '../market.ts'
import { createStand, readWithDuckDb } from '../stand.ts'

const stand = await createStand()
const { pool, store } = stand
const HOUR = Date.parse('2024-08-08T13:00:00Z') * 1_000
let now_ms = Date.parse('2024-08-08T20:00:00Z')
const common = { pool, log: silentLogger, now: () => now_ms }
const signal = new AbortController().signal
const topn = createTopnJob({ ...common, cadence: { min_us: 100_000, max_us: 1_000_000 } })

const at = (seconds: number): number => HOUR + seconds * 1e6 + 250_000
await insertSymbols(pool, ['BTCUSDT', '龙USDT'])
for (const symbol of ['BTCUSDT', '龙USDT']) {
  const seconds = Array.from({ length: 40 }, (_, i) => 3_580 + i)
  await insertQuotes(
    pool,
    seconds.map((s) => ({
      symbol,
      ts: at(s),
      id: s,
      bid: 10 + (s % 7),
      bid_qty: 1,
      ask: 20,
      ask_qty: s,
    })),
  )
  await insertTrades(
    pool,
    seconds.map((s) => ({
      symbol,
      ts: at(s),
      id: s,
      price: 10 + (s % 5),
      qty: 0.1 * s,
      is_buyer_maker: s % 2 === 0,
    })),
  )
}
await pool.query(
  `select marketdata.ensure_hour('depth_events', h) from unnest(array['2024-08-08T13:00:00Z', '2024-08-08T14:00:00Z']::timestamptz[]) h`,
)
await pool.query(
  `insert into marketdata.depth_events (ts_exchange, ts_ingest, symbol_id, depth_kind, first_update_id, final_update_id, bids, asks)
   select ts, ts, s.id, case when n = 3580 then 'snapshot' else 'diff' end, n, n, array[[99.5, n]], '{{101,1}}'
   from marketdata.symbols s, generate_series(3580, 3619) n,
     lateral (select '2024-08-08T13:00:00.25Z'::timestamptz + make_interval(secs => n) as ts) t`,
)

/** What the daemon does within a minute or two. */
async function make(): Promise<void> {
  for (let run = 0; run < 3; run++) {
    now_ms += 30_000
    await topn.run(signal)
    await runRollups({ ...common, signal })
  }
}
const archive = (options: Partial<ArchiveOptions> = {}): Promise<unknown> =>
  runArchive({ ...common, store, codec: 'zstd', work_dir: join(stand.dir, 'work'), ...options })

async function newest(table_name: DerivedTable): Promise<readonly ArchivedHour[]> {
  const { rows } = await pool.query<ArchivedHour>(
    `select distinct on (hour) object_key, version, row_count::int from marketdata.archive
     where table_name = $1 order by hour, version desc`,
    [table_name],
  )
  return rows
}

function lineOf(columns: readonly string[], row: Readonly<Record<string, unknown>>): string {
  return columns.map((name) => String(row[name] ?? null)).join(' ')
}

/** All hours, in the files' column order. */
async function archived(table_name: DerivedTable): Promise<readonly string[]> {
  const { columns, identity } = ARCHIVED_TABLES[table_name]
  const names = columns.map(({ name }) => (name === 'symbol_id' ? 'symbol' : name))
  const select = names.map((name) => (name === identity[1] ? `epoch_us(${name}) as ${name}` : name))
  const lines: string[] = []
  for (const { object_key } of await newest(table_name)) {
    const rows = await readWithDuckDb(
      stand,
      object_key,
      (file) => `select ${select.join(', ')} from ${file}`,
    )
    lines.push(...rows.map((row) => lineOf(names, row)))
  }
  return lines.toSorted()
}

async function stored(
  table_name: DerivedTable,
  relation = `marketdata.${table_name}`,
): Promise<readonly string[]> {
  const { columns, identity } = ARCHIVED_TABLES[table_name]
  const select = columns.map(({ name, type }) => {
    if (name === 'symbol_id') return 'symbol'
    if (name === identity[1])
      return `(extract(epoch from ${name}) * 1000000)::int8::text as ${name}`
    return type === 'int8' ? `${name}::text` : name
  })
  const { rows } = await pool.query(
    `select ${select.join(', ')} from ${relation} t join marketdata.symbols s on s.id = t.symbol_id`,
  )
  const names = columns.map(({ name }) => (name === 'symbol_id' ? 'symbol' : name))
  return rows.map((row) => lineOf(names, row)).toSorted()
}

const due = async (): Promise<readonly string[]> =>
  (await selectDueHours(pool, micros(now_ms * 1_000)))
    .filter(({ table_name }) => DERIVED_TABLES.some((name) => name === table_name))
    .map(({ table_name, hour }) => `${table_name} ${toIso(hour).slice(0, 13)}`)

/** A late trade from the ingestor: it is logged for the rollups and for the archive. */
async function addLate(seconds: number, id: number): Promise<void> {
  await insertTrades(pool, [
    { symbol: 'BTCUSDT', ts: at(seconds), id, price: 77, qty: 3, is_buyer_maker: true },
  ])
  await pool.query(
    `insert into marketdata.invalidations (consumer, table_name, symbol_id, lowest, greatest)
     select consumer, 'trades', s.id, $1, $1 from marketdata.symbols s, unnest(array['rollups', 'archive']) consumer
     where symbol = 'BTCUSDT'`,
    [new Date(at(seconds) / 1e3)],
  )
}

test('none of their hours is due before they are computed, and then every hour with rows is', async () => {
  expect(await due()).toEqual([])
  await make()
  expect((await due()).toSorted()).toEqual(
    DERIVED_TABLES.flatMap((name) => [`${name} 2024-08-08T13`, `${name} 2024-08-08T14`]).toSorted(),
  )
  await archive()
  expect(await due()).toEqual([])
})

for (const name of DERIVED_TABLES) {
  test(`${name}: its files hold the rows of the table, under derived/`, async () => {
    const lines = await archived(name)
    expect(lines.length).toBeGreaterThan(70)
    expect(lines).toEqual(await stored(name))
    for (const { object_key } of await newest(name)) {
      expect(object_key).toMatch(
        new RegExp(
          `^derived/${name}/exchange=binance-futures/date=2024-08-08/hour=1[34]\\.parquet$`,
        ),
      )
    }
  })
}

test('seconds that a late trade replaced give a new version that equals the current table', async () => {
  await addLate(3_585, 9_001)
  await archive()
  // The rollup has not processed it yet.
  expect(await due()).toEqual([])
  await make()
  expect(await due()).toEqual(['trade_1s 2024-08-08T13'])
  await archive()
  expect((await newest('trade_1s')).map(({ version }) => version)).toEqual([2, 1])
  expect(await archived('trade_1s')).toEqual(await stored('trade_1s'))
})

test('after a day was dropped, recomputed seconds replace those of the file', async () => {
  const states = await selectPartitions(pool)
  const state = states.find(({ table_name }) => table_name === 'trade_1s')!
  expect(await dropPartition(pool, state)).toMatchObject({ kind: 'dropped' })
  await addLate(3_590, 9_002)
  await addLate(3_700, 9_003)
  await make()
  expect(await due()).toEqual(['trade_1s 2024-08-08T13', 'trade_1s 2024-08-08T14'])
  await archive()
  expect((await newest('trade_1s')).map(({ version }) => version)).toEqual([3, 2])
  const whole =
    "(select r.* from marketdata.symbols s cross join lateral marketdata.trade_1s_of(s.id, '-infinity', 'infinity') r)"
  expect(await archived('trade_1s')).toEqual(await stored('trade_1s', whole))
  // The rest of the partition can be dropped again, and the files stay as they are.
  const [remainder] = (await selectPartitions(pool)).filter(
    ({ table_name }) => table_name === 'trade_1s',
  )
  expect(remainder).toMatchObject({ is_remainder: true })
  expect(await dropPartition(pool, remainder!)).toMatchObject({ kind: 'dropped', row_count: 2 })
  expect(await archived('trade_1s')).toEqual(await stored('trade_1s', whole))
})

test('a day that is dropped while a run waits for its rows is not taken for an empty one', async () => {
  const before = await newest('bt_1s')
  const client = await pool.connect()
  await client.query('begin')
  await client.query('lock table only marketdata.bt_1s in access exclusive mode')
  const run = archive({ hours: [{ table_name: 'bt_1s', hour: micros(HOUR) }] })
  await expect
    .poll(async () => {
      const { rows } = await pool.query(
        "select 1 from pg_stat_activity where wait_event_type = 'Lock' and query like '%bt_1s%'",
      )
      return rows.length
    })
    .toBe(1)
  // As retention does.
  await client.query('drop table marketdata.bt_1s_20240808')
  await client.query(
    "update marketdata.archive set dropped_at = now(), table_row_count = 0 where table_name = 'bt_1s'",
  )
  await client.query('commit')
  client.release()
  await run
  expect(await newest('bt_1s')).toEqual(before)
})
