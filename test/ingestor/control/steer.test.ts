/**
 * What an operator asks for over the admin API, and what becomes of it: refusals, retries,
 * restarts.
 */
import { readFileSync, statSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { VIEWERS_MAX } from '#core/node/door/events.ts'
import type { Pool } from '#core/node/pool.ts'
import { createRandom } from '../../../infra/exchange/sim/random.ts'
import { type ExchangeServer, startExchange } from '../../../infra/exchange/server.ts'
import { freePort } from '../../../infra/local/ports.ts'
import { createTestDatabase } from '../../support/database.ts'
import { type IngestorProcess, startIngestor, until } from '../support.ts'
import { temporaryDirectory } from '../writer/support.ts'
import { type Answer, ask } from './support.ts'

const SYMBOLS = ['BTCUSDT', 'ETHUSDT', 'SOLUSDT', 'XRPUSDT', 'BNBUSDT', 'DOGEUSDT']
const PORT = await freePort()
const READ = 'r'.repeat(32)
const OPERATE = 'o'.repeat(40)

let exchange: ExchangeServer
let pool: Pool
let ingestor: IngestorProcess
let env: Record<string, string>
const dir = join(temporaryDirectory(), 'tape')
const socket = join(dir, 'control.sock')

beforeAll(async () => {
  exchange = await startExchange({
    port: 0,
    source: { kind: 'sim', seed: 3, symbols: SYMBOLS, events_per_s: 500 },
  })
  const database = await createTestDatabase()
  pool = database.pool
  env = {
    DATABASE_URL: database.url,
    TAPE_DIR: dir,
    EXCHANGE_WS_URL: exchange.ws_url,
    EXCHANGE_REST_URL: exchange.url,
    SYMBOLS: 'BTCUSDT,ETHUSDT',
    CHANNELS: 'book_ticker,trades',
    CONTROL_PORT: String(PORT),
    CONTROL_TOKENS: `watcher:read:${READ},alice:operate:${OPERATE}`,
    CONTROL_HOSTS: 'ingestor.example',
  }
  ingestor = startIngestor(env)
  await ingestor.ready
})
afterAll(() => exchange.stop())

const call = (path: string, method = 'GET', body?: unknown, headers = {}): Promise<Answer> =>
  ask(socket, path, { method, body, headers })
const status = async () => (await call('/status')).body

async function restarted(
  signal: NodeJS.Signals,
  change: Record<string, string> = {},
): Promise<void> {
  ingestor.kill(signal)
  await ingestor.exited
  env = { ...env, ...change }
  ingestor = startIngestor(env)
  await ingestor.ready
}

async function heard(count: number): Promise<void> {
  await until(`${count} streams are heard`, async () => {
    const { streams_heard, streams_wanted } = (await status()).actual
    return streams_heard === count && streams_wanted === count
  })
}

async function gapLines(): Promise<readonly string[]> {
  await ingestor.drain()
  const { rows } = await pool.query<{ line: string }>(`
    select concat_ws(' ', symbol, channel, cause, case when to_ts is null then 'open' else 'ended' end) as line
    from marketdata.gap_ledger g join marketdata.symbols s on s.id = g.symbol_id
    where cause = 'operator' order by 1`)
  return rows.map(({ line }) => line)
}

test('before any change the environment says what is wanted, and no file is written', async () => {
  const { desired, actual, ingestor: identity } = await status()
  expect(desired).toMatchObject({
    source: 'environment',
    revision: 0,
    recording: 'recording',
    symbols: ['BTCUSDT', 'ETHUSDT'],
    channels: ['book_ticker', 'trades'],
    depth: { tier: 1 },
  })
  expect(actual).toMatchObject({
    recording: 'recording',
    symbols: ['BTCUSDT', 'ETHUSDT'],
    streams_wanted: 4,
  })
  expect(identity.endpoints).toEqual([`unix:${socket}`, `http://127.0.0.1:${PORT}`])
  expect(() => statSync(join(dir, 'desired-state.json'))).toThrow('ENOENT')
  expect(statSync(socket).mode & 0o777).toBe(0o600)
})

test('who may ask for what: the socket file, tokens and their scopes, host, origin and type', async () => {
  const bearer = (token: string) => ({ authorization: `Bearer ${token}` })
  const scale = { method: 'POST', body: { count: 2 } }
  const cases: readonly (readonly [string, Parameters<typeof ask>[2], string, number])[] = [
    ['no token', {}, '/status', 401],
    ['a wrong token', { headers: bearer('x'.repeat(40)) }, '/status', 401],
    ['a token that is no bearer', { headers: { authorization: `Basic ${READ}` } }, '/status', 401],
    ['read reads', { headers: bearer(READ) }, '/status', 200],
    ['read may not change', { ...scale, headers: bearer(READ) }, '/scale?dry_run=true', 403],
    ['operate reads', { headers: bearer(OPERATE) }, '/streams', 200],
    ['operate plans', { ...scale, headers: bearer(OPERATE) }, '/scale?dry_run=true', 200],
    [
      'a name that was pointed here',
      { headers: { ...bearer(READ), host: 'evil.example' } },
      '/status',
      403,
    ],
    [
      'a name that is ours',
      { headers: { ...bearer(READ), host: 'ingestor.example:99' } },
      '/status',
      200,
    ],
    [
      'a page of another origin',
      { ...scale, headers: { ...bearer(OPERATE), origin: 'https://evil.example' } },
      '/scale',
      403,
    ],
    [
      'a page without an origin',
      { ...scale, headers: { ...bearer(OPERATE), origin: 'null' } },
      '/scale',
      403,
    ],
    [
      'a form',
      {
        method: 'POST',
        body: '{"count":2}',
        headers: { ...bearer(OPERATE), 'content-type': 'text/plain' },
      },
      '/scale',
      415,
    ],
  ]
  for (const [name, options, path, expected] of cases) {
    const answer = await ask(PORT, path, options)
    expect(answer.status, `${name}: ${answer.text}`).toBe(expected)
    if (expected >= 400)
      expect(answer.headers['content-type'], name).toBe('application/problem+json')
  }
  expect(
    (await call('/scale', 'POST', { count: 2 }, { origin: 'https://evil.example' })).status,
  ).toBe(403)
  expect((await status()).desired.revision).toBe(0)
})

test('wishes that cannot be met are refused with a reason, and change nothing', async () => {
  const before = await status()
  for (const [path, method, body, expected, word] of [
    ['/symbols', 'PUT', { symbols: ['GONEUSDT'] }, 422, 'GONEUSDT'],
    ['/symbols', 'PUT', { symbols: [] }, 400, 'symbols'],
    ['/symbols', 'PUT', { remove: ['GONEUSDT'] }, 422, 'GONEUSDT'],
    ['/symbols', 'PUT', { remove: ['BTCUSDT', 'ethusdt'] }, 422, 'Pause'],
    ['/scale', 'POST', { count: 0 }, 400, 'count'],
    ['/scale', 'POST', { tier: 4 }, 400, 'tier'],
    ['/scale', 'POST', { count: 2, tier: 1 }, 400, ''],
    ['/scale?dryrun=true', 'POST', { count: 2 }, 400, 'dryrun'],
    ['/scale?dry_run=maybe', 'POST', { count: 2 }, 400, 'dry_run'],
    ['/channels', 'PUT', { channels: ['prices'] }, 422, 'prices'],
    ['/channels', 'PUT', { channels: ['nonsense'] }, 400, 'channels'],
    ['/recording', 'POST', { state: 'off' }, 400, 'state'],
    ['/recording', 'POST', undefined, 400, 'state'],
    ['/nowhere', 'POST', {}, 404, ''],
    ['/status', 'DELETE', undefined, 404, ''],
  ] as const) {
    const answer = await call(path, method, body)
    expect(answer.status, `${path} ${answer.text}`).toBe(expected)
    expect(answer.text).toContain(word)
  }
  expect((await call('/symbols', 'PUT', { symbols: ['X'.repeat(400_000)] })).status).toBe(413)
  expect((await status()).desired).toEqual(before.desired)
  expect((await call('/audit')).body.entries).toEqual([])
})

test('a plan says what it would do, and does nothing', async () => {
  const { body } = await call('/symbols?dry_run=true', 'PUT', {
    add: ['solusdt'],
    remove: ['ETHUSDT'],
  })
  expect(body).toMatchObject({
    is_dry_run: true,
    is_changed: true,
    audit_id: null,
    revision: 0,
    result: {
      symbols_added: ['SOLUSDT'],
      symbols_removed: ['ETHUSDT'],
      streams_added_count: 2,
      streams_removed_count: 2,
      streams_kept_count: 2,
    },
    streams: {
      added: ['solusdt@bookTicker', 'solusdt@aggTrade'],
      removed: ['ethusdt@bookTicker', 'ethusdt@aggTrade'],
    },
  })
  const books = await call('/channels?dry_run=true', 'PUT', {
    channels: ['depth_events', 'trades', 'book_ticker'],
  })
  expect(books.body.result).toMatchObject({
    streams_added_count: 2,
    streams_kept_count: 4,
    rest_weight: 40,
  })
  expect((await status()).desired.revision).toBe(0)
})

test('a second operator does not overwrite the first, and a retry is harmless', async () => {
  const { headers } = await call('/status')
  const etag = String(headers['etag'])
  const first = await ask(PORT, '/symbols', {
    method: 'PUT',
    body: { add: ['SOLUSDT'] },
    headers: {
      authorization: `Bearer ${OPERATE}`,
      'if-match': etag,
      'idempotency-key': 'one',
      'booktape-actor': 'bob',
    },
  })
  expect(first.body).toMatchObject({
    is_changed: true,
    is_repeated: false,
    revision: 1,
    result: { symbols_added: ['SOLUSDT'] },
  })
  expect(first.headers['etag']).not.toBe(etag)
  const second = await call('/symbols', 'PUT', { add: ['XRPUSDT'] }, { 'if-match': etag })
  expect(second.status).toBe(412)
  expect(second.text).toContain('alice for bob')
  const again = await call(
    '/symbols',
    'PUT',
    { add: ['SOLUSDT'] },
    { 'if-match': etag, 'idempotency-key': 'one' },
  )
  expect(again.body).toEqual({ ...first.body, is_repeated: true })
  expect(
    (await call('/symbols', 'PUT', { add: ['XRPUSDT'] }, { 'idempotency-key': 'one' })).status,
  ).toBe(422)
  // The same wish under another key is no change, and no line.
  expect(
    (await call('/symbols', 'PUT', { symbols: ['BTCUSDT', 'ETHUSDT', 'SOLUSDT'] })).body,
  ).toMatchObject({ is_changed: false, revision: 1 })
  const { entries } = (await call('/audit')).body
  expect(entries).toHaveLength(1)
  expect(entries[0]).toMatchObject({
    actor: 'alice for bob',
    origin: '127.0.0.1',
    action: 'symbols',
    before: { symbols: ['BTCUSDT', 'ETHUSDT'] },
  })
  await heard(6)
})

test('many changes at once: each is made once, one after another', async () => {
  const wishes = ['XRPUSDT', 'BNBUSDT', 'DOGEUSDT'].flatMap((symbol) => [1, 2, 3].map(() => symbol))
  const answers = await Promise.all(
    wishes.map((symbol) =>
      call('/symbols', 'PUT', { add: [symbol] }, { 'idempotency-key': `add-${symbol}` }),
    ),
  )
  expect(answers.map((answer) => answer.status)).toEqual(wishes.map(() => 200))
  expect(
    answers
      .filter(({ body }) => !body.is_repeated)
      .map(({ body }) => body.revision)
      .toSorted(),
  ).toEqual([2, 3, 4])
  expect((await status()).actual.symbols.toSorted()).toEqual([...SYMBOLS].toSorted())
  await heard(12)
  expect((await call('/symbols', 'PUT', { symbols: ['BTCUSDT', 'ETHUSDT'] })).body.revision).toBe(5)
  await heard(4)
})

test('channels come and go: books are asked for, and the others are not touched', async () => {
  const connections = async () =>
    (await status()).sockets.map(({ connection }: { connection: number }) => connection)
  const before = await connections()
  expect(
    (
      await call('/channels', 'PUT', {
        channels: ['book_ticker', 'trades', 'depth_events', 'mark_price'],
      })
    ).status,
  ).toBe(200)
  await until('books are in sequence', async () => (await status()).books.in_sequence === 2)
  await heard(8)
  expect((await call('/depth', 'PUT', { symbols: ['ethusdt'] })).body.result).toMatchObject({
    streams_removed_count: 1,
    streams_kept_count: 7,
  })
  expect((await call('/depth', 'PUT', { symbols: { busiest: 1 } })).status).toBe(200)
  expect((await call('/channels', 'PUT', { channels: ['book_ticker', 'trades'] })).status).toBe(200)
  await heard(4)
  for (const connection of before) expect(await connections()).toContain(connection)
  const { rows } = await pool.query('select count(*)::int as n from marketdata.depth_events')
  expect(rows[0].n).toBeGreaterThan(0)
})

test('streams are told one by one: last event, silence, loss and book', async () => {
  const { streams } = (await call('/streams?symbol=btcusdt')).body
  expect(streams.map(({ stream }: { stream: string }) => stream)).toEqual([
    'btcusdt@bookTicker',
    'btcusdt@aggTrade',
  ])
  await until('both have spoken', async () =>
    (await call('/streams?symbol=btcusdt')).body.streams.every(
      (one: { last_event_at: string | null; lost: unknown }) =>
        one.last_event_at !== null && one.lost === null,
    ),
  )
  expect((await call('/streams?channel=trades')).body.streams).toHaveLength(2)
})

test('a pause closes the sockets and is in the ledger; it holds over kill -9', async () => {
  // These found nothing to change; a retry after somebody's pause must not end it.
  const key = { 'idempotency-key': 'already' }
  const already = await call('/recording', 'POST', { state: 'recording' }, key)
  expect(already.body).toMatchObject({ is_changed: false, is_repeated: false })
  const refused = { 'idempotency-key': 'refused' }
  expect((await call('/scale', 'POST', { count: 0 }, refused)).status).toBe(400)
  const planned = { 'idempotency-key': 'planned' }
  await call('/recording?dry_run=true', 'POST', { state: 'paused' }, planned)
  const done = await call('/recording', 'POST', { state: 'paused' }, planned)
  expect(done.body.is_repeated).toBe(false)
  const retry = await call('/recording', 'POST', { state: 'recording' }, key)
  expect(retry.body).toEqual({ ...already.body, is_repeated: true })
  expect((await call('/recording', 'POST', { state: 'paused' }, key)).status).toBe(422)
  expect(done.body.result).toMatchObject({ streams_removed_count: 4, streams_kept_count: 0 })
  const frames = (await status()).feed.frames_received
  expect(await status()).toMatchObject({
    state: 'paused',
    sockets: [],
    actual: { recording: 'paused', streams_heard: 0 },
  })
  // The writer reads the end of the streams from the tape a moment later.
  await until('no stream is lost', async () => (await status()).gaps.lost_streams === 0)
  const paused = [
    'BTCUSDT book_ticker',
    'BTCUSDT trades',
    'ETHUSDT book_ticker',
    'ETHUSDT trades',
  ].map((name) => `${name} operator open`)
  await until(
    'it is in the ledger',
    async () => (await gapLines()).filter((line) => paused.includes(line)).length === 4,
  )
  expect((await status()).feed.frames_received).toBe(frames)
  await restarted('SIGKILL')
  expect(await status()).toMatchObject({
    state: 'paused',
    desired: { recording: 'paused', source: 'operator' },
    feed: { frames_received: 0 },
  })
  const later = await call('/recording', 'POST', { state: 'recording' }, key)
  expect(later.body).toEqual(retry.body)
  // A refused request may be tried again with its key.
  const resumed = await call('/recording', 'POST', { state: 'recording' }, refused)
  expect(resumed.body.result).toMatchObject({ streams_added_count: 4 })
  await heard(4)
  await until('every stream has spoken', async () =>
    (await gapLines()).every((line) => !paused.includes(line)),
  )
  const ended = (await gapLines()).filter((line) =>
    /^(BTC|ETH)USDT (book_ticker|trades) operator ended$/.test(line),
  )
  expect(ended).toEqual(
    ['BTCUSDT book_ticker', 'BTCUSDT trades', 'ETHUSDT book_ticker', 'ETHUSDT trades'].map(
      (name) => `${name} operator ended`,
    ),
  )
})

test('kill -9 between the log and the state file: the change is made all the same; a torn line is none', async () => {
  const file = join(dir, 'desired-state.json')
  const log = join(dir, 'audit.ndjson')
  const before = readFileSync(file, 'utf8')
  const { body } = await call('/symbols', 'PUT', { add: ['SOLUSDT'] })
  ingestor.kill('SIGKILL')
  await ingestor.exited
  writeFileSync(file, before)
  writeFileSync(log, `${readFileSync(log, 'utf8')}{"audit_id":"5`)
  ingestor = startIngestor(env)
  await ingestor.ready
  expect((await status()).desired).toMatchObject({
    revision: body.revision,
    symbols: ['BTCUSDT', 'ETHUSDT', 'SOLUSDT'],
  })
  expect(JSON.parse(readFileSync(file, 'utf8')).revision).toBe(body.revision)
  expect(readFileSync(log, 'utf8').endsWith('}\n')).toBe(true)
})

test('what is changed in the environment afterwards is the last word, of that setting alone', async () => {
  expect((await call('/recording', 'POST', { state: 'paused' })).status).toBe(200)
  await restarted('SIGTERM', { SYMBOLS: 'BTCUSDT,XRPUSDT' })
  const { desired, actual } = await status()
  expect(desired).toMatchObject({
    source: 'environment',
    recording: 'paused',
    symbols: ['BTCUSDT', 'XRPUSDT'],
  })
  expect(actual.symbols).toEqual(['BTCUSDT', 'XRPUSDT'])
  const [entry] = (await call('/audit?limit=1')).body.entries
  expect(entry).toMatchObject({
    actor: 'environment',
    origin: 'start',
    action: 'environment',
    request: { settings: ['symbols'] },
  })
  expect((await call('/recording', 'POST', { state: 'recording' })).status).toBe(200)
  await restarted('SIGTERM')
  expect((await status()).desired).toMatchObject({
    revision: desired.revision + 1,
    symbols: ['BTCUSDT', 'XRPUSDT'],
  })
  await heard(4)
  expect((await call('/scale', 'POST', { count: 3 })).body.is_changed).toBe(true)
  expect((await call('/desired', 'DELETE')).body).toMatchObject({
    is_changed: true,
    wanted: { symbols: ['BTCUSDT', 'XRPUSDT'] },
  })
  await heard(4)
})

test('the log on the disk, the API and the database have the same changes', async () => {
  const lines = readFileSync(join(dir, 'audit.ndjson'), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
  expect(lines.map(({ revision }) => revision)).toEqual(lines.map((_, index) => index + 1))
  expect((await call('/audit?limit=1000')).body.entries).toEqual(lines.toReversed())
  const stored = async () =>
    (
      await pool.query(
        'select audit_id, revision, actor, after from marketdata.audit order by revision',
      )
    ).rows
  await until('the database has them', async () => (await stored()).length === lines.length)
  expect(await stored()).toEqual(
    lines.map(({ audit_id, revision, actor, after }) => ({ audit_id, revision, actor, after })),
  )
})

test('metrics: both threads in one text, base units, a bounded set of labels', async () => {
  await until(
    'rows are committed',
    async () => (await status()).writer.rows_committed.book_ticker > 0,
  )
  const { text, headers } = await call('/metrics')
  expect(headers['content-type']).toContain('text/plain')
  for (const line of [
    /^ingestor_frames_received_total [1-9]\d*$/m,
    /^ingestor_rows_written_total\{table="book_ticker"\} [1-9]\d*$/m,
    /^ingestor_commit_lag_seconds_count [1-9]\d*$/m,
    /^ingestor_batch_rows_bucket\{le="500"\} [1-9]\d*$/m,
    /^ingestor_state\{state="live"\} 1$/m,
    /^ingestor_stream_age_seconds\{symbol="BTCUSDT",channel="trades"\} [\d.]+$/m,
    /^ingestor_stream_lost\{symbol="XRPUSDT",channel="book_ticker"\} [01]$/m,
    /^control_requests_total\{method="GET",path="\/status",status="200"\} [1-9]\d*$/m,
    /^process_resident_memory_bytes \d+$/m,
  ]) {
    expect(text).toMatch(line)
  }
  await call(`/${'x'.repeat(50)}`)
  expect((await call('/metrics')).text).not.toContain('x'.repeat(50))
})

test('events: what is so now, then every change at once; one viewer that does not read holds up none', async () => {
  const deaf = connect(socket)
  deaf.write('GET /events HTTP/1.1\r\nhost: localhost\r\n\r\n')
  deaf.pause()
  const seen: string[] = []
  const viewer = connect(socket)
  viewer.setEncoding('utf8').on('data', (text: string) => seen.push(text))
  viewer.write('GET /events HTTP/1.1\r\nhost: localhost\r\n\r\n')
  await until('the first snapshot', () => seen.join('').includes('event: status'))
  const began = seen.join('').length
  await call('/recording', 'POST', { state: 'paused' })
  await until('the change', () => seen.join('').slice(began).includes('"state":"paused"'))
  await call('/recording', 'POST', { state: 'recording' })
  await until('the next one', () => seen.join('').slice(began).includes('"state":"live"'))
  // Told at once, not with the next snapshot that would have come anyway.
  const ids = [...seen.join('').matchAll(/^id: (\d+)$/gm)].map(([, id]) => Number(id))
  expect(ids).toEqual(ids.map((_, index) => ids[0]! + index))
  // A look at the head is no viewer, and viewers beyond the limit are sent away.
  for (let at = 0; at < VIEWERS_MAX; at++) await call('/events', 'HEAD')
  const others = Array.from({ length: VIEWERS_MAX - 2 }, () => connect(socket))
  for (const other of others) other.write('GET /events HTTP/1.1\r\nhost: localhost\r\n\r\n')
  await until('all watch', async () =>
    (await call('/metrics')).text.includes(`control_viewers ${VIEWERS_MAX}`),
  )
  expect((await call('/events')).status).toBe(503)
  for (const other of [viewer, deaf, ...others]) other.destroy()
  await until('nobody watches', async () =>
    (await call('/metrics')).text.includes('control_viewers 0'),
  )
})

/** Runs longer with CONTROL_REQUESTS=10000. */
test('the busiest stay chosen: a change of something else needs no answer of the exchange', async () => {
  const channels = ['book_ticker', 'trades', 'depth_events']
  for (const [path, body] of [
    ['/symbols', { symbols: ['BTCUSDT', 'ETHUSDT'] }],
    ['/channels', { channels }],
    ['/depth', { symbols: { busiest: 1 } }],
  ] as const) {
    expect((await call(path, 'PUT', body)).status, path).toBe(200)
  }
  exchange.setFaults({ faults: [{ kind: 'http_status', target: 'rest', status: 503 }] })
  for (const state of ['paused', 'recording']) {
    expect((await call('/recording', 'POST', { state })).status, state).toBe(200)
  }
  expect((await call('/symbols', 'PUT', { add: ['SOLUSDT'] })).status).toBe(200)
  expect((await call('/symbols', 'PUT', { remove: ['SOLUSDT'] })).status).toBe(200)
  const again = await call('/depth', 'PUT', { symbols: { busiest: 1 } })
  expect([again.status, again.body.is_changed]).toEqual([200, false])
  exchange.setFaults({ faults: [] })
})

test('random requests give no fault of ours, and change nothing without right and line', async () => {
  const count = Number(process.env['CONTROL_REQUESTS'] ?? 600)
  const random = createRandom(11)
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)]!
  const paths = [
    '/',
    '/status',
    '/streams',
    '/audit',
    '/metrics',
    '/recording',
    '/symbols',
    '/scale',
    '/channels',
    '/depth',
    '/..%2f',
    '/%00',
    '/%ff',
    '//x',
  ]
  const values = [
    null,
    0,
    -1,
    1e308,
    '',
    'all',
    'BTCUSDT',
    [],
    {},
    [[]],
    ['ETHUSDT'],
    ['a\u0000b'],
    { count: 3 },
    { count: 1.5 },
    { tier: 2 },
    { state: 'recording' },
    { state: 1 },
    { symbols: 'all' },
    { symbols: ['SOLUSDT', 'solusdt'] },
    { add: ['XRPUSDT'] },
    { remove: ['BTCUSDT'] },
    { channels: ['trades'] },
    { channels: ['trades', 'book_ticker'] },
    { symbols: { busiest: 2 } },
    { symbols: { busiest: 2, tier: 1 } },
    { __proto__: { count: 3 } },
    { symbols: ['é'.repeat(64)] },
    '{"count":',
    '\u0000',
  ]
  // Half of them are meant well; some of those can be done.
  const wishes = [
    ['/recording', 'POST', { state: 'recording' }],
    ['/recording', 'POST', { state: 'paused' }],
    ['/symbols', 'PUT', { add: ['XRPUSDT'] }],
    ['/symbols', 'PUT', { remove: ['BTCUSDT'] }],
    ['/scale', 'POST', { count: 3 }],
    ['/scale', 'POST', { tier: 2 }],
    ['/channels', 'PUT', { channels: ['trades'] }],
    ['/depth', 'PUT', { symbols: { busiest: 2 } }],
  ] as const
  let allowed = 0
  for (let at = 0; at < count; at++) {
    const token = pick([undefined, READ, OPERATE, OPERATE, 'x'.repeat(32), 'é'])
    const wish = random() < 0.5 ? pick(wishes) : undefined
    const headers: Record<string, string> = {
      ...(token === undefined ? {} : { authorization: `Bearer ${encodeURI(token)}` }),
      ...(random() < 0.2 ? { 'if-match': pick(['*', '"0-0"', 'x', ',,']) } : {}),
      ...(random() < 0.2 ? { 'idempotency-key': pick(['a', 'b', ' ', 'k'.repeat(300)]) } : {}),
      ...(random() < 0.1 ? { host: pick(['evil.example', '[::1]:1', ':::', 'localhost']) } : {}),
      ...(random() < 0.1
        ? { 'content-type': pick(['text/plain', 'application/json; charset=x', ';']) }
        : {}),
    }
    const query = pick([
      '',
      '',
      '?dry_run=true',
      '?dry_run=1',
      '?limit=-1',
      '?symbol=%ff',
      '?x',
      '?dry_run=true&dry_run=false',
    ])
    const method = wish?.[1] ?? pick(['GET', 'POST', 'PUT', 'DELETE', 'PATCH', 'HEAD', 'OPTIONS'])
    const body = method === 'GET' || method === 'HEAD' ? undefined : (wish?.[2] ?? pick(values))
    const before = await status()
    const answer = await ask(PORT, (wish?.[0] ?? pick(paths)) + query, { method, body, headers })
    expect(answer.status, `${method} ${query} ${answer.text}`).not.toBe(500)
    const after = await status()
    const has_changed = after.desired.revision !== before.desired.revision
    if (!has_changed) {
      expect(after.desired).toEqual(before.desired)
      continue
    }
    allowed++
    expect(answer.status).toBe(200)
    expect(token).toBe(OPERATE)
    const [entry] = (await call('/audit?limit=1')).body.entries
    expect(entry).toMatchObject({
      revision: after.desired.revision,
      actor: 'alice',
      before: wantedOf(before.desired),
      after: wantedOf(after.desired),
    })
  }
  expect(allowed).toBeGreaterThan(3)
})

function wantedOf({ recording, symbols, channels, depth }: Record<string, unknown>) {
  return { recording, symbols, channels, depth }
}

test('a socket file that was left behind is replaced; a stop takes it away', async () => {
  await restarted('SIGKILL')
  expect((await call('/status')).status).toBe(200)
  ingestor.kill('SIGTERM')
  expect(await ingestor.exited).toBe(0)
  expect(() => statSync(socket)).toThrow('ENOENT')
  await expect(call('/status')).rejects.toThrow('ENOENT')
  const { rows } = await pool.query(
    'select state, endpoint, streams_heard from marketdata.ingestors',
  )
  expect(rows).toEqual([{ state: 'stopped', endpoint: null, streams_heard: 0 }])
})
