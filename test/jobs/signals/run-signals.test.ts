/** The job finds the rows of the nightly dataset, however it is cut and whatever comes late. */
import { expect, test } from 'vitest'
import { silentLogger } from '#core/node/log.ts'
import { SIGNAL_KINDS } from '#core/signals/signal.ts'
import { parseDay } from '#core/time.ts'
import { runDatasets } from '../../../jobs/datasets/run-datasets.ts'
import { runRollups } from '../../../jobs/rollups/run-rollups.ts'
import { createSignalsJob, type SignalsJob } from '../../../jobs/signals/run-signals.ts'
import { createTopnJob } from '../../../jobs/topn/run-topn.ts'
import { publishedKey, readManifest, versionOf } from '../../support/published.ts'
import { insertGap, insertTrades } from '../market.ts'
import { createStand, NOON, readWithDuckDb, type Stand } from '../stand.ts'
import { insertTape } from './market.ts'

const DATE = '2024-08-09'
const FROM = `${DATE}T02:57:13Z`
const never = new AbortController().signal
const stand = await createStand()
const { pool, store } = stand
const tape = await insertTape(pool, 'BTCUSDT', 1, FROM, 130)
await insertTape(pool, 'ETHUSDT', 2, FROM, 15)

const common = { log: silentLogger, now: () => NOON }
const topn = createTopnJob({ pool, cadence: { min_us: 100_000, max_us: 1_000_000 }, ...common })
const newJob = (symbols = ['BTCUSDT', 'ETHUSDT'], has_webhook = false): SignalsJob =>
  createSignalsJob({ pool, store, symbols, keep_days: 30, has_webhook, ...common })

async function settle(job: SignalsJob): Promise<number> {
  await topn.run(never)
  await runRollups({ pool, signal: never, ...common })
  return (await job.run(never)).row_count
}

const HOT = `
  select s.symbol, extract(epoch from ts)::text as ts, g.id::text, kind, interval_s::text,
    extract(epoch from bar_ts)::text as bar_ts, side, price_low, price_high, strength,
    version::text, bin_ticks::text, volume, delta, qty, reference_qty, qty_after, traded_qty,
    buy_qty, sell_qty, reference_price, trade_id::text
  from marketdata.signals g join marketdata.symbols s on s.id = g.symbol_id
  order by s.symbol, g.ts, g.id::text collate "C"`
const COLD = `
  select symbol, printf('%d.%06d', epoch_us(ts) // 1000000, epoch_us(ts) % 1000000) as ts,
    id::text as id, kind, interval_s::text as interval_s,
    printf('%d.%06d', epoch_us(bar_ts) // 1000000, epoch_us(bar_ts) % 1000000) as bar_ts,
    side, price_low, price_high, strength,
    version::text as version, bin_ticks::text as bin_ticks, volume, delta, qty, reference_qty,
    qty_after, traded_qty, buy_qty, sell_qty, reference_price, trade_id::text as trade_id`

type Row = Readonly<Record<string, unknown>>

async function hot(): Promise<readonly Row[]> {
  return (await pool.query<Row>(HOT)).rows
}

async function build(of: Stand): Promise<void> {
  const date = parseDay(DATE)!
  await runDatasets({ pool, store, date, work_dir: `${of.dir}/work`, ...common })
}

/** Rows of the dataset that were known when the job ended: bars that go on are not. */
async function cold(): Promise<readonly Row[]> {
  const manifest = (await readManifest(store, 'signals', versionOf('signals'), DATE))!
  const rows = await readWithDuckDb(stand, publishedKey(manifest, 'signals.parquet'), (file) => {
    return `${COLD} from ${file} order by symbol, ts, id`
  })
  const { rows: ends } = await pool.query<{ symbol: string; trades_to: string; books_to: string }>(
    `select s.symbol, extract(epoch from trades_to)::text as trades_to,
       extract(epoch from books_to)::text as books_to
     from marketdata.signal_progress p join marketdata.symbols s on s.id = p.symbol_id`,
  )
  return rows.filter((row) => {
    const end = ends.find(({ symbol }) => symbol === row['symbol'])!
    const is_wall = String(row['kind']).startsWith('wall')
    return is_wall
      ? Number(row['bar_ts']) < Number(end.books_to)
      : Number(row['ts']) <= Number(end.trades_to)
  })
}

test('the job finds what the dataset of the day has, and a rerun changes nothing', async () => {
  expect(await settle(newJob())).toBeGreaterThan(100)
  await build(stand)
  const rows = await hot()
  expect(rows).toEqual(await cold())
  const kinds = new Set(rows.map(({ kind, interval_s }) => `${kind} ${interval_s}`))
  for (const kind of SIGNAL_KINDS) {
    const is_of_bar = !kind.startsWith('wall') && kind !== 'large_trade'
    expect(kinds).toContain(`${kind} ${is_of_bar ? 60 : null}`)
  }
  expect(kinds).toContain('stacked_imbalance 300')
  const { rows: before } = await pool.query('select seq, id from marketdata.signals order by seq')
  await pool.query(
    `update marketdata.signal_progress set trades_to = from_ts, books_to = books_from`,
  )
  expect((await newJob().run(never)).row_count).toBe(0)
  const { rows: after } = await pool.query('select seq, id from marketdata.signals order by seq')
  expect(after).toEqual(before)
})

test('a rebuild of the dataset has the same bytes', async () => {
  const first = await readManifest(store, 'signals', versionOf('signals'), DATE)
  await build(stand)
  const again = await readManifest(store, 'signals', versionOf('signals'), DATE)
  expect(again).toEqual(first)
  expect(first!.row_count).toBeGreaterThan(100)
  expect(first!.files.map(({ name }) => name)).toEqual([
    'signals.parquet',
    'signals.arrow',
    'coverage.parquet',
  ])
})

test('late trades replace the rows of the bars that they change', async () => {
  const before = await hot()
  const ts = tape.from + 47 * 60e6 + 1
  const late = { symbol: 'BTCUSDT', ts, qty: 77, is_buyer_maker: false }
  const { price } = tape.trades.findLast((trade) => trade.ts < ts)!
  await insertTrades(pool, [
    { ...late, id: 1, price },
    { ...late, id: 2, price: Number((price + 40 * tape.tick_size).toFixed(2)) },
  ])
  // As the writer logs rows below the threshold.
  await pool.query(
    `insert into marketdata.invalidations (consumer, table_name, symbol_id, lowest, greatest)
     select consumer, 'trades', s.id, to_timestamp($1), to_timestamp($1)
     from marketdata.symbols s, unnest(array['rollups', 'signals']) as consumer
     where s.symbol = 'BTCUSDT'`,
    [ts / 1e6],
  )
  await settle(newJob())
  await build(stand)
  const after = await hot()
  expect(after).toEqual(await cold())
  const ids = new Set(after.map(({ id }) => id))
  const gone = before.filter(({ id }) => !ids.has(id))
  expect(gone.length).toBeGreaterThan(0)
  expect(gone.every((row) => Number(row['ts']) * 1e6 > ts)).toBe(true)
  const left = await pool.query("select from marketdata.invalidations where consumer = 'signals'")
  expect(left.rowCount).toBe(0)
})

test('a gap takes the signals of its bars, and its repair brings them back', async () => {
  const before = await hot()
  const gap = { symbol: 'BTCUSDT', channel: 'trades', from_ts: tape.from + 60 * 60e6 } as const
  await insertGap(pool, { ...gap, to_ts: gap.from_ts + 30e6 })
  const job = newJob()
  await settle(job)
  await build(stand)
  const during = await hot()
  expect(during).toEqual(await cold())
  expect(during.length).toBeLessThan(before.length)
  await pool.query("update marketdata.gaps set repaired_at = now() where channel = 'trades'")
  await settle(job)
  expect(await hot()).toEqual(before)
})

test('runs that are cut anywhere find the same rows', async () => {
  const before = await hot()
  await pool.query('delete from marketdata.signals')
  await pool.query('delete from marketdata.signal_progress')
  const jobs = [newJob(), newJob()]
  // Watermarks that grow with every run, as the market goes on.
  const { rows } = await pool.query<{ watermark: Date }>(
    `select watermark from marketdata.rollup_watermarks where rollup = 'trade_1s'`,
  )
  const end = rows[0]!.watermark.getTime()
  for (let i = 0; i < 9; i++) {
    const at = tape.from / 1_000 + ((end - tape.from / 1_000) * (i + 0.37)) / 9
    await pool.query(
      `update marketdata.rollup_watermarks set watermark = $1 where rollup = 'trade_1s'`,
      [new Date(i === 8 ? end : at)],
    )
    // Another process every third time: it has nothing in memory.
    await jobs[i % 3 === 2 ? 1 : 0]!.run(never)
  }
  expect(await hot()).toEqual(before)
})

test('a day leaves Postgres only after its dataset was published', async () => {
  const { rowCount: kept } = await pool.query('select from marketdata.signals')
  const later = (days: number): SignalsJob =>
    createSignalsJob({
      pool,
      store,
      symbols: [],
      keep_days: 30,
      has_webhook: false,
      log: silentLogger,
      now: () => Date.parse(`${DATE}T00:00:00Z`) + days * 86_400_000,
    })
  await later(29).run(never)
  expect((await pool.query('select from marketdata.signals')).rowCount).toBe(kept)
  await later(32).run(never)
  expect((await pool.query('select from marketdata.signals')).rowCount).toBe(0)
})
