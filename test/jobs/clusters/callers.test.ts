/** Who gets clusters computed: callers, watches, two engines; and what happens when things fail. */
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { ClusterRow } from '#core/clusters/row.ts'
import { silentLogger } from '#core/node/log.ts'
import { decimalOf, plus, ZERO } from '#core/decimals.ts'
import { exactText } from '#core/decimal-text.ts'
import { createPool, inTransaction } from '#core/node/pool.ts'
import { HOUR_US, micros, toIso } from '#core/time.ts'
import { retireGoneEngine } from '../../../jobs/clusters/registration.ts'
import { runRetention } from '../../../jobs/retention/run-retention.ts'
import { runRollups } from '../../../jobs/rollups/run-rollups.ts'
import { startServer } from '../../../jobs/clusters/server.ts'
import { atFileEnd } from '../../support/file-end.ts'
import { ROOT } from '../../support/imports.ts'
import { programEnv } from '../../support/program-env.ts'
import { startSwitchProxy } from '../../support/switch-proxy.ts'
import { insertTrades, type TradeRow } from '../market.ts'
import {
  addSymbol,
  addTrades,
  allBars,
  createStand,
  raiseThreshold,
  randomTrades,
} from './stand.ts'

const FROM = Date.parse('2024-08-08T20:00:00Z') * 1_000
const MINUTE = 60_000_000
const HOURS = 3
const TO = FROM + HOURS * HOUR_US
const SECRET = 'a secret of the tests'

const stand = await createStand()
const { pool } = stand
const ids = new Map<string, number>()
for (const [i, symbol] of ['AAAUSDT', 'BBBUSDT', 'CCCUSDT'].entries()) {
  ids.set(symbol, await addSymbol(pool, symbol, 0.1, 0.001))
  const of_symbol = { symbol, from: FROM, minutes: HOURS * 60, per_minute: 30, seed: 11 + i }
  await insertTrades(pool, randomTrades(of_symbol))
}

const range = { from: micros(FROM), to: micros(TO) }
const minutesOf = async (symbol: string): Promise<number> => {
  const { rows } = await pool.query<{ n: number }>(
    'select count(*)::int as n from marketdata.clusters where symbol_id = $1',
    [ids.get(symbol)],
  )
  return rows[0]!.n
}

test('nothing is computed for a symbol that nobody watches, until somebody reads it', async () => {
  await raiseThreshold(pool, FROM + 62 * MINUTE)
  let now_us = FROM + 90 * MINUTE
  const engine = stand.startEngine({ names: ['AAAUSDT'], now: () => now_us / 1_000 })
  const { signal } = new AbortController()
  await engine.keep_up.run(signal)
  // A minute is over ten seconds after its end, whenever the rollups run.
  expect([await minutesOf('AAAUSDT'), await minutesOf('BBBUSDT')]).toEqual([29, 0])
  now_us += 10_000_000
  await engine.keep_up.run(signal)
  expect([await minutesOf('AAAUSDT'), await minutesOf('BBBUSDT')]).toEqual([30, 0])
  await allBars(engine, { ...range, symbol: 'BBBUSDT', interval: '1m', bin: 10 })
  expect(await minutesOf('BBBUSDT')).toBe(90)
  await expect
    .poll(async () => {
      const { rows } = await pool.query('select symbol_id from marketdata.cluster_watch')
      return rows.map(({ symbol_id }) => Number(symbol_id))
    })
    .toEqual([ids.get('BBBUSDT')])
  await raiseThreshold(pool, FROM + 100 * MINUTE)
  await engine.keep_up.run(signal)
  expect([await minutesOf('AAAUSDT'), await minutesOf('BBBUSDT')]).toEqual([40, 100])
  // The watch ends: nobody has read it for long.
  await pool.query(`update marketdata.cluster_watch set watched_until = now()`)
  await raiseThreshold(pool, FROM + 110 * MINUTE)
  await engine.keep_up.run(signal)
  expect([await minutesOf('AAAUSDT'), await minutesOf('BBBUSDT')]).toEqual([50, 100])
})

test('50 callers at once, at two engines: each hour is computed once', async () => {
  await raiseThreshold(pool, TO)
  const engines = [stand.startEngine(), stand.startEngine()]
  const answers = await Promise.all(
    Array.from({ length: 50 }, (_, i) =>
      engines[i % 2]!.bars({
        ...range,
        exchange: 'binance-futures',
        symbol: 'CCCUSDT',
        interval: '5m',
        bin: i < 25 ? 'auto' : 10,
        order: 'asc',
        limit: 500,
        after: undefined,
      }),
    ),
  )
  expect(new Set(answers.map(({ rows }) => rows.join())).size).toBe(2)
  const computed = engines.reduce((sum, { sync }) => sum + sync.counts.minutes, 0)
  expect(computed).toBe(HOURS * 60)
})

test('sums over the bins are the volumes of the candles', async () => {
  const log = silentLogger
  const { signal } = new AbortController()
  await runRollups({ pool, log, now: () => (TO + HOUR_US) / 1_000, signal })
  const engine = stand.startEngine()
  for (const [interval, seconds] of [
    ['1m', 60],
    ['1h', 3_600],
  ] as const) {
    const { rows } = await pool.query<Record<string, number>>(
      `select volume, buy_volume, sell_volume, trade_count::int, open, high, low, close
       from marketdata.candles($1, $2, $3, $4, 1000)`,
      [ids.get('CCCUSDT'), seconds, toIso(micros(FROM)), toIso(micros(TO))],
    )
    for (const bin of [1, 3, 1_000]) {
      const bars = await allBars(engine, { ...range, symbol: 'CCCUSDT', interval, bin })
      expect(bars.map(sumsOf)).toEqual(rows)
    }
  }
})

/** In thousandths, in which every quantity is whole. */
function sumsOf({ cells, trade_count, open, high, low, close }: ClusterRow) {
  const sum = (place: 1 | 2): number =>
    cells.reduce((total, cell) => total + Math.round(Number(cell[place]) * 1_000), 0)
  const [bought, sold] = [sum(1), sum(2)]
  return {
    volume: (bought + sold) / 1_000,
    buy_volume: bought / 1_000,
    sell_volume: sold / 1_000,
    trade_count,
    open: Number(open),
    high: Number(high),
    low: Number(low),
    close: Number(close),
  }
}

test('old days of clusters are dropped, and computed again for who asks', async () => {
  await raiseThreshold(pool, TO)
  const engine = stand.startEngine()
  const asked = { ...range, symbol: 'CCCUSDT', interval: '15m' as const, bin: 10 }
  const before = await allBars(engine, asked)
  const retain = (time: string) =>
    runRetention({
      pool,
      settings: {
        budget_bytes: Number.MAX_SAFE_INTEGER,
        days: { raw: 0, depth: 0, rollups: 0 },
        clusters_days: 2,
        settle_us: HOUR_US,
      },
      log: silentLogger,
      now: () => Date.parse(time),
    })
  expect((await retain('2024-08-10T23:59:59Z')).dropped).toEqual([])
  // A reader that is not done keeps the day until a later run.
  await inTransaction(pool, async (client) => {
    await client.query('select from marketdata.clusters_20240808 limit 1')
    const { dropped, kept } = await retain('2024-08-11T00:00:00Z')
    expect([dropped, kept.map(({ partition }) => partition)]).toEqual([[], ['clusters_20240808']])
  })
  expect((await retain('2024-08-11T00:00:00Z')).dropped).toEqual(['clusters_20240808'])
  expect(await minutesOf('CCCUSDT')).toBe(0)
  // The engine has the bars that it has seen, and their minutes' summaries, in memory.
  expect(await allBars(engine, asked)).toEqual(before)
  const volumes = (rows: readonly ClusterRow[]) => rows.map(({ volume }) => volume)
  expect(volumes(await allBars(engine, { ...asked, bin: 20 }))).toEqual(volumes(before))
  const { text } = await engine.profile({ ...asked, exchange: 'binance-futures' })
  const sum = before.reduce((total, { volume }) => plus(total, decimalOf(Number(volume))), ZERO)
  expect((JSON.parse(text) as { volume: string }).volume).toBe(exactText(sum, 3))
  expect(await minutesOf('CCCUSDT')).toBe(HOURS * 60)
})

test('an engine that is gone for two days is retired, and begins again when it is back', async () => {
  const symbol = 'AAAUSDT'
  const asked = { ...range, symbol, interval: '1h' as const, bin: 10 }
  const engine = stand.startEngine()
  const counted = async (): Promise<number> =>
    (await allBars(engine, asked)).reduce((sum, { trade_count }) => sum + trade_count, 0)
  const before = await counted()
  const late = (id: number): TradeRow => {
    return { symbol, ts: FROM + id, id, price: 61_700, qty: 1, is_buyer_maker: false }
  }
  const entries = async (): Promise<number> => {
    const { rows } = await pool.query<{ n: number }>(
      `select count(*)::int as n from marketdata.invalidations where consumer = 'clusters'`,
    )
    return rows[0]!.n
  }
  await addTrades(pool, [late(7_000_001)])
  const waitFor = (hours: number) =>
    pool.query(
      `update marketdata.invalidations set logged_at = now() - $1 * interval '1 hour'
       where consumer = 'clusters'`,
      [hours],
    )
  await waitFor(47)
  expect(await retireGoneEngine(pool)).toBe(false)
  await waitFor(49)
  expect(await retireGoneEngine(pool)).toBe(true)
  expect(await retireGoneEngine(pool)).toBe(false)
  // Nothing is logged for it any more, so nothing is answered either.
  await addTrades(pool, [late(7_000_002)])
  expect(await entries()).toBe(0)
  await expect(allBars(engine, asked)).rejects.toMatchObject({ code: 'clusters_not_registered' })
  const isWatched = async (): Promise<boolean> => {
    const { rowCount } = await pool.query(
      'select from marketdata.cluster_watch where symbol_id = $1',
      [ids.get(symbol)],
    )
    return rowCount === 1
  }
  await expect.poll(isWatched).toBe(true)
  // Its next round registers it, with an empty table, and begins with the newest hour of what is
  // watched: both late trades are in the bars.
  await engine.keep_up.run(new AbortController().signal)
  expect(await minutesOf(symbol)).toBe(60)
  expect(await counted()).toBe(before + 2)
  await addTrades(pool, [late(7_000_003)])
  expect(await entries()).toBe(1)
  expect(await counted()).toBe(before + 3)
})

test('late trades while hours are computed: no minute misses one', async () => {
  const symbol = 'BBBUSDT'
  await pool.query('truncate marketdata.clusters')
  const engine = stand.startEngine()
  const late = randomTrades({ symbol, from: FROM, minutes: HOURS * 60, per_minute: 1, seed: 99 })
  const over = new AbortController()
  const reads = (async () => {
    while (!over.signal.aborted) {
      const asked = { ...range, symbol, interval: '1h' as const, bin: 10 }
      // A range that keeps changing may be refused, and then has to be asked for again.
      await allBars(engine, asked).catch((error: { code?: string }) => {
        expect(error.code).toBe('clusters_changing')
      })
    }
  })()
  for (let at = 0; at < late.length; at += 10) {
    const part = late.slice(at, at + 10).map((trade) => ({ ...trade, id: trade.id + 5_000_000 }))
    const client = await pool.connect()
    try {
      await client.query('begin')
      await addTrades(client, part)
      await client.query('commit')
    } finally {
      client.release()
    }
  }
  over.abort()
  await reads
  const bars = await allBars(engine, { ...range, symbol, interval: '1m', bin: 1 })
  const { rows } = await pool.query<{ n: number }>(
    `select count(*)::int as n from marketdata.trades where symbol_id = $1
     group by date_bin('1 minute', ts_exchange, 'epoch') order by date_bin('1 minute', ts_exchange, 'epoch')`,
    [ids.get(symbol)],
  )
  expect(bars.map(({ trade_count }) => trade_count)).toEqual(rows.map(({ n }) => n))
})

test('Postgres refuses: a named refusal, and an answer as soon as it is back', async () => {
  const proxy = await startSwitchProxy(stand.url)
  const own = createPool(proxy.url, 'booktape-clusters', 3, 1_000)
  const engine = stand.startEngine({ pool: own })
  const note = (): void => undefined
  const server = await startServer({
    host: '127.0.0.1',
    port: 0,
    secret: SECRET,
    requests_max: 64,
    engine,
    pool: own,
    log: silentLogger,
    note,
  })
  atFileEnd(async () => {
    await server.stop(0)
    await own.end()
  })
  const asked = new URLSearchParams({
    exchange: 'binance-futures',
    symbol: 'AAAUSDT',
    interval: '15m',
    bin: '10',
    from: String(FROM),
    to: String(TO),
    order: 'asc',
    limit: '500',
  })
  const ask = (secret = SECRET): Promise<Response> =>
    fetch(`${server.url}/clusters/bars?${asked}`, {
      headers: { authorization: `Bearer ${secret}` },
    })
  const before = await (await ask()).text()
  expect(JSON.parse(before)).toHaveLength(HOURS * 4)
  expect((await ask('another secret of the tests')).status).toBe(401)
  proxy.pointTo(undefined)
  const away = await ask()
  expect([away.status, ((await away.json()) as { code: string }).code]).toEqual([
    503,
    'database_unreachable',
  ])
  expect((await fetch(`${server.url}/clusters/health`)).status).toBe(503)
  proxy.pointTo(stand.url)
  await expect.poll(async () => (await ask()).status).toBe(200)
  expect(await (await ask()).text()).toBe(before)
})

test('an engine that is killed while it computes leaves nothing half done', async () => {
  await pool.query('truncate marketdata.clusters')
  const { config } = stand.store
  const start = async () => {
    const child = spawn(process.execPath, [join(ROOT, 'jobs/clusters/main.ts')], {
      env: programEnv({
        DATABASE_URL: stand.url,
        S3_ENDPOINT: config.endpoint,
        S3_BUCKET: config.bucket,
        S3_REGION: config.region,
        S3_ACCESS_KEY_ID: config.access_key_id,
        S3_SECRET_ACCESS_KEY: config.secret_access_key,
        CLUSTERS_PORT: '0',
        CLUSTERS_SECRET: SECRET,
        CLUSTERS_SYMBOLS: 'all',
        CLUSTERS_EVERY_S: '1',
        LOG_LEVEL: 'error',
      }),
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    })
    const url = await new Promise<string>((resolve, reject) => {
      child.on('message', (message: { readonly url: string }) => resolve(message.url))
      child.on('exit', (code) => reject(new Error(`The engine ended with ${code}.`)))
    })
    return { child, url }
  }
  const ask = async (url: string, symbol: string): Promise<unknown[]> => {
    const query = `exchange=binance-futures&symbol=${symbol}&interval=1m&bin=5&from=${FROM}&to=${TO}`
    const answer = await fetch(`${url}/clusters/bars?${query}&order=asc&limit=1000`, {
      headers: { authorization: `Bearer ${SECRET}` },
    })
    expect(answer.status).toBe(200)
    return (await answer.json()) as unknown[]
  }
  const killed = await start()
  const lost = ask(killed.url, 'CCCUSDT').catch(() => undefined)
  await expect.poll(() => minutesOf('CCCUSDT'), { interval: 5 }).toBeGreaterThan(0)
  killed.child.kill('SIGKILL')
  await lost
  const next = await start()
  try {
    const engine = stand.startEngine()
    for (const symbol of ids.keys()) {
      const asked = { ...range, symbol, interval: '1m' as const, bin: 5 }
      expect(await ask(next.url, symbol)).toEqual(await allBars(engine, asked))
    }
    const ended = new Promise((resolve) => next.child.once('exit', resolve))
    next.child.kill('SIGTERM')
    expect(await ended).toBe(0)
  } finally {
    next.child.kill('SIGKILL')
  }
})

test('a reader who pages back finds the day before computed, one who does not has none', async () => {
  const symbol = 'DDDUSDT'
  const day = Date.parse('2024-08-10T00:00:00Z') * 1_000
  const page = (from: number) => {
    const to = micros(from + HOUR_US)
    return { symbol, from: micros(from), to, interval: '1m', bin: 10 } as const
  }
  ids.set(symbol, await addSymbol(pool, symbol, 0.1, 0.001))
  const from = day - 3 * HOUR_US
  await insertTrades(pool, randomTrades({ symbol, from, minutes: 300, per_minute: 2, seed: 5 }))
  await raiseThreshold(pool, day + 2 * HOUR_US)
  const forward = stand.startEngine()
  await allBars(forward, page(day))
  await allBars(forward, page(day + HOUR_US))
  await forward.stop()
  expect(await minutesOf(symbol)).toBe(120)
  const back = stand.startEngine()
  await allBars(back, page(day + HOUR_US))
  await allBars(back, page(day))
  await expect.poll(() => minutesOf(symbol)).toBe(300)
  // What was read ahead is what a reader gets.
  expect(await allBars(back, page(day - HOUR_US))).toHaveLength(60)
})
