/** A client that comes back gets what it missed, from wherever it is, once and in order. */
import { beforeAll, describe, expect, test } from 'vitest'
import { createObjectStore, type ObjectStoreConfig } from '#core/node/object-store.ts'
import type { RawChannel } from '#core/tables.ts'
import { micros, toIso } from '#core/time.ts'
import type { LiveServer } from '../../../ingestor/live/live-server.ts'
import { archiveHour, dropHour } from '../../support/archive-hours.ts'
import { takeBucket } from '../../support/bucket.ts'
import { startSwitchProxy } from '../../support/switch-proxy.ts'
import { connect, type LiveClient, type LiveMessage } from './client.ts'
import { createStand, nextStamp, type Recording, type Stand, tradesOfTable } from './stand.ts'

let stand: Stand
let recording: Recording
beforeAll(async () => {
  stand = await createStand('one')
  recording = stand.recordings[0]!
  recording.startWriter()
})

const TRADES = { channel: 'trades' }

async function record(from: number, to: number): Promise<readonly number[]> {
  const ids = Array.from({ length: to - from }, (_, index) => from + index)
  for (const id of ids) recording.trade(id)
  await recording.committed()
  return ids
}

/** Archives the table's hours and drops them. */
async function leavePostgres(store: ObjectStoreConfig, table: RawChannel): Promise<void> {
  const { pool } = stand.database
  const { rows: hours } = await pool.query<{ hour: Date }>(
    `select distinct date_trunc('hour', ts_exchange) as hour from marketdata.${table}`,
  )
  const objects = createObjectStore(store)
  for (const { hour } of hours) {
    await dropHour(pool, await archiveHour(pool, objects, table, hour.toISOString()))
  }
  objects.close()
}

function storeEnvironment(store: ObjectStoreConfig): Readonly<Record<string, string>> {
  return {
    S3_ENDPOINT: store.endpoint,
    S3_BUCKET: store.bucket,
    S3_REGION: store.region,
    S3_ACCESS_KEY_ID: store.access_key_id,
    S3_SECRET_ACCESS_KEY: store.secret_access_key,
  }
}

const ascending = (client: LiveClient): void => {
  const seqs = client.of('trades').map(({ seq }) => seq)
  expect(seqs).toEqual([...new Set(seqs)].toSorted((a, b) => a - b))
}

test('trades arrive as they are recorded, with the fields and decimals of the API', async () => {
  const live = await stand.startLive()
  const client = await connect(live.url, [TRADES])
  await client.untilMessage(({ type }) => type === 'subscribed')
  const stamp = recording.trade(100)
  const message = await client.untilMessage(({ type }) => type === 'rows')
  const { epoch } = message
  expect(message).toEqual({
    type: 'rows',
    channel: 'trades',
    exchange: 'binance-futures',
    symbol: 'BTCUSDT',
    epoch,
    seq: stamp,
    rows: [
      {
        ts_exchange: toIso(micros(Math.floor(stamp / 1_000) * 1_000)),
        ts_ingest: toIso(stamp),
        agg_trade_id: 100,
        price: '100.10',
        qty: '0.010',
        non_rpi_qty: null,
        first_trade_id: 300,
        last_trade_id: 302,
        is_buyer_maker: true,
      },
    ],
  })
  await live.stop()
})

describe('the same cursor, answered from', () => {
  let cursor: { epoch: string; seq: number }
  let missed: readonly number[]
  beforeAll(async () => {
    const live = await stand.startLive()
    const client = await connect(live.url, [TRADES])
    await client.untilMessage(({ type }) => type === 'subscribed')
    await record(200, 260)
    await client.until(() => (client.ids().length === 60 ? true : undefined))
    const { epoch, seq } = client.of('trades')[19]!
    cursor = { epoch, seq }
    missed = Array.from({ length: 40 }, (_, index) => 220 + index)
    await live.stop()
  })

  const resumed = async (url: string, source: string): Promise<string> => {
    const client = await connect(url, [{ ...TRADES, resume: cursor }])
    const begun = await client.untilMessage(({ type }) => type === 'subscribed')
    expect(begun).toMatchObject({ recovered: true, source, ...cursor })
    await client.until(() => (client.ids().includes(missed.at(-1)!) ? true : undefined))
    const [next] = await record(1_000 + source.length * 10, 1_001 + source.length * 10)
    await client.until(() => (client.ids().includes(next!) ? true : undefined))
    ascending(client)
    const messages = client
      .of('trades')
      .filter(({ rows }) => Number(rows![0]!['agg_trade_id']) < 300)
    expect(messages.flatMap(({ rows }) => rows!.map((row) => row['agg_trade_id']))).toEqual(missed)
    client.end()
    return JSON.stringify(messages)
  }

  test('memory, the tape, Postgres and the archive, gives the same bytes', async () => {
    const from_memory = await stand.startLive()
    const memory = await resumed(from_memory.url, 'memory')
    await from_memory.stop()
    // The smallest memory, filled with other messages.
    const from_tape = await stand.startLive({ LIVE_MEMORY_MB: '1' })
    const from_database = await stand.startLive({ LIVE_MEMORY_MB: '1', LIVE_TAPE_RECORDS: '0' })
    for (let id = 1; id < 6_000; id++) recording.quote(id, 'ETHUSDT')
    await recording.committed()
    for (const [{ url }, source] of [
      [from_tape, 'tape'],
      [from_database, 'database'],
    ] as const) {
      await expect
        .poll(async () => {
          const probe = await connect(url, [{ ...TRADES, resume: cursor }])
          const begun = await probe.untilMessage(({ type }) => type === 'subscribed')
          probe.end()
          return begun.source
        })
        .toBe(source)
      expect(await resumed(url, source)).toBe(memory)
    }
    await from_tape.stop()
    await from_database.stop()
    const store = takeBucket()
    const cold = { LIVE_MEMORY_MB: '1', LIVE_TAPE_RECORDS: '0', ...storeEnvironment(store) }
    const from_archive = await stand.startLive(cold)
    for (let id = 6_000; id < 12_000; id++) recording.quote(id, 'ETHUSDT')
    await recording.committed()
    await leavePostgres(store, 'trades')
    expect(await tradesOfTable(stand.database)).toEqual([])
    const archived = async ({ url }: LiveServer): Promise<string> => {
      const client = await connect(url, [{ ...TRADES, resume: cursor }])
      await client.until(() => (client.ids().includes(missed.at(-1)!) ? true : undefined))
      ascending(client)
      client.end()
      return JSON.stringify(client.of('trades').slice(0, missed.length))
    }
    expect(await archived(from_archive)).toBe(memory)
    await from_archive.stop()
    const restarted = await stand.startLive(cold)
    expect(await archived(restarted)).toBe(memory)
    await restarted.stop()
  })
})

test('books, quotes and mark prices: the same from the tape, Postgres and the archive', async () => {
  const channels = ['book', 'quotes', 'mark_price']
  const live = await stand.startLive({ LIVE_MEMORY_MB: '1' })
  const probe = await connect(live.url, [{ channel: channels }])
  await probe.until(() =>
    probe.messages.filter(({ type }) => type === 'subscribed').length === 3 ? true : undefined,
  )
  const { epoch, seq } = probe.messages.findLast(({ type }) => type === 'subscribed')!
  await recording.stopWriter()
  const begun_ms = Date.now() - 1_000
  recording.bookAnswer(700, { b: [['99.50', '3']], a: [['100.50', '4']] })
  for (let id = 0; id < 40; id++) {
    recording.diff(700 + id, 701 + id, { b: [['99.90', `${id + 1}`]] })
    recording.quote(800_000 + id)
    recording.markPrice(`10${id}.5`, begun_ms + id)
    // A book that is asked for again between updates is no part of history.
    if (id === 20) recording.bookAnswer(721, { b: [['99.90', '21']], a: [['100.50', '4']] })
  }
  for (let id = 1; id < 6_000; id++) recording.quote(900_000 + id, 'ETHUSDT')
  await probe.until(() => (probe.rows('mark_price').length === 40 ? true : undefined))
  const missed = async (url: string, source: string) => {
    const client = await connect(url, [{ channel: channels, resume: { epoch, seq } }])
    const isWhole = (): boolean =>
      channels.every((channel) => client.rows(channel).length >= 40) &&
      client.of('book').some(({ snapshot }) => snapshot !== undefined)
    await client.until(() => (isWhole() ? true : undefined))
    const begun = client.messages.filter(({ type }) => type === 'subscribed')
    expect(begun.map((one) => one.source)).toEqual(channels.map(() => source))
    client.end()
    return channels.map((channel) => client.of(channel))
  }
  await expect
    .poll(async () => {
      const client = await connect(live.url, [{ channel: channels, resume: { epoch, seq } }])
      await client.untilMessage(({ channel, type }) => channel === 'mark_price' && type !== 'rows')
      client.end()
      return client.messages.filter(({ source }) => source === 'tape').length
    })
    .toBe(3)
  const from_tape = await missed(live.url, 'tape')
  expect(from_tape[1]).toEqual(probe.of('quotes'))
  expect(from_tape[2]).toEqual(probe.of('mark_price'))
  const links = (messages: readonly LiveMessage[]) =>
    messages
      .filter(({ rows }) => rows!.length > 0)
      .map(({ seq: own, prev_seq, rows }) => ({ own, prev_seq, rows }))
  const updates = links(probe.of('book'))
  expect(links(from_tape[0]!)).toEqual([{ ...updates[0], prev_seq: null }, ...updates.slice(1)])
  // A book without an update: the next update names the update before it, wherever it is read.
  const asked = probe.of('book').findLast(({ rows }) => rows!.length === 0)!
  const rest = updates.filter(({ own }) => own > asked.seq)
  expect(rest.length).toBeGreaterThan(10)
  const afterAsked = async (url: string, source: string) => {
    const resume = { epoch, seq: asked.seq }
    const client = await connect(url, [{ channel: 'book', resume }])
    const begun = await client.untilMessage(({ type }) => type === 'subscribed')
    expect(begun.source).toBe(source)
    await client.until(() => (links(client.of('book')).length === rest.length ? true : undefined))
    client.end()
    return links(client.of('book'))
  }
  expect(await afterAsked(live.url, 'tape')).toEqual(rest)
  recording.startWriter()
  await recording.committed()
  await live.stop()
  const other = await stand.startLive({ LIVE_MEMORY_MB: '1', LIVE_TAPE_RECORDS: '0' })
  for (let id = 6_000; id < 12_000; id++) recording.quote(900_000 + id, 'ETHUSDT')
  await recording.committed()
  await expect
    .poll(async () => {
      const client = await connect(other.url, [{ ...TRADES, resume: { epoch, seq } }])
      const begun = await client.untilMessage(({ type }) => type === 'subscribed')
      client.end()
      return begun.source
    })
    .toBe('database')
  expect(await missed(other.url, 'database')).toEqual(from_tape)
  expect(await afterAsked(other.url, 'database')).toEqual(rest)
  await other.stop()
  const store = takeBucket()
  for (const table of ['depth_events', 'book_ticker', 'mark_price'] as const) {
    await leavePostgres(store, table)
  }
  const cold = { LIVE_MEMORY_MB: '1', LIVE_TAPE_RECORDS: '0', ...storeEnvironment(store) }
  const archived = await stand.startLive(cold)
  expect(await missed(archived.url, 'database')).toEqual(from_tape)
  expect(await afterAsked(archived.url, 'database')).toEqual(rest)
  await archived.stop()
})

test('cursors of another epoch, of the future and from before the recording are refused, also without Postgres', async () => {
  const proxy = await startSwitchProxy(stand.database.url)
  const live = await stand.startLive({ DATABASE_URL: proxy.url })
  const probe = await connect(live.url, [TRADES])
  const { epoch, seq } = await probe.untilMessage(({ type }) => type === 'subscribed')
  for (const database of [stand.database.url, undefined]) {
    proxy.pointTo(database)
    for (const [resume, code] of [
      [{ epoch: '00000000-0000-4000-8000-000000000000', seq }, 'outdated_cursor'],
      [{ epoch, seq: seq + 3_600_000_000 }, 'future_cursor'],
      [{ epoch, seq: 1 }, 'outdated_cursor'],
      [{ epoch, seq: 1.5 }, 'bad_cursor'],
      [{ epoch }, 'bad_cursor'],
      ['newest', 'bad_cursor'],
    ] as const) {
      const client = await connect(live.url, [{ ...TRADES, resume, id: 'mine' }])
      const error = await client.untilMessage(({ type }) => type === 'error')
      expect([error.code, (error as { id?: string }).id]).toEqual([code, 'mine'])
      client.end()
    }
  }
  // Still in memory.
  const back = await connect(live.url, [{ ...TRADES, resume: { epoch, seq } }])
  const next = recording.trade(4_000)
  expect((await back.untilMessage(({ type }) => type === 'rows')).seq).toBe(next)
  await live.stop()
})

test('a cursor older than memory and tape waits for Postgres, and then misses nothing', async () => {
  const proxy = await startSwitchProxy(stand.database.url)
  const small = { LIVE_MEMORY_MB: '1', LIVE_TAPE_RECORDS: '0' }
  const live = await stand.startLive({ ...small, DATABASE_URL: proxy.url })
  const client = await connect(live.url, [TRADES])
  const { epoch, seq } = await client.untilMessage(({ type }) => type === 'subscribed')
  const ids = await record(4_100, 4_140)
  for (let id = 1; id < 6_000; id++) recording.quote(700_000 + id, 'ETHUSDT')
  await recording.committed()
  proxy.pointTo(undefined)
  await expect
    .poll(async () => {
      const early = await connect(live.url, [{ ...TRADES, resume: { epoch, seq } }])
      await early.until(() => early.messages.find(({ type }) => type !== 'subscribed'))
      early.end()
      return early.messages[1]!.code
    })
    .toBe('history_unavailable')
  proxy.pointTo(stand.database.url)
  const back = await connect(live.url, [{ ...TRADES, resume: { epoch, seq } }])
  await back.until(() => (back.ids().includes(ids.at(-1)!) ? true : undefined))
  expect(back.of('trades')).toEqual(client.of('trades'))
  await live.stop()
})

test('trades that are requested again arrive once, though their time is long past', async () => {
  const live = await stand.startLive()
  const client = await connect(live.url, [TRADES, { channel: 'gaps' }])
  await client.untilMessage(({ channel }) => channel === 'gaps')
  const before = recording.trade(5_000)
  recording.mark({
    kind: 'deaf',
    cause: 'disconnect',
    streams: [{ symbol: 'BTCUSDT', channel: 'trades' }],
  })
  recording.trade(5_010)
  const gap = await client.untilMessage(
    ({ channel, rows }) => channel === 'gaps' && rows?.[0]?.['cause'] === 'disconnect',
  )
  expect(gap.rows![0]).toMatchObject({
    channel: 'trades',
    from_id: 5_000,
    to_id: 5_010,
    cause: 'disconnect',
  })
  // The gap is said before the trade that ends it.
  await client.until(() => (client.ids().includes(5_010) ? true : undefined))
  const order = client.messages
    .filter(({ rows }) => rows !== undefined)
    .map(({ channel }) => channel)
  expect(order.slice(-3)).toEqual(['trades', 'gaps', 'trades'])
  // The answer repeats a trade on each side, and comes twice.
  const ids = Array.from({ length: 11 }, (_, index) => 5_000 + index)
  recording.refill(ids, before)
  recording.refill(ids, before)
  recording.trade(5_011)
  await client.until(() => (client.ids().includes(5_011) ? true : undefined))
  const received = client.ids()
  expect(received.toSorted((a, b) => a - b)).toEqual([...ids, 5_011])
  await recording.committed()
  const resumer = await connect(live.url, [
    { ...TRADES, resume: { epoch: gap.epoch, seq: client.of('trades')[1]!.seq } },
  ])
  await resumer.until(() => (resumer.ids().includes(5_011) ? true : undefined))
  expect(resumer.ids()).toEqual(received.slice(2))
  await live.stop()
})

test('trades requested again after a restart of the live server arrive once', async () => {
  const before = recording.trade(6_000)
  recording.mark({
    kind: 'deaf',
    cause: 'disconnect',
    streams: [{ symbol: 'BTCUSDT', channel: 'trades' }],
  })
  recording.trade(6_010)
  recording.refill([6_000, 6_001, 6_002, 6_003], before)
  await recording.committed()
  const live = await stand.startLive({ LIVE_WARM_S: '0' })
  const client = await connect(live.url, [TRADES])
  await client.untilMessage(({ type }) => type === 'subscribed')
  recording.refill([6_002, 6_003, 6_004, 6_005, 6_006, 6_007, 6_008, 6_009, 6_010], before)
  recording.trade(6_011)
  await client.until(() => (client.ids().includes(6_011) ? true : undefined))
  expect(client.ids()).toEqual([6_004, 6_005, 6_006, 6_007, 6_008, 6_009, 6_011])
  await live.stop()
})

test('what memory has dropped comes from the tape, also while Postgres is behind', async () => {
  await recording.stopWriter()
  const live = await stand.startLive({ LIVE_MEMORY_MB: '1' })
  const client = await connect(live.url, [TRADES])
  const { epoch, seq } = await client.untilMessage(({ type }) => type === 'subscribed')
  for (let id = 30_000; id < 30_600; id++) recording.trade(id)
  for (let id = 30_000; id < 36_000; id++) recording.quote(id, 'ETHUSDT')
  recording.trade(30_600)
  await client.until(() => (client.ids().includes(30_600) ? true : undefined))
  const back = await connect(live.url, [{ ...TRADES, resume: { epoch, seq } }])
  const begun = await back.untilMessage(({ type }) => type === 'subscribed')
  expect(begun).toMatchObject({ recovered: true, source: 'tape' })
  await back.until(() => (back.ids().includes(30_600) ? true : undefined))
  expect(back.of('trades')).toEqual(client.of('trades'))
  recording.startWriter()
  await recording.committed()
  await live.stop()
})

test('while Postgres lacks rows that memory has dropped, resuming is refused and can be retried', async () => {
  await recording.stopWriter()
  const live = await stand.startLive({ LIVE_MEMORY_MB: '1' })
  const probe = await connect(live.url, [TRADES])
  const { epoch, seq } = await probe.untilMessage(({ type }) => type === 'subscribed')
  // An answer is not made again from the tape.
  const at = recording.trade(7_000)
  recording.trade(7_002)
  recording.refill([7_001], at)
  for (let id = 20_000; id < 26_000; id++) recording.quote(id, 'ETHUSDT')
  await expect
    .poll(async () => {
      const client = await connect(live.url, [{ ...TRADES, resume: { epoch, seq } }])
      await client.until(() => client.messages.find(({ type }) => type !== 'subscribed'))
      const [, answer] = client.messages
      client.end()
      return answer?.code
    })
    .toBe('history_unavailable')
  recording.startWriter()
  await recording.committed()
  const client = await connect(live.url, [{ ...TRADES, resume: { epoch, seq } }])
  await client.until(() => (client.ids().includes(7_001) ? true : undefined))
  expect(client.ids()).toEqual([7_000, 7_002, 7_001])
  expect(nextStamp()).toBeGreaterThan(seq)
  await live.stop()
})
