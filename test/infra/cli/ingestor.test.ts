/**
 * `npx booktape status`, `scale` and the like, as an operator types them, against a running
 * ingestor.
 */
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type ExchangeServer, startExchange } from '../../../infra/exchange/server.ts'
import { freePort } from '../../../infra/local/ports.ts'
import { ask } from '../../ingestor/control/support.ts'
import { type IngestorProcess, startIngestor, until } from '../../ingestor/support.ts'
import { temporaryDirectory } from '../../ingestor/writer/support.ts'
import { createTestDatabase } from '../../support/database.ts'

const MAIN = fileURLToPath(new URL('../../../infra/cli/main.ts', import.meta.url))
const READ = 'r'.repeat(32)
const data_dir = temporaryDirectory()
const socket = join(data_dir, 'tape', 'control.sock')
const port = await freePort()
let exchange: ExchangeServer
let ingestor: IngestorProcess

interface Run {
  readonly exit_code: number
  readonly out: string
  readonly err: string
}

function booktape(...args: readonly string[]): Promise<Run> {
  return new Promise((resolve) => {
    execFile(process.execPath, [MAIN, ...args], (error, out, err) => {
      resolve({ exit_code: error === null ? 0 : Number(error.code), out, err })
    })
  })
}
const here = (...args: readonly string[]): Promise<Run> => booktape(...args, '--data-dir', data_dir)

beforeAll(async () => {
  const symbols = ['BTCUSDT', 'ETHUSDT', 'SOLUSDT', 'XRPUSDT']
  exchange = await startExchange({
    port: 0,
    source: { kind: 'sim', seed: 4, symbols, events_per_s: 200 },
  })
  const { url } = await createTestDatabase()
  ingestor = startIngestor({
    DATABASE_URL: url,
    TAPE_DIR: join(data_dir, 'tape'),
    EXCHANGE_WS_URL: exchange.ws_url,
    EXCHANGE_REST_URL: exchange.url,
    SYMBOLS: 'BTCUSDT,ETHUSDT',
    CHANNELS: 'book_ticker,trades',
    CONTROL_PORT: String(port),
    CONTROL_TOKENS: `watcher:read:${READ}`,
  })
  await ingestor.ready
})
afterAll(() => exchange.stop())

const heard = (count: number): Promise<void> =>
  until(
    `${count} streams are heard`,
    async () => (await ask(socket, '/status')).body.actual.streams_heard === count,
  )

test('status and streams, for people and for scripts', async () => {
  const { exit_code, out } = await here('status')
  expect(exit_code).toBe(0)
  expect(out).toMatch(/^local \(binance-futures\) is live, up for \d+ s\.$/m)
  expect(out).toContain('symbols BTCUSDT, ETHUSDT, revision 0 (environment)')
  expect(out).toContain('4 of 4 are heard, of 2 symbols')
  expect(JSON.parse((await here('status', '--json')).out)).toMatchObject({
    state: 'live',
    actual: { streams_wanted: 4 },
  })
  const streams = (await here('streams', '--symbol', 'btcusdt')).out.trim().split('\n')
  expect(streams).toHaveLength(3)
  expect(streams[1]).toMatch(/^btcusdt@bookTicker +heard +\d+\.\d s +\d+/)
  expect(await here('streams', '--symbol', 'NOSUCH')).toEqual({
    exit_code: 1,
    out: 'The ingestor records no such stream.\n',
    err: '',
  })
})

test('wrong use is answered with what is allowed', async () => {
  for (const [args, words] of [
    [['scale', '0'], /Expected a number of symbols from 1 to 9999, or tier:1, tier:2, tier:3\./],
    [['depth', 'busiest:x'], /Expected names, or one of all, busiest:1 to busiest:9999, tier:1/],
    [['depth', 'tier:1', 'BTCUSDT'], /Expected names, or one of all/],
    [['channels', 'quotes'], /must be one of book_ticker, trades, depth_events, mark_price, liq/],
    [['symbols', 'add', 'a b'], /must be a symbol: letters of any script, digits/],
    [['symbols', 'frob', 'A'], /unknown command 'frob'\n\(--help lists the commands and options\)/],
  ] as const) {
    const { exit_code, err } = await here(...args)
    expect(err).toMatch(words)
    expect(exit_code, args.join(' ')).toBe(2)
  }
})

test('changes: planned, made, refused with a reason, and listed', async () => {
  const plan = await here('scale', '3', '--dry-run')
  expect(plan.out).toContain('2 streams would be added, 0 would be removed, 4 would be kept.')
  expect(plan.out).toContain('symbols added   SOLUSDT')
  expect(plan.out).toContain('Nothing was changed')
  expect((await here('audit')).out).toBe('There has been no change.\n')
  expect((await here('symbols', 'add', 'SOLUSDT', 'xrpusdt')).out).toContain('Revision 1.')
  await heard(8)
  expect((await here('symbols', 'add', 'SOLUSDT')).out).toBe(
    'Nothing to change: already so (revision 1).\n',
  )
  const refused = await here('symbols', 'remove', 'GONEUSDT')
  expect(refused).toMatchObject({ exit_code: 1, out: '' })
  expect(refused.err).toContain(
    'The ingestor answers 422: This symbol is not recorded. Not recorded: GONEUSDT.',
  )
  expect((await here('scale', 'many')).exit_code).toBe(2)
  expect((await here('symbols', 'set', 'BTCUSDT')).exit_code).toBe(0)
  await heard(2)
  expect((await here('channels', 'trades', 'book_ticker', 'depth_events')).out).toContain(
    'books take a weight of 20',
  )
  expect((await here('depth', 'busiest:1')).exit_code).toBe(0)
  expect((await here('stop')).out).toContain('0 streams added, 3 removed, 0 kept.')
  expect((await here('status')).out).toContain('is paused')
  expect((await here('resume')).out).toContain('3 streams added')
  const audit = (await here('audit', '--limit', '2')).out.trim().split('\n')
  expect(audit).toHaveLength(3)
  expect(audit[1]).toMatch(
    /^6 +\S+ +local +unix socket +recording +\+3 -0 streams +\{"state":"recording"\}$/,
  )
})

test('over the network with a token; a missing right and a missing ingestor have exit codes of their own', async () => {
  const there = ['--server', `http://127.0.0.1:${port}`, '--token', READ]
  expect((await booktape('status', ...there)).exit_code).toBe(0)
  const scale = await booktape('scale', '2', ...there)
  expect(scale.exit_code).toBe(1)
  expect(scale.err).toContain('lacks the scope "operate"')
  expect((await booktape('status', '--server', `http://127.0.0.1:${port}`)).err).toContain('401')
  expect((await booktape('status', '--server', `unix:${socket}`)).exit_code).toBe(0)
  ingestor.kill('SIGTERM')
  await ingestor.exited
  const gone = await here('status')
  expect(gone.exit_code).toBe(3)
  expect(gone.err).toContain('No ingestor answers at')
  expect((await booktape('status', ...there)).exit_code).toBe(3)
})
