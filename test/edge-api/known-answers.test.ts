/** Answers from memory, ahead of the app: in workerd, the same as the app's in every respect. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { mintToken, type Scope } from '#core/access-token.ts'
import { fromMillis } from '#core/time.ts'
import { appendRevoked } from '../../infra/local/revoked-tokens.ts'
import type { RunningWorkerd } from '../../infra/local/workerd/run.ts'
import { startWorkerd } from '../../infra/local/workerd/start.ts'
import { workerBundle } from '../support/worker-bundle.ts'
import { addQuotes, addSymbol, startEdge, TOKEN_SECRET } from './support.ts'

const edge = await startEdge()
const dir = await mkdtemp(join(tmpdir(), 'booktape-known-'))
const revoked_file = join(dir, 'revoked-tokens')
const servers: RunningWorkerd[] = []
let open: RunningWorkerd
let closed: RunningWorkerd

beforeAll(async () => {
  await addSymbol(edge.pool, 'BTCUSDT')
  open = await start('open', { PUBLIC_READ: 'true' })
  closed = await start('closed', { PUBLIC_READ: 'false', CORS_ORIGINS: 'https://a.example' })
})
afterAll(async () => {
  for (const server of servers) await server.stop()
  await rm(dir, { recursive: true })
})

async function start(name: string, bindings: Record<string, string>): Promise<RunningWorkerd> {
  const server = await startWorkerd({
    port: 0,
    bundle: await workerBundle(),
    bindings: { ...edge.bindings, ...bindings },
    dir: join(dir, name),
    revoked_file,
  })
  servers.push(server)
  return server
}

interface Asked {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

async function ask(server: RunningWorkerd, path: string, headers = {}): Promise<Asked> {
  const response = await fetch(server.url + path, { headers })
  const { age: _, date: __, ...rest } = Object.fromEntries(response.headers)
  return { status: response.status, headers: rest, body: await response.text() }
}

async function token(...scopes: readonly Scope[]): Promise<{ text: string; id: string }> {
  const { text, payload } = await mintToken(TOKEN_SECRET, scopes, 1, fromMillis(Date.now()))
  return { text, id: payload.id }
}

test.each(['/v1/symbols', '/v1/symbols?limit=1', '/prices/tickers', '/v1/gaps'])(
  '%s is answered again with the same headers and bytes, and as the app answers it',
  async (path) => {
    const answers = [await ask(open, path), await ask(open, path), await ask(open, path)]
    expect(answers[0]!.status).toBe(200)
    expect(answers[1]).toEqual(answers[0])
    expect(answers[2]).toEqual(answers[0])
    // Requests of other origins are left to the app.
    expect(await ask(open, path, { origin: 'https://x.example' })).toEqual(answers[0])
  },
)

test('its age grows, and after max-age the answer is new', async () => {
  const path = '/v1/symbols?limit=7'
  await ask(open, path)
  const ages = new Set<string | null>()
  await expect
    .poll(async () => {
      ages.add((await fetch(open.url + path)).headers.get('age'))
      return ages.size
    })
    .toBeGreaterThan(2)
  const quote = '/v1/gaps?limit=3'
  const before = await ask(open, quote)
  await edge.pool.query(
    `insert into marketdata.gaps (symbol_id, channel, from_ts, to_ts, cause, detected_at)
     select id, 'trades', now() - interval '1 minute', now(), 'disconnect', now()
     from marketdata.symbols limit 1`,
  )
  await expect.poll(async () => (await ask(open, quote)).body).not.toBe(before.body)
  const after = await ask(open, quote)
  expect(after.headers['etag']).not.toBe(before.headers['etag'])
})

test('a caller that has the answer gets a 304, and HEAD no body', async () => {
  const path = '/v1/symbols?limit=2'
  const [first] = [await ask(open, path), await ask(open, path)]
  const etag = first!.headers['etag']!
  expect(await ask(open, path, { 'if-none-match': etag })).toMatchObject({ status: 304, body: '' })
  const head = await fetch(open.url + path, { method: 'HEAD' })
  expect(head.headers.get('content-length')).toBe(String(Buffer.byteLength(first!.body)))
  expect(await head.text()).toBe('')
})

test('a newest quote is new and has the headers of the app, whoever answers it', async () => {
  const id = await addSymbol(edge.pool, 'NEWUSDT')
  const addQuote = (update_id: number): Promise<unknown> =>
    edge.pool.query(
      `select marketdata.ensure_hour('book_ticker', date_trunc('hour', now()));
       insert into marketdata.book_ticker
         (symbol_id, ts_exchange, ts_ingest, update_id, best_bid, best_ask, bid_qty, ask_qty)
       values (${id}, now(), now(), ${update_id}, 100, 101, 1, 2)`,
    )
  await addQuote(1)
  const path = '/v1/quotes/NEWUSDT/latest'
  const read = async (server: RunningWorkerd, asked: string, headers = {}) => {
    const { status, body, headers: got } = await ask(server, asked, headers)
    expect(got['content-length']).toBe(String(Buffer.byteLength(body)))
    const { age_ms, ...quote } = JSON.parse(body) as Record<string, unknown>
    // Its length depends on the digits of its age.
    const { etag, 'content-length': _, ...others } = got
    return { status, quote, etag, age_ms, others }
  }
  // Requests of an origin are left to the app. Each question is a new one, so none is cached.
  const of_app = await read(open, `${path}?max_age_s=3600`, { origin: 'https://x.example' })
  expect(of_app).toMatchObject({ status: 200, quote: { symbol: 'NEWUSDT', update_id: 1 } })
  await read(open, `${path}?max_age_s=3601`)
  for (const max_age_s of [3_602, 3_603]) {
    const ahead = await read(open, `${path}?max_age_s=${max_age_s}`)
    expect([ahead.status, ahead.others]).toEqual([200, of_app.others])
    expect(ahead.quote).toEqual({ ...of_app.quote, max_age_s })
    expect(ahead.etag).toMatch(/^"[0-9a-f]{32}"$/)
    const again = await read(open, `${path}?max_age_s=${max_age_s}`)
    const is_kept = again.age_ms === ahead.age_ms
    expect(again.etag === ahead.etag).toBe(is_kept)
  }
  await addQuote(2)
  await expect.poll(async () => (await read(open, path)).quote['update_id']).toBe(2)
  expect((await ask(open, '/v1/quotes/NOUSDT/latest')).status).toBe(404)
  expect((await ask(open, `${path}?max_age_s=86401`)).status).toBe(400)
  const together = await Promise.all(
    Array.from({ length: 20 }, () => read(open, `${path}?max_age_s=3700`)),
  )
  // The first gets the gateway's answer as it comes; the others share one that is kept.
  expect(new Set(together.map(({ etag }) => etag)).size).toBeLessThanOrEqual(2)
})

test('a newest quote is shown only to tokens that may read', async () => {
  const id = await addSymbol(edge.pool, 'TOKENUSDT')
  await edge.pool.query("select marketdata.ensure_hour('book_ticker', date_trunc('hour', now()))")
  await addQuotes(edge.pool, id, [[new Date().toISOString(), 1, 100, 101, 1, 2]])
  const asked = (n: number): string => `/v1/quotes/TOKENUSDT/latest?max_age_s=${3_600 + n}`
  const shown = { authorization: `Bearer ${(await token('read')).text}` }
  for (const n of [1, 2, 3]) {
    const { status, headers } = await ask(closed, asked(n), shown)
    expect([status, headers['cache-control']?.split(',')[0]]).toEqual([200, 'private'])
  }
  expect((await ask(closed, asked(3))).status).toBe(401)
  expect((await ask(closed, asked(4))).status).toBe(401)
  const other = { authorization: `Bearer ${(await token('ops')).text}` }
  expect((await ask(closed, asked(5), other)).status).toBe(403)
})

test('forms are told apart by Accept', async () => {
  const path = '/v1/trades/BTCUSDT?from=2026-01-01T00:00:00Z&to=2026-01-01T01:00:00Z'
  const json = { accept: 'application/json' }
  const csv = { accept: 'text/csv' }
  const answers = [await ask(open, path, json), await ask(open, path, csv)]
  expect(await ask(open, path, json)).toEqual(answers[0])
  expect(await ask(open, path, csv)).toEqual(answers[1])
  expect(answers[0]!.headers['content-type']).not.toBe(answers[1]!.headers['content-type'])
})

test('an answer to a token is given to no caller without one', async () => {
  const path = '/v1/symbols'
  const { text, id } = await token('read')
  const shown = { authorization: `Bearer ${text}` }
  const first = await ask(closed, path, shown)
  expect(first.status).toBe(200)
  expect(first.headers['cache-control']).toMatch(/^private/)
  expect(await ask(closed, path, shown)).toEqual(first)
  expect((await ask(closed, path)).status).toBe(401)
  const other = { authorization: `Bearer ${(await token('ops')).text}` }
  expect((await ask(closed, path, other)).status).toBe(403)
  const wrong = { authorization: `Bearer ${text.slice(0, -4)}AAAA` }
  expect((await ask(closed, path, wrong)).status).toBe(401)
  appendRevoked(revoked_file, id)
  await expect.poll(async () => (await ask(closed, path, shown)).status).toBe(401)
})

test('pages of other origins get the headers of their own origin', async () => {
  const path = '/v1/symbols?limit=3'
  const shown = { authorization: `Bearer ${(await token('read')).text}` }
  await ask(closed, path, shown)
  await ask(closed, path, shown)
  const from = async (origin: string) =>
    (await ask(closed, path, { ...shown, origin })).headers['access-control-allow-origin']
  expect(await from('https://a.example')).toBe('https://a.example')
  expect(await from('https://b.example')).toBeUndefined()
})
