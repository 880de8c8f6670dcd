/** `npx booktape monitor`, `start --server` and the like against a running ingestor. */
import { type ChildProcess, execFile, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import type { StatusView } from '../../../ingestor/control/view.ts'
import { type ExchangeServer, startExchange } from '../../../infra/exchange/server.ts'
import { ask } from '../../ingestor/control/support.ts'
import { type IngestorProcess, startIngestor, until } from '../../ingestor/support.ts'
import { temporaryDirectory } from '../../ingestor/writer/support.ts'
import { createTestDatabase } from '../../support/database.ts'
import { atFileEnd } from '../../support/file-end.ts'

const MAIN = join(import.meta.dirname, '../../../infra/cli/main.ts')
const data_dir = temporaryDirectory()
const socket = join(data_dir, 'tape', 'control.sock')
const has_script = spawnSync('script', ['--version']).status === 0

let exchange: ExchangeServer
let env: Readonly<Record<string, string>>
let ingestor: IngestorProcess

beforeAll(async () => {
  const symbols = ['BTCUSDT', 'ETHUSDT', 'SOLUSDT']
  const source = { kind: 'sim', seed: 4, symbols, events_per_s: 200 } as const
  exchange = await startExchange({ port: 0, source })
  atFileEnd(() => exchange.stop())
  const { url } = await createTestDatabase()
  env = {
    DATABASE_URL: url,
    TAPE_DIR: join(data_dir, 'tape'),
    EXCHANGE_WS_URL: exchange.ws_url,
    EXCHANGE_REST_URL: exchange.url,
    SYMBOLS: 'BTCUSDT,ETHUSDT',
    CHANNELS: 'book_ticker,trades',
  }
  ingestor = startIngestor(env)
  await ingestor.ready
})

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

interface Watching {
  readonly child: ChildProcess
  readonly out: () => string
  readonly err: () => string
  readonly exit_code: Promise<number | null>
}

function watch(command: string, ...args: readonly string[]): Watching {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] })
  atFileEnd(() => child.kill('SIGKILL'))
  let out = ''
  let err = ''
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => (out += chunk))
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => (err += chunk))
  const exit_code = once(child, 'exit').then(([code]) => code as number | null)
  return { child, out: () => out, err: () => err, exit_code }
}

const monitor = (...args: readonly string[]): Watching =>
  watch(process.execPath, MAIN, 'monitor', '--data-dir', data_dir, ...args)

test('summary is a sentence, and the duration of a watch is kept', async () => {
  const { exit_code, out } = await booktape('summary', '--data-dir', data_dir)
  expect(exit_code).toBe(0)
  expect(out).toMatch(/^local \(binance-futures\) is live; 4 of 4 streams are heard; .*\.\n$/)
  const watching = monitor('--duration', '1')
  expect(await watching.exit_code).toBe(0)
  expect(watching.out().split('\n')[0]).toMatch(
    /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ {2}live {2}.* streams 4\/4 {2}books 0\/0 {2}open gaps 0$/,
  )
})

test('a change is seen at once by who watches, as a line or as JSON; SIGINT ends it', async () => {
  const lines = monitor()
  const json = monitor('--json')
  await until('both watch', () => lines.out() !== '' && json.out() !== '')
  expect((await booktape('stop', '--data-dir', data_dir)).exit_code).toBe(0)
  await until('the pause is seen', () => /Z {2}paused {2}.* streams 0\/4/.test(lines.out()))
  await until('the pause is seen as JSON', () => json.out().includes('"state":"paused"'))
  const start = ['start', '--server', socket, '--symbols', 'BTCUSDT,SOLUSDT']
  const planned = await booktape(...start, '--dry-run')
  expect(planned.out).toContain('symbols added   SOLUSDT')
  const started = await booktape(...start, '--json')
  expect(started.exit_code).toBe(0)
  const actions = started.out
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { wanted: object })
  expect(actions.map(({ wanted }) => wanted)).toMatchObject([
    { symbols: ['BTCUSDT', 'SOLUSDT'], recording: 'paused' },
    { symbols: ['BTCUSDT', 'SOLUSDT'], recording: 'recording' },
  ])
  await until('it is live again', () => lines.out().trimEnd().split('\n').at(-1)!.includes('live'))
  for (const { child } of [lines, json]) child.kill('SIGINT')
  expect([await lines.exit_code, await json.exit_code]).toEqual([0, 0])
  for (const line of json.out().trimEnd().split('\n')) {
    expect((JSON.parse(line) as StatusView).ingestor.ingestor_id).toBe('local')
  }
})

test('reset records what the environment says, and an old ETag is refused', async () => {
  const { headers } = await ask(socket, '/status')
  const etag = String(headers['etag'])
  const reset = await booktape('reset', '--if-match', etag, '--data-dir', data_dir)
  expect(reset.out).toContain('symbols added   ETHUSDT')
  const late = await booktape('scale', '1', '--if-match', etag, '--data-dir', data_dir)
  expect(late).toMatchObject({
    exit_code: 1,
    err: expect.stringContaining('Somebody else changed it.'),
  })
})

for (const [args, message] of [
  [['start', '--json'], '--json needs --server'],
  [['start', '--server', 'x', '--feed', 'live'], '--feed does not go with --server'],
  [['symbols', 'add'], "missing required argument 'symbols'"],
  [['symbols', 'throw', 'BTCUSDT'], "unknown command 'throw'"],
  [['monitor', '--duration', 'long'], 'Expected a whole number'],
  [['symbols', 'add', 'NO SUCH', '--data-dir', data_dir], 'The ingestor answers 400'],
] as const) {
  test(`wrong use: ${args.slice(0, 3).join(' ')}`, async () => {
    expect(await booktape(...args)).toMatchObject({
      exit_code: 2,
      err: expect.stringContaining(message),
    })
  })
}

describe.skipIf(!has_script)(
  'on a terminal (skipped where there is no `script` to make one)',
  () => {
    test('the view is drawn in place and names what is watched', async () => {
      const command = `${process.execPath} ${MAIN} monitor --data-dir ${data_dir} --duration 2`
      const watching = watch('script', '--quiet', '--return', '--command', command, '/dev/null')
      expect(await watching.exit_code).toBe(0)
      expect(watching.out()).toContain('\u001B[2J\u001B[H')
      expect(watching.out()).toMatch(/local \(binance-futures\) is live[^]*Ctrl-C ends this view/)
    })
  },
)

test('an ingestor that goes and comes back is watched on; one that is gone at the end is code 3', async () => {
  const watching = monitor()
  await until('it watches', () => watching.out() !== '')
  ingestor.kill('SIGKILL')
  await until('the loss is told', () => watching.err().includes('Disconnected.'))
  const before = watching.out().length
  ingestor = startIngestor(env)
  await ingestor.ready
  await until('it is seen again', () => /Z {2}live /.test(watching.out().slice(before)))
  ingestor.kill('SIGTERM')
  await ingestor.exited
  const told = watching.err().length
  await until('the end is told', () => watching.err().length > told)
  watching.child.kill('SIGINT')
  expect(await watching.exit_code).toBe(3)
  const { exit_code, err } = await booktape('monitor', '--duration', '1', '--data-dir', data_dir)
  expect({ exit_code, err }).toMatchObject({
    exit_code: 3,
    err: expect.stringContaining('No ingestor answers'),
  })
})
