/** The channels clusters and signals, over a real cluster engine and the table of signals. */
import { beforeAll, expect, test } from 'vitest'
import type { ClusterRow } from '#core/clusters/row.ts'
import { createObjectStore } from '#core/node/object-store.ts'
import type { Signal } from '#core/signals/signal.ts'
import { micros, toIso } from '#core/time.ts'
import { openLive } from '../../../edge-api/client/live.ts'
import { replacePart } from '../../../jobs/signals/write-rows.ts'
import { startClusterEngine, type TestClusterEngine } from '../../edge-api/cluster-engine.ts'
import { takeBucket } from '../../support/bucket.ts'
import { insertTrades } from '../../jobs/market.ts'
import { connect, type LiveClient } from './client.ts'
import { createStand, now, type Recording, type Stand } from './stand.ts'

const SIGNALS = { channel: 'signals' }
const BARS = { channel: 'clusters', interval: '1d', bin: 5 }

let stand: Stand
let recording: Recording
let engine: TestClusterEngine
let symbol_id: number
beforeAll(async () => {
  stand = await createStand('one')
  recording = stand.recordings[0]!
  recording.startWriter()
  recording.trade(1)
  await recording.committed()
  const { pool, url } = stand.database
  engine = await startClusterEngine({
    pool,
    store: createObjectStore(takeBucket()),
    database_url: url,
  })
  const { rows } = await pool.query<{ id: string }>(
    "select id from marketdata.symbols where symbol = 'BTCUSDT'",
  )
  symbol_id = Number(rows[0]!.id)
})

/** As the job adds them. */
async function addSignals(from_s: number, ...strengths: readonly number[]): Promise<void> {
  const { pool } = stand.database
  await pool.query(
    `insert into marketdata.signal_progress
       (symbol_id, from_ts, trades_to, books_from, books_to, gaps)
     values ($1, now(), now(), now(), now(), '[]') on conflict do nothing`,
    [symbol_id],
  )
  const found = strengths.map((strength, at): Signal => {
    const ts = micros((from_s + 60 * (at + 1)) * 1_000_000)
    return {
      ts,
      kind: 'absorption',
      interval_s: 60,
      bar_ts: micros(ts - 60_000_000),
      side: 'buy',
      price_low: 100.1,
      price_high: 100.2,
      strength,
      details: { bin_ticks: 5, volume: 1.5, reference_qty: 0.25, delta: -0.5 },
      version: 1,
    }
  })
  const symbol = {
    exchange: 'binance-futures' as const,
    symbol: 'BTCUSDT',
    symbol_id,
    tick_size: 0.01,
    progress: undefined,
    whole_from: { trades: 0, books: 0 },
    trades_end: undefined,
    books_end: undefined,
    gaps: [],
    gaps_from: 0,
  }
  const to = micros((from_s + 60 * strengths.length) * 1_000_000)
  const part = { kind: 'trades', from: micros(from_s * 1_000_000), to } as const
  await replacePart({ pool, symbol, webhook_from: undefined }, part, found)
}

const strengths = (client: LiveClient): readonly unknown[] =>
  client.rows('signals').map((row) => row['strength'])

const begin_s = Math.floor(Date.now() / 60_000) * 60 - 7_200

test('signals arrive as they are added, and again after a restart from the table', async () => {
  const live = await stand.startLive()
  const client = await connect(live.url, [SIGNALS])
  const begun = await client.untilMessage(({ type }) => type === 'subscribed')
  await addSignals(begin_s, 0.5, 0.625)
  await client.until(() => (client.rows('signals').length === 2 ? true : undefined))
  const ts = toIso(micros((begin_s + 60) * 1_000_000))
  const bar_ts = toIso(micros(begin_s * 1_000_000))
  expect(client.rows('signals')[0]).toEqual({
    ts,
    id: expect.any(Number),
    kind: 'absorption',
    interval: '1m',
    bar_ts,
    side: 'buy',
    price_low: '100.10',
    price_high: '100.20',
    strength: 0.5,
    details: { bin_ticks: 5, volume: '1.500', reference_qty: '0.250', delta: '-0.500' },
    version: 1,
  })
  // Late trades: the first stays, the second is replaced.
  await addSignals(begin_s, 0.5, 0.75)
  await client.until(() => (client.rows('signals').length === 3 ? true : undefined))
  expect(strengths(client)).toEqual([0.5, 0.625, 0.75])
  const seqs = client.of('signals').map(({ seq }) => seq)
  expect(seqs).toEqual(seqs.toSorted((a, b) => a - b))
  const resume = { epoch: begun.epoch, seq: seqs[0]! }
  const again = await connect(live.url, [{ ...SIGNALS, resume }])
  await again.until(() => (strengths(again).length === 2 ? true : undefined))
  expect(again.of('signals')).toEqual(client.of('signals').slice(1))
  await live.stop()
  await addSignals(begin_s + 600, 0.875)
  const next = await stand.startLive()
  const back = await connect(next.url, [{ ...SIGNALS, resume }])
  const { recovered, source } = await back.untilMessage(({ type }) => type === 'subscribed')
  expect([recovered, source]).toEqual([true, 'database'])
  await back.until(() => (strengths(back).at(-1) === 0.875 ? true : undefined))
  // The replaced one is no row any more.
  expect(strengths(back)).toEqual([0.75, 0.875])
  const newest = back.of('signals').at(-1)!.seq
  await addSignals(begin_s + 1_200, 0.9375)
  await back.until(() => (strengths(back).at(-1) === 0.9375 ? true : undefined))
  const future = await connect(next.url, [
    { ...SIGNALS, resume: { epoch: begun.epoch, seq: newest + 1_000 } },
  ])
  expect((await future.untilMessage(({ type }) => type === 'error')).code).toBe('future_cursor')
  await stand.database.pool.query('delete from marketdata.signals where seq <= $1', [newest])
  const outdated = await connect(next.url, [{ ...SIGNALS, resume }])
  const closing = await outdated.untilMessage(({ type }) => type === 'closing')
  expect(closing.code).toBe('outdated_cursor')
  await next.stop()
})

/** The test's client has one type for the rows of all channels. */
const bars = (client: LiveClient): readonly ClusterRow[] =>
  client.rows('clusters') as unknown as readonly ClusterRow[]
const volume = (client: LiveClient): number => Number(bars(client).at(-1)?.volume ?? 0)

/** The open bar as the engine answers it now. */
async function askEngine(): Promise<ClusterRow> {
  const { CLUSTERS_URL, CLUSTERS_SECRET } = engine.bindings
  const query = new URLSearchParams({
    exchange: 'binance-futures',
    symbol: 'BTCUSDT',
    interval: BARS.interval,
    bin: String(BARS.bin),
    from: String(now() - 2 * 86_400_000_000),
    to: String(now()),
    order: 'desc',
    limit: '1',
  })
  const headers = { authorization: `Bearer ${CLUSTERS_SECRET}` }
  const answer = await fetch(`${CLUSTERS_URL}/clusters/bars?${query}`, { headers })
  return ((await answer.json()) as readonly ClusterRow[])[0]!
}

/** Each has 0.010 of the base asset. */
function trade(from: number, to: number): void {
  for (let id = from; id < to; id++) recording.trade(id)
}

test('bars are those of the engine, and a client is told when its threshold is exceeded', async () => {
  const live = await stand.startLive(engine.bindings)
  const every = await connect(live.url, [BARS])
  const begun = await every.untilMessage(({ type }) => type === 'subscribed')
  expect(begun).toMatchObject({ interval: '1d', bin: 5, recovered: null })
  await every.until(() => (volume(every) === 0.01 ? true : undefined))
  const typed = openLive({
    url: live.url,
    channels: ['clusters'],
    symbols: ['BTCUSDT'],
    clusters: { interval: '1d', bin: 5, threshold: 0.5 },
  })
  const volumes = (async () => {
    const found: string[] = []
    for await (const message of typed) {
      if (message.type === 'rows') found.push(...message.rows.map((row) => row.volume))
      if (found.length === 2) return found
    }
    return found
  })()
  const few = await connect(live.url, [{ ...BARS, threshold: 0.5 }])
  await few.until(() => (volume(few) === 0.01 ? true : undefined))
  trade(2, 12)
  await every.until(() => (volume(every) === 0.11 ? true : undefined))
  trade(12, 62)
  await every.until(() => (volume(every) === 0.61 ? true : undefined))
  await few.until(() => (volume(few) === 0.61 ? true : undefined))
  expect(await volumes).toEqual(['0.010', bars(few)[1]!.volume])
  for (const told of bars(few).slice(1)) {
    const before = bars(few)[bars(few).indexOf(told) - 1]!
    expect(Number(told.volume) - Number(before.volume)).toBeGreaterThan(0.5)
  }
  expect(bars(every).at(-1)).toEqual(await askEngine())
  const seqs = every.of('clusters').map(({ seq }) => seq)
  expect(seqs).toEqual([...new Set(seqs)].toSorted((a, b) => a - b))
  // From memory: the bar as it is now, once.
  const resume = { epoch: begun.epoch, seq: seqs[0]! }
  const back = await connect(live.url, [{ ...BARS, resume }])
  await back.until(() => (volume(back) === 0.61 ? true : undefined))
  expect(back.messages.find(({ type }) => type === 'subscribed')?.source).toBe('memory')
  await live.stop()
  trade(62, 72)
  await recording.committed()
  // After a restart: from the engine.
  const next = await stand.startLive(engine.bindings)
  const later = await connect(next.url, [{ ...BARS, resume }, { channel: 'trades' }])
  await later.until(() => (volume(later) === 0.71 ? true : undefined))
  const of_bars = later.messages.find(({ channel }) => channel === 'clusters')!
  expect([of_bars.recovered, of_bars.source]).toEqual([true, 'database'])
  trade(72, 73)
  await later.until(() => (volume(later) === 0.72 ? true : undefined))
  // A symbol has many minutes: the stream begins with the newest two.
  const minute = now() - (now() % 60_000_000)
  await insertTrades(
    stand.database.pool,
    [5, 4, 3].map((ago) => {
      const ts = minute - ago * 60_000_000
      return { symbol: 'BTCUSDT', ts, id: 100 - ago, price: 61_000, qty: 1, is_buyer_maker: true }
    }),
  )
  const of_minutes = await connect(next.url, [{ ...BARS, interval: '1m' }])
  await of_minutes.until(() => (bars(of_minutes).length >= 2 ? true : undefined))
  const [older, newer] = bars(of_minutes)
  expect(Date.parse(newer!.ts)).toBeGreaterThan(Date.parse(older!.ts))
  // Another kind of bars while the engine is away: only this subscription is refused.
  await engine.stop()
  later.send({ op: 'subscribe', symbol: 'BTCUSDT', ...BARS, bin: 7, id: 1 })
  const refused = await later.untilMessage(({ type }) => type === 'error')
  expect(refused).toMatchObject({ code: 'history_unavailable', channel: 'clusters', bin: 7 })
  trade(73, 74)
  await later.until(() => (later.ids().includes(73) ? true : undefined))
  await next.stop()
})

test('what is no kind of bars is refused, and so are bars without an engine', async () => {
  const live = await stand.startLive()
  const client = await connect(live.url, [
    { ...BARS, interval: '2m' },
    { ...BARS, bin: 0 },
    { ...BARS, threshold: -1 },
    { ...BARS, threshold: 'much' },
    BARS,
  ])
  await client.until(() => (client.messages.length === 5 ? true : undefined))
  expect(client.messages.map(({ type, code }) => [type, code])).toEqual([
    ...Array.from({ length: 4 }, () => ['error', 'bad_message']),
    ['error', 'unknown_channel'],
  ])
  await live.stop()
})
