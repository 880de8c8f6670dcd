/** /mcp in real workerd, called by the official client. */
import { mkdtemp, rm } from 'node:fs/promises'
import { request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text as readText } from 'node:stream/consumers'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { DAY_US, fromMillis, toIso, micros } from '#core/time.ts'
import { mintToken, type Scope } from '#core/access-token.ts'
import { startWorker, type LocalWorker } from '../../infra/local/worker.ts'
import { workerBundle } from '../support/worker-bundle.ts'
import { publishRows } from '../support/dataset-file.ts'
import { addSymbol, addTrades, setLatest, startEdge, TOKEN_SECRET } from './support.ts'

const edge = await startEdge()
const dir = await mkdtemp(join(tmpdir(), 'booktape-mcp-'))
const now = fromMillis(Date.now())
const moment = toIso(micros(now - 5_000_000))
const clients: Client[] = []
let worker: LocalWorker
let client: Client

beforeAll(async () => {
  const id = await addSymbol(edge.pool, 'BTCUSDT')
  await addTrades(edge.pool, id, [
    [moment, 1, 61800.2, 0.005],
    [moment, 2, 61800.3, 0.005],
  ])
  await edge.pool.query("select marketdata.ensure_hour('depth_events', $1)", [moment])
  await edge.pool.query(
    `insert into marketdata.depth_events
       (ts_exchange, ts_ingest, symbol_id, depth_kind, final_update_id, bids, asks)
     values ($1, $1, $2, 'snapshot', 1, '{{61800.2,0.5},{61800.1,1}}', '{{61800.3,12.041}}')`,
    [moment, id],
  )
  await edge.pool.query('select marketdata.ensure_signals_day($1)', [moment])
  await edge.pool.query(
    `insert into marketdata.open_interest (symbol_id, ts_exchange, open_interest)
     values ($1, '2024-03-29T00:05:00Z', 80000.5)`,
    [id],
  )
  await edge.pool.query(
    `insert into marketdata.signals (ts, symbol_id, id, kind, side, price_low, price_high, strength,
       version, qty, reference_qty, trade_id)
     values ($1, $2, 7, 'large_trade', 'buy', 61800.2, 61800.2, 120, 1, 0.6, 0.005, 1)`,
    [moment, id],
  )
  await edge.pool.query(
    `insert into marketdata.signal_progress
       (symbol_id, from_ts, trades_to, books_from, books_to, gaps)
     values ($2, $1::timestamptz - interval '2 days', $1, $1::timestamptz - interval '2 days', $1, '[]')`,
    [moment, id],
  )
  await edge.pool.query(
    `insert into marketdata.gaps (symbol_id, channel, from_ts, to_ts, cause, detected_at)
     values ($2, 'trades', $1::timestamptz - interval '1 minute', $1, 'disconnect', $1)`,
    [moment, id],
  )
  const day = toIso(micros(now - DAY_US)).slice(0, 10)
  const times = [fromMillis(Date.parse(`${day}T12:00:00Z`))]
  const columns = ['ofi', 'mid_close']
  await setLatest(
    edge.store,
    await publishRows(edge.store, 'features_1s', day, ['BTCUSDT'], times, columns),
  )
  worker = await startWorker({
    port: 0,
    bundle: await workerBundle(),
    bindings: { ...edge.bindings, PUBLIC_READ: 'false' },
    persist_dir: join(dir, 'state'),
  })
  client = await connect(['read'])
})
afterAll(async () => {
  for (const one of clients) await one.close()
  await worker?.stop()
  await rm(dir, { recursive: true })
})

async function connect(scopes: readonly Scope[]): Promise<Client> {
  const { text } = await mintToken(TOKEN_SECRET, scopes, 1, now)
  const made = new Client({ name: 'test', version: '1' })
  const requestInit = { headers: { authorization: `Bearer ${text}` } }
  // The SDK's types are wrong under exactOptionalPropertyTypes.
  const transport = new StreamableHTTPClientTransport(new URL(`${worker.url}/mcp`), { requestInit })
  await made.connect(transport as Parameters<Client['connect']>[0])
  clients.push(made)
  return made
}

async function call(name: string, args: Record<string, unknown>) {
  const result = await client.callTool({ name, arguments: args })
  const [content] = result.content as { type: string; text: string }[]
  return { is_error: result.isError, answer: JSON.parse(content!.text) as Record<string, unknown> }
}

test('the tools are those that read, and say so', async () => {
  const { tools } = await client.listTools()
  expect(tools.map(({ name }) => name)).toEqual([
    'list_datasets',
    'get_order_book_snapshot',
    'get_trades_slice',
    'get_candles',
    'get_open_interest',
    'get_funding_rates',
    'get_clusters',
    'get_signals',
    'get_gaps',
    'get_features',
  ])
  expect(new Set(tools.map(({ annotations }) => annotations?.readOnlyHint))).toEqual(
    new Set([true]),
  )
})

test('each tool answers what its route does', async () => {
  const trades = await call('get_trades_slice', { symbol: 'BTCUSDT', limit: 1 })
  expect(trades).toMatchObject({
    is_error: false,
    answer: { row_count: 1, rows: [{ agg_trade_id: 1, price: '61800.20' }] },
  })
  const cursor = new URL(String(trades.answer['next']), worker.url).searchParams.get('cursor')
  const rest = await call('get_trades_slice', { symbol: 'BTCUSDT', cursor })
  expect(rest.answer).toMatchObject({ rows: [{ agg_trade_id: 2 }], next: null })
  expect(
    (await call('get_order_book_snapshot', { symbol: 'BTCUSDT', depth: 1 })).answer,
  ).toMatchObject({
    bids: [['61800.20', '0.500']],
    asks: [['61800.30', '12.041']],
  })
  expect(
    (await call('get_features', { symbol: 'BTCUSDT', columns: 'ts,ofi' })).answer,
  ).toMatchObject({
    dataset: 'features_1s',
    row_count: 1,
  })
  const minute = `${moment.slice(0, 17)}00.000000Z`
  expect(
    (await call('get_candles', { symbol: 'BTCUSDT', interval: '1m', from: minute })).answer,
  ).toMatchObject({ interval: '1m', rows: [{ ts: minute, close: '61800.30', volume: 0.01 }] })
  const paid = { symbol: 'BTCUSDT', from: '2024-03-29', to: '2024-03-30' }
  expect((await call('get_open_interest', paid)).answer).toMatchObject({
    rows: [{ ts_exchange: '2024-03-29T00:05:00.000000Z', open_interest: '80000.500' }],
  })
  expect((await call('get_funding_rates', paid)).answer).toMatchObject({ rows: [] })
  const signals = await call('get_signals', { symbol: 'BTCUSDT', kind: 'large_trade' })
  expect(signals.answer).toMatchObject({
    computed_to: moment,
    rows: [{ kind: 'large_trade', id: 7, interval: null, price_low: '61800.20', side: 'buy' }],
  })
  expect((await call('get_signals', { symbol: 'BTCUSDT', interval: '5m' })).answer).toMatchObject({
    rows: [],
  })
  const gaps = await call('get_gaps', { symbol: 'BTCUSDT', open: true, limit: 5 })
  expect(gaps.answer).toMatchObject({ rows: [{ cause: 'disconnect', channel: 'trades' }] })
  for (const [name, args] of [
    ['get_signals', { symbol: 'BTCUSDT', kind: 'wall' }],
    ['get_candles', { symbol: 'BTCUSDT', limit: 5_000 }],
    ['get_gaps', { channel: 'book' }],
  ] as const) {
    const { is_error, answer } = await call(name, args)
    expect(is_error, name).toBe(true)
    expect(answer['errors'], name).toHaveLength(1)
  }
  expect((await call('list_datasets', {})).answer).toMatchObject({
    datasets: [{ name: 'features_1s' }],
  })
  expect((await call('list_datasets', { name: 'features_1s' })).answer).toMatchObject({
    name: 'features_1s',
  })
})

test('wrong or hostile arguments are answered with problems that say what is allowed', async () => {
  for (const [name, args, type] of [
    ['get_trades_slice', {}, 'unknown_path'],
    ['get_trades_slice', { symbol: 'NOUSDT' }, 'unknown_symbol'],
    ['get_trades_slice', { symbol: '../../v1/jobs' }, 'bad_parameter'],
    ['get_trades_slice', { symbol: '..' }, 'unknown_path'],
    ['get_trades_slice', { symbol: 'BTCUSDT', limit: 'many' }, 'bad_parameter'],
    ['get_trades_slice', { symbol: 'BTCUSDT', limit: { $gt: 1 } }, 'bad_parameter'],
    ['get_trades_slice', { symbol: 'BTCUSDT', limit: 1_001 }, 'bad_parameter'],
    ['get_features', { symbol: 'BTCUSDT', limit: '10000' }, 'bad_parameter'],
    ['get_order_book_snapshot', { symbol: 'BTCUSDT', depth: 5_000 }, 'bad_parameter'],
    ['get_order_book_snapshot', { symbol: "x' or 1=1" }, 'bad_parameter'],
    ['get_features', { symbol: 'BTCUSDT', secret: 1 }, 'bad_parameter'],
    ['list_datasets', { name: '../secrets' }, 'bad_parameter'],
  ] as const) {
    const { is_error, answer } = await call(name, args)
    expect([JSON.stringify(args), is_error, answer['type']]).toEqual([
      JSON.stringify(args),
      true,
      `urn:booktape:problem:${type}`,
    ])
  }
  await expect(client.callTool({ name: 'drop_table' })).rejects.toThrow(/Unknown tool/)
})

test('a caller without a token, or without the scope, is refused', async () => {
  const anonymous = await fetch(`${worker.url}/mcp`, { method: 'POST', body: '{}' })
  expect(anonymous.status).toBe(401)
  await expect(connect(['ops'])).rejects.toThrow(/403|scope/)
})

test('malformed requests are refused: too large, not JSON, another method', async () => {
  const { text } = await mintToken(TOKEN_SECRET, ['read'], 1, now)
  const headers = {
    authorization: `Bearer ${text}`,
    'content-type': 'application/json',
    accept: 'application/json, text/event-stream',
  }
  const statusOf = async (method: string, body: string | null) =>
    (await fetch(`${worker.url}/mcp`, { method, headers, body })).status
  expect(await statusOf('POST', JSON.stringify({ x: 'x'.repeat(70_000) }))).toBe(413)
  expect(await statusOf('POST', '{"jsonrpc":')).toBe(400)
  expect(await statusOf('GET', null)).toBe(405)
  expect(await statusOf('DELETE', null)).toBe(405)
})

/** Posts a body with any headers. `fetch` cannot set Host. */
async function post(body: unknown, own: Readonly<Record<string, string>> = {}) {
  const { text } = await mintToken(TOKEN_SECRET, ['read'], 1, now)
  const headers = {
    authorization: `Bearer ${text}`,
    'content-type': 'application/json',
    accept: 'application/json, text/event-stream',
    ...own,
  }
  return new Promise<{ status: number; text: string }>((resolve, reject) => {
    const posted = request(`${worker.url}/mcp`, { method: 'POST', headers }, async (response) => {
      resolve({ status: response.statusCode!, text: await readText(response) })
    })
    posted.on('error', reject)
    posted.end(JSON.stringify(body))
  })
}

const LIST = { jsonrpc: '2.0', id: 1, method: 'tools/list' }
const callOf = (id: number) => ({
  jsonrpc: '2.0',
  id,
  method: 'tools/call',
  params: { name: 'get_trades_slice', arguments: { symbol: 'BTCUSDT' } },
})

test('a batch is answered call by call, and has at most ten messages', async () => {
  const calls = Array.from({ length: 10 }, (_, id) => callOf(id))
  const answered = await post(calls)
  expect(answered.status).toBe(200)
  const results = JSON.parse(answered.text) as { id: number; result: { isError: boolean } }[]
  expect(results.map(({ id, result }) => [id, result.isError])).toEqual(
    calls.map(({ id }) => [id, false]),
  )
  const refused = await post([...calls, callOf(10)])
  expect([refused.status, refused.text]).toEqual([413, expect.stringContaining('batch_too_large')])
})

const AT = (method: string, id?: unknown, params?: unknown) => ({
  jsonrpc: '2.0',
  method,
  ...(id === undefined ? {} : { id }),
  ...(params === undefined ? {} : { params }),
})

for (const [name, body, headers, status, said] of [
  ['a ping', AT('ping', 'a'), {}, 200, '{"jsonrpc":"2.0","id":"a","result":{}}'],
  ['a notification', AT('notifications/initialized'), {}, 202, ''],
  ['an answer to nothing', { jsonrpc: '2.0', id: 1, result: {} }, {}, 202, ''],
  ['an unknown method', AT('resources/list', 1), {}, 200, '"code":-32601'],
  [
    'a revision of the future',
    AT('ping', 1),
    { 'mcp-protocol-version': '2099-01-01' },
    400,
    '2025',
  ],
  ['no JSON-RPC', { id: 1, method: 'ping' }, {}, 400, '"code":-32700'],
  ['an id that is an object', AT('ping', { a: 1 }), {}, 400, '"code":-32700'],
  ['parameters that are a list', AT('ping', 1, []), {}, 400, '"code":-32700'],
  ['nothing', [], {}, 400, '"code":-32700'],
  ['two first messages', [AT('initialize', 1), AT('ping', 2)], {}, 400, 'alone'],
  [
    'arguments that are a list',
    AT('tools/call', 1, { ...callOf(1).params, arguments: [] }),
    {},
    200,
    '-32602',
  ],
  ['no stream accepted', AT('ping', 1), { accept: 'application/json' }, 406, 'text/event-stream'],
  ['another type', AT('ping', 1), { 'content-type': 'text/plain' }, 415, 'application/json'],
] as const) {
  test(`${name} is answered with ${status}`, async () => {
    const answered = await post(body, headers)
    expect([answered.status, answered.text]).toEqual([status, expect.stringContaining(said)])
  })
}

test('a client of an old or unknown revision gets one that we speak', async () => {
  const versionFor = async (protocolVersion: string) => {
    const { text } = await post(AT('initialize', 1, { protocolVersion }))
    return (JSON.parse(text) as { result: { protocolVersion: string } }).result.protocolVersion
  }
  expect(await versionFor('2025-03-26')).toBe('2025-03-26')
  expect(await versionFor('1999-01-01')).toBe('2025-11-25')
})

for (const [name, headers, status] of [
  ['no Origin', {}, 200],
  ['a page of this machine', { origin: 'http://localhost:6274' }, 200],
  ['a page of another site', { origin: 'https://evil.example' }, 403],
  ['a page without an origin', { origin: 'null' }, 403],
  ['a name that was pointed at this machine', { host: 'evil.example' }, 403],
  ['its page too', { host: 'evil.example:80', origin: 'http://evil.example:80' }, 403],
  ['a name that only begins like ours', { host: 'localhost.evil.example' }, 403],
] as const) {
  test(`from ${name}: ${status}`, async () => {
    expect((await post(LIST, headers)).status).toBe(status)
  })
}
