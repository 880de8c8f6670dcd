/** booktape.py's stream: every trade once and in order, over restarts, cuts and other processes. */
import { spawn, type ChildProcess } from 'node:child_process'
import { createServer, connect, type Server, type Socket } from 'node:net'
import type { AddressInfo } from 'node:net'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { freePort } from '../../infra/local/ports.ts'
import type { LiveServer } from '../../ingestor/live/live-server.ts'
import { createStand, type Recording, type Stand } from '../ingestor/live/stand.ts'
import { hasPython, PYTHON, python } from '../support/python.ts'

const MODULE_DIR = fileURLToPath(new URL('../../edge-api/python/', import.meta.url))
const has_python = hasPython()

let stand: Stand
let recording: Recording
let live: LiveServer
let port: number
let cutter: { readonly url: string; readonly server: Server; cut(): void }
const startLive = (): Promise<LiveServer> =>
  stand.startLive({ LIVE_PORT: String(port), LIVE_HEARTBEAT_S: '1', LIVE_DRAIN_S: '0' })

/** Passes bytes on until it cuts every connection. */
async function openCutter(to: number): Promise<typeof cutter> {
  const sockets = new Set<Socket>()
  const server = createServer((inner) => {
    const outer = connect(to, '127.0.0.1')
    for (const [one, other] of [
      [inner, outer],
      [outer, inner],
    ] as const) {
      sockets.add(one)
      one.on('error', () => undefined)
      one.on('close', () => {
        sockets.delete(one)
        other.destroy()
      })
      one.pipe(other)
    }
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return { url, server, cut: () => sockets.forEach((socket) => socket.destroy()) }
}

beforeAll(async () => {
  if (!has_python) return
  stand = await createStand('one')
  recording = stand.recordings[0]!
  recording.startWriter()
  recording.trade(1)
  port = await freePort()
  live = await startLive()
  cutter = await openCutter(port)
})
afterAll(() => {
  cutter?.cut()
  cutter?.server.close()
})

const env = (): Record<string, string | undefined> => ({
  ...process.env,
  BOOKTAPE_URL: cutter.url,
  PYTHONPATH: MODULE_DIR,
  PYTHONDONTWRITEBYTECODE: '1',
})

/** Prints a line per trade: its id and the cursor after it. */
const READ = `import sys, booktape
with booktape.stream("trades", ["BTCUSDT", "ETHUSDT"], resume=sys.argv[1] or None) as messages:
    print("open", flush=True)
    for message in messages:
        for row in message["rows"]:
            print(message["symbol"], row["agg_trade_id"], messages.cursor, flush=True)`

class Reader {
  readonly child: ChildProcess
  readonly lines: string[][] = []

  constructor(resume = '') {
    this.child = spawn(PYTHON, ['-c', READ, resume], {
      env: env(),
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    createInterface({ input: this.child.stdout! }).on('line', (line) =>
      this.lines.push(line.split(' ')),
    )
  }

  ids(symbol: string): readonly number[] {
    return this.lines.filter(([name]) => name === symbol).map(([, id]) => Number(id))
  }

  get cursor(): string {
    return this.lines.at(-1)![2]!
  }

  async until(is_done: () => boolean): Promise<void> {
    await expect.poll(is_done).toBe(true)
  }
}

const range = (from: number, to: number): readonly number[] =>
  Array.from({ length: to - from }, (_, i) => from + i)

test.skipIf(!has_python)(
  'every trade arrives once, over cut connections and restarts (skipped without python3)',
  async () => {
    const reader = new Reader()
    // A trade that has been received shows that the stream is open.
    let first = 10
    await expect
      .poll(() => {
        recording.trade(first++)
        return reader.ids('BTCUSDT').length
      })
      .toBeGreaterThan(0)
    const from = reader.ids('BTCUSDT')[0]!
    let next = first
    for (let round = 0; round < 3; round++) {
      for (let i = 0; i < 50; i++) recording.trade(next++)
      recording.trade(1_000_000 + next, { symbol: 'ETHUSDT' })
      cutter.cut()
      for (let i = 0; i < 50; i++) recording.trade(next++)
      await reader.until(() => reader.ids('BTCUSDT').at(-1) === next - 1)
    }
    await live.stop()
    for (let i = 0; i < 50; i++) recording.trade(next++)
    live = await startLive()
    await reader.until(() => reader.ids('BTCUSDT').at(-1) === next - 1)
    expect(reader.ids('BTCUSDT')).toEqual(range(from, next))
    expect(reader.ids('ETHUSDT')).toHaveLength(3)

    const { cursor } = reader
    reader.child.kill('SIGKILL')
    const begun = next
    for (let i = 0; i < 30; i++) recording.trade(next++)
    const other = new Reader(cursor)
    await other.until(() => other.ids('BTCUSDT').at(-1) === next - 1)
    expect(other.ids('BTCUSDT')).toEqual(range(begun, next))
    other.child.kill()
  },
)

test.skipIf(!has_python)(
  'a cursor that cannot be resumed, and wrong names, are errors',
  async () => {
    const program = `import booktape
for channel, symbol, resume in (("trades", "BTCUSDT", "00000000-0000-4000-8000-000000000000:1:0"),
                                ("trades", "NOPE", None), ("trade", "BTCUSDT", None), ("trades", "BTCUSDT", "x")):
    try:
        next(booktape.stream(channel, symbol, resume=resume))
    except booktape.StreamError as error:
        print(error.code)`
    const printed = await python(['-c', program], env())
    expect(printed.trim().split('\n')).toEqual([
      'outdated_cursor',
      'unknown_symbol',
      'unknown_channel',
      'bad_cursor',
    ])
  },
)

test.skipIf(!has_python)('close() from another thread ends the iteration', async () => {
  const program = `import booktape, threading
messages = booktape.stream("trades", "BTCUSDT")
threading.Timer(0.5, messages.close).start()
print(len(list(messages)))`
  expect(await python(['-c', program], env())).toBe('0\n')
})
