/** The exchange server's truth log, and the controls that a checker needs. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { startExchange } from '../../../infra/exchange/server.ts'
import type { TruthLine } from '../../../infra/exchange/truth-log.ts'
import { connect, countOf, until } from './client.ts'

const QUOTES = 'btcusdt@bookTicker'
const TRADES = 'btcusdt@aggTrade'

const dir = mkdtempSync(join(tmpdir(), 'booktape-truth-'))
afterAll(() => rmSync(dir, { recursive: true, force: true }))

test('every frame is logged with its outcome and content, even without a client', async () => {
  const truth_file = join(dir, 'truth.ndjson')
  const source = { kind: 'sim', seed: 4, symbols: ['BTCUSDT'], events_per_s: 2_000 } as const
  const server = await startExchange({ port: 0, source, truth_file })
  const client = await connect(`${server.ws_url}/public/stream?streams=${QUOTES}`)
  await until(() => countOf(client, QUOTES) > 50)
  server.setFaults({ faults: [{ kind: 'drop', streams: QUOTES, probability: 0.5 }] })
  // Frames still in the socket are not faults; only frames that the server dropped are.
  await until(() => server.ledger().streams.some(({ undelivered_count }) => undelivered_count > 10))
  server.setFaults({ faults: [{ kind: 'duplicate', streams: QUOTES, probability: 0.5 }] })
  await until(() => countOf(client, QUOTES) > new Set(client.frames).size + 10)
  server.setFaults({ faults: [], actions: [{ kind: 'halt' }] })
  await until(() => server.status().state === 'done')
  const published = server.status().frames_published
  await client.ask({ method: 'LIST_SUBSCRIPTIONS', id: 1 })
  await client.close()
  await server.stop()

  const lines = readFileSync(truth_file, 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as TruthLine)
  expect(lines.length).toBe(published)
  expect(new Set(lines.map(({ outcome }) => outcome))).toEqual(new Set(['sent', 'drop']))
  const sent = lines
    .filter(({ outcome }) => outcome === 'sent')
    .map(({ data }) => JSON.stringify(data))
  const heard = client.frames.filter((frame) => frame.startsWith(`{"stream":"${QUOTES}"`))
  expect(new Set(heard)).toEqual(
    new Set(sent.map((data) => `{"stream":"${QUOTES}","data":${data}}`)),
  )
  expect(heard.length).toBeGreaterThan(sent.length)
  for (const { id, data } of lines) expect(data['u']).toBe(id)
})

test('frames without a socket are logged with their content', async () => {
  const truth_file = join(dir, 'no-socket.ndjson')
  const source = { kind: 'sim', seed: 4, symbols: ['BTCUSDT'], events_per_s: 2_000 } as const
  const server = await startExchange({ port: 0, source, truth_file })
  const client = await connect(`${server.ws_url}/market/stream?streams=${TRADES}`)
  await until(() => countOf(client, TRADES) > 5)
  await client.close()
  const undelivered = (): number => server.ledger().streams[0]!.undelivered_count
  await until(() => undelivered() > 5)
  await server.stop()
  const lines = readFileSync(truth_file, 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as TruthLine)
  const missed = lines.filter(({ outcome }) => outcome === 'no_socket')
  expect(missed.length).toBe(undelivered())
  for (const { id, data } of missed) expect(data).toMatchObject({ e: 'aggTrade', a: id })
})

test('a roll call makes every symbol quote and trade at once', async () => {
  const symbols = ['BTCUSDT', 'ETHUSDT', 'SOLUSDT']
  const source = { kind: 'sim', seed: 4, symbols, events_per_s: 0.1 } as const
  const server = await startExchange({ port: 0, source })
  const names = symbols.map((symbol) => symbol.toLowerCase())
  const quotes = await connect(
    `${server.ws_url}/public/stream?streams=${names.map((name) => `${name}@bookTicker`).join('/')}`,
  )
  const trades = await connect(
    `${server.ws_url}/market/stream?streams=${names.map((name) => `${name}@aggTrade`).join('/')}`,
  )
  server.setFaults({ actions: [{ kind: 'roll_call' }] })
  await until(() => quotes.frames.length >= names.length && trades.frames.length >= names.length)
  await server.stop()
  expect(names.filter((name) => countOf(quotes, `${name}@bookTicker`) === 0)).toEqual([])
  expect(names.filter((name) => countOf(trades, `${name}@aggTrade`) === 0)).toEqual([])
})
