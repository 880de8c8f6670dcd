/**
 * Clients that do not read, ask for too much, or ask wrongly, and what the others notice: nothing.
 */
import { once } from 'node:events'
import { connect as connectTcp } from 'node:net'
import { beforeAll, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { mintToken } from '#core/access-token.ts'
import { freePorts } from '../../../infra/local/ports.ts'
import type { LiveServer } from '../../../ingestor/live/live-server.ts'
import { connect, LiveClient, type LiveMessage } from './client.ts'
import { createStand, nextStamp, now, type Recording, type Stand } from './stand.ts'

const METRICS_TOKEN = 'm'.repeat(32)
let stand: Stand
let recording: Recording
let live: LiveServer
beforeAll(async () => {
  stand = await createStand('one')
  recording = stand.recordings[0]!
  recording.startWriter()
  recording.trade(1)
  const [port] = await freePorts(1)
  live = await stand.startLive({
    METRICS_PORT: String(port),
    METRICS_TOKENS: `test:read:${METRICS_TOKEN}`,
    LIVE_HEARTBEAT_S: '1',
  })
})

test('a frozen reader of quotes gets the newest, and is told what was left out', async () => {
  const frozen = await connect(live.url, [{ channel: 'quotes' }])
  const lively = await connect(live.url, [{ channel: 'quotes' }])
  await frozen.untilMessage(({ type }) => type === 'subscribed')
  await lively.untilMessage(({ type }) => type === 'subscribed')
  frozen.socket.pause()
  let id = 0
  // Until more arrived than the sockets of both sides hold.
  while (/^live_skipped_total 0$/m.test(await metrics())) {
    for (let count = 0; count < 800; count++) recording.quote(++id)
    const newest = id
    await lively.until(() =>
      lively.rows('quotes').at(-1)?.['update_id'] === newest ? true : undefined,
    )
  }
  expect(lively.rows('quotes')).toHaveLength(id)
  expect(frozen.messages.length).toBeLessThan(lively.messages.length)
  frozen.socket.resume()
  await frozen.until(() => (frozen.rows('quotes').at(-1)?.['update_id'] === id ? true : undefined))
  const skipped = frozen.messages.filter(({ type }) => type === 'skipped')
  expect(skipped.length).toBeGreaterThan(0)
  const left_out = skipped.reduce((sum, one) => sum + one.skipped!.count, 0)
  expect(frozen.rows('quotes').length + left_out).toBe(id)
  for (const { skipped: { from, to, count } = { from: 0, to: 0, count: 0 } } of skipped) {
    const inside = lively.of('quotes').filter(({ seq }) => seq >= from && seq <= to)
    expect(inside).toHaveLength(count)
  }
  frozen.end()
  lively.end()
})

test('a frozen reader of trades is disconnected with a cursor, and then misses nothing', async () => {
  const frozen = await connect(live.url, [{ channel: 'trades' }])
  const lively = await connect(live.url, [{ channel: 'trades' }])
  await frozen.untilMessage(({ type }) => type === 'subscribed')
  await lively.untilMessage(({ type }) => type === 'subscribed')
  frozen.socket.pause()
  let id = 100
  const closes = async (): Promise<number> => {
    const text = await metrics()
    return Number(/live_closes_total\{reason="consumer_too_slow"\} (\d+)/.exec(text)![1])
  }
  while ((await closes()) === 0) {
    for (let count = 0; count < 800; count++) recording.trade(++id)
    const newest = id
    await lively.until(() => (lively.ids().at(-1) === newest ? true : undefined))
    expect(Number(/^live_waiting_bytes (\d+)/m.exec(await metrics())![1])).toBeLessThan(1024 * 1024)
  }
  frozen.socket.resume()
  expect(await frozen.untilClosed()).toBe(1013)
  const closing = frozen.messages.at(-1)!
  expect(closing).toMatchObject({ type: 'closing', code: 'consumer_too_slow' })
  const { epoch, seq } = closing.resume![0]!
  expect(seq).toBe(frozen.of('trades').at(-1)!.seq)
  const back = await connect(live.url, [{ channel: 'trades', resume: { epoch, seq } }])
  await back.until(() => (back.ids().at(-1) === id ? true : undefined))
  expect([...frozen.ids(), ...back.ids()]).toEqual(lively.ids())
  back.end()
  lively.end()
})

test('many books at once, and many streams that resume, wait for the queue', async () => {
  const symbols = Array.from({ length: 12 }, (_, at) => `BOOK${at}USDT`)
  await stand.database.pool.query(
    `insert into marketdata.symbols (exchange, symbol, tick_size, step_size)
     select 'binance-futures', symbol, 0.01, 0.001 from unnest($1::text[]) as symbol`,
    [symbols],
  )
  const levels = Array.from({ length: 1_000 }, (_, at) => [(at + 1).toFixed(2), '1.500'])
  const large = await stand.startLive()
  const probe = await connect(large.url, [{ channel: 'trades', symbol: symbols }])
  const begun = await probe.until(() => {
    const all = probe.messages.filter(({ type }) => type === 'subscribed')
    return all.length === symbols.length ? all : undefined
  })
  for (const symbol of symbols) {
    recording.bookAnswer(
      100,
      { b: levels, a: levels.map(([price]) => [`${Number(price) + 2_000}.00`, '1']) },
      symbol,
    )
    recording.diff(100, 101, {}, symbol)
    for (let id = 1; id <= 300; id++) recording.trade(id, { symbol })
    await probe.until(() => (probe.ids(symbol).at(-1) === 300 ? true : undefined))
  }
  const isWhole = (client: LiveClient): true | undefined =>
    symbols.every((symbol) => client.ids(symbol).at(-1) === 300) || undefined
  // A queue that holds neither four books nor the trades of two symbols.
  const small = await stand.startLive({ LIVE_QUEUE_BYTES_MAX: String(128 * 1024) })
  const books = await connect(small.url, [{ channel: 'book', symbol: symbols }])
  const snapshots = await books.until(() => {
    const found = books.messages.filter(({ snapshot }) => snapshot !== undefined)
    return found.length === symbols.length || books.close_code !== undefined ? found : undefined
  })
  expect(snapshots.map(({ symbol }) => symbol).toSorted()).toEqual(symbols.toSorted())
  for (const { snapshot } of snapshots) expect(snapshot!.bids.length).toBeGreaterThan(999)
  const back = await connect(
    small.url,
    begun.map(({ channel, symbol, epoch, seq }) => ({ channel, symbol, resume: { epoch, seq } })),
  )
  await back.until(() => isWhole(back) ?? (back.close_code === undefined ? undefined : true))
  for (const symbol of symbols)
    expect(back.of('trades', symbol)).toEqual(probe.of('trades', symbol))
  await small.stop()
  await large.stop()
})

test('a client can resume as many streams as it may have, each with a message of its own', async () => {
  const symbols = Array.from({ length: 100 }, (_, at) => `MANY${at}USDT`)
  await stand.database.pool.query(
    `insert into marketdata.symbols (exchange, symbol, tick_size, step_size)
     select 'binance-futures', symbol, 0.01, 0.001 from unnest($1::text[]) as symbol`,
    [symbols],
  )
  const other = await stand.startLive()
  const begun = async (subscriptions: readonly object[]): Promise<readonly LiveMessage[]> => {
    const client = await connect(other.url, subscriptions)
    const found = await client.until(() => {
      const all = client.messages.filter(({ type }) => type === 'subscribed')
      return all.length === 2 * symbols.length || client.close_code !== undefined ? all : undefined
    })
    client.end()
    return found
  }
  const first = await begun([{ channel: ['trades', 'quotes'], symbol: symbols }])
  const again = await begun(
    first.map(({ channel, symbol, epoch, seq }) => ({ channel, symbol, resume: { epoch, seq } })),
  )
  expect(again.map(({ channel, symbol }) => `${channel} ${symbol}`)).toEqual(
    first.map(({ channel, symbol }) => `${channel} ${symbol}`),
  )
  await other.stop()
})

test('wrong messages get an error with a code, and the client goes on', async () => {
  const client = await connect(live.url, [{ channel: 'trades' }])
  for (const [message, code] of [
    ['{', 'bad_message'],
    ['[]', 'bad_message'],
    [{ op: 'sell' }, 'bad_message'],
    [{ op: 'subscribe', channel: 'trades' }, 'bad_message'],
    [{ op: 'subscribe', channel: 'nothing', symbol: 'BTCUSDT' }, 'unknown_channel'],
    [{ op: 'subscribe', channel: 'trades', symbol: 'NOTHING' }, 'unknown_symbol'],
    [{ op: 'subscribe', channel: 'trades', symbol: '../etc' }, 'unknown_symbol'],
    [{ op: 'subscribe', channel: 'trades', symbol: 'BTCUSDT', exchange: 'x' }, 'unknown_symbol'],
    [{ op: 'subscribe', channel: 'trades', symbol: 'BTCUSDT', resume: 1 }, 'bad_cursor'],
    [{ op: 'subscribe', channel: 'trades', symbol: 'BTCUSDT', cursor: 'e:1' }, 'bad_message'],
    [{ op: 'ping', resume: 'e:1' }, 'bad_message'],
  ] as const) {
    const before = client.messages.length
    client.send(message)
    const error = await client.until(() =>
      client.messages.slice(before).find(({ type }) => type === 'error'),
    )
    expect(error.code).toBe(code)
  }
  client.send(Buffer.alloc(20_000, 'x').toString())
  expect(await client.untilClosed()).toBe(1009)
  expect(client.messages.at(-1)).toMatchObject({ type: 'closing', code: 'message_too_large' })
})

test('too many messages, subscriptions and clients are refused', async () => {
  const small = await stand.startLive({
    LIVE_MESSAGES_MAX: '5',
    LIVE_SUBSCRIPTIONS_MAX: '2',
    LIVE_CLIENTS_MAX: '2',
  })
  const client = await connect(small.url, [{ channel: ['trades', 'quotes'] }])
  client.send({ op: 'subscribe', channel: 'gaps', symbol: 'BTCUSDT' })
  const refused = await client.untilMessage(({ type }) => type === 'error')
  expect(refused.code).toBe('too_many_subscriptions')
  const other = await connect(small.url, [])
  const third = new LiveClient(small.url)
  await expect(third.opened()).rejects.toThrow('429')
  for (let count = 0; count < 6; count++) client.send({ op: 'ping' })
  expect(await client.untilClosed()).toBe(1008)
  expect(client.messages.at(-1)).toMatchObject({ code: 'too_many_messages' })
  other.end()
  await small.stop()
})

test('heartbeats name the newest seq of each stream', async () => {
  const client = await connect(live.url, [{ channel: ['trades', 'mark_price'] }])
  await client.untilMessage(({ channel }) => channel === 'mark_price')
  const seq = recording.trade(90_000)
  const beat = await client.until(() =>
    client.messages.find(
      ({ type, streams }) =>
        type === 'heartbeat' && streams!.some((one) => one.channel === 'trades' && one.seq === seq),
    ),
  )
  expect(beat.streams!.map(({ channel }) => channel)).toEqual(['trades', 'mark_price'])
  client.end()
})

test('a server that shuts down says from where to go on', async () => {
  const leaving = await stand.startLive()
  const client = await connect(leaving.url, [{ channel: 'trades' }])
  await client.untilMessage(({ type }) => type === 'subscribed')
  const seq = recording.trade(90_001)
  await client.until(() => client.ids().at(-1))
  await leaving.stop()
  expect(await client.untilClosed()).toBe(1012)
  expect(client.messages.at(-1)).toMatchObject({
    code: 'draining',
    resume: [{ channel: 'trades', seq }],
  })
})

test('tokens need the scope, pages their origin listed', async () => {
  const secret = 'a secret of at least thirty-two bytes'
  const guarded = await stand.startLive({
    LIVE_PUBLIC: 'false',
    TOKEN_SECRET: secret,
    LIVE_ORIGINS: 'https://example.com',
  })
  const token = async (scope: 'live' | 'read') =>
    `Bearer ${(await mintToken(secret, [scope], 1, now())).text}`
  const statusOf = async (
    headers: Record<string, string>,
    protocols: string[] = [],
  ): Promise<string> =>
    new LiveClient(guarded.url, { headers }, protocols).opened().then(
      (client) => {
        client.end()
        return 'open'
      },
      (error: Error) => error.message.replace(/\D+/g, ''),
    )
  const authorization = await token('live')
  expect(await statusOf({})).toBe('401')
  expect(await statusOf({ authorization: 'Bearer nothing' })).toBe('401')
  expect(await statusOf({ authorization: await token('read') })).toBe('403')
  expect(await statusOf({ authorization })).toBe('open')
  expect(await statusOf({ authorization, origin: 'https://example.com' })).toBe('open')
  expect(await statusOf({ authorization, origin: 'https://example.org' })).toBe('403')
  const protocols = ['booktape.live.v1', `token.${authorization.slice(7)}`]
  expect(await statusOf({}, protocols)).toBe('open')
  await guarded.stop()
})

test('events over SSE go on after the last id', async () => {
  const query = 'channel=trades,quotes&symbol=BTCUSDT'
  const read = async (headers: Record<string, string>, last_id: number) => {
    const stop = new AbortController()
    const response = await fetch(`${live.url}/v1/live?${query}`, { headers, signal: stop.signal })
    let text = ''
    const decoder = new TextDecoder()
    for await (const chunk of response.body!) {
      text += decoder.decode(chunk, { stream: true })
      if (text.includes(`"agg_trade_id":${last_id}`) && text.endsWith('\n\n')) break
    }
    stop.abort()
    return text
  }
  const ids = (text: string): readonly number[] =>
    [...text.matchAll(/"agg_trade_id":(\d+)/g)].map((match) => Number(match[1]))
  const first = read({}, 91_002)
  await expect.poll(metrics).toMatch(/live_clients\{kind="sse"\} 1/)
  recording.trade(91_000)
  recording.quote(500_000)
  recording.trade(91_001)
  recording.trade(91_002)
  const text = await first
  expect(ids(text)).toEqual([91_000, 91_001, 91_002])
  const event_id = [...text.matchAll(/^id: (.+)\ndata: .*"agg_trade_id":91000/gm)][0]![1]!
  recording.trade(91_003)
  const again = await read({ 'last-event-id': event_id }, 91_003)
  expect(ids(again)).toEqual([91_001, 91_002, 91_003])
  const wrong = await fetch(`${live.url}/v1/live?${query}`, { headers: { 'last-event-id': 'x' } })
  expect([wrong.status, ((await wrong.json()) as { type: string }).type]).toEqual([
    400,
    'urn:booktape:problem:bad_cursor',
  ])
})

test('a poll waits for what is new, and goes on after its cursor', async () => {
  const poll = async (query: string) =>
    (await (
      await fetch(`${live.url}/v1/live/poll?channel=trades&symbol=BTCUSDT&${query}`)
    ).json()) as {
      readonly resume: string
      readonly messages: readonly { readonly rows: readonly { readonly agg_trade_id: number }[] }[]
    }
  const { resume } = await poll('wait=0')
  const waiting = poll(`wait=30&resume=${resume}`)
  recording.trade(92_000)
  const answer = await waiting
  const ids = answer.messages.flatMap(({ rows }) => rows.map(({ agg_trade_id }) => agg_trade_id))
  expect(ids).toEqual([92_000])
  expect((await poll(`wait=0&resume=${answer.resume}`)).messages).toEqual([])
})

test('a parameter that is unknown is refused: it could be a misspelled cursor', async () => {
  const { resume } = (await (
    await fetch(`${live.url}/v1/live/poll?channel=trades&symbol=BTCUSDT`)
  ).json()) as { readonly resume: string }
  for (const [path, allowed] of [
    [`/v1/live?cursor=${resume}`, 'threshold, resume, last_event_id.'],
    [`/v1/live/poll?last_event_id=${resume}`, 'threshold, resume, wait.'],
  ]) {
    const answer = await fetch(`${live.url}${path}&channel=trades&symbol=BTCUSDT`)
    expect(answer.status).toBe(400)
    const { detail } = (await answer.json()) as { readonly detail: string }
    expect(detail).toMatch(/^"(cursor|last_event_id)" is not known here\. Allowed: channel, /)
    expect(detail.endsWith(allowed!)).toBe(true)
  }
  const named = new WebSocket(`${live.url.replace('http', 'ws')}/v1/live?channel=trades`)
  const [error] = (await once(named, 'error')) as [Error]
  expect(error.message).toContain('400')
})

test('what is no WebSocket is dropped and costs nobody anything', async () => {
  const lively = await connect(live.url, [{ channel: 'trades' }])
  await lively.untilMessage(({ type }) => type === 'subscribed')
  const { port } = new URL(live.url)
  const socket = connectTcp(Number(port), '127.0.0.1')
  await new Promise((resolve) => socket.once('connect', resolve))
  socket.write(
    'GET /v1/live HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n' +
      'sec-websocket-version: 13\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n',
  )
  socket.write(Buffer.alloc(100, 0xff))
  await new Promise((resolve) => socket.once('close', resolve).resume())
  recording.trade(93_000)
  await lively.until(() => (lively.ids().at(-1) === 93_000 ? true : undefined))
  expect(nextStamp()).toBeGreaterThan(0)
  lively.end()
})

async function metrics(): Promise<string> {
  const headers = { authorization: `Bearer ${METRICS_TOKEN}` }
  return (await fetch(`${live.metrics_url}/metrics`, { headers })).text()
}
