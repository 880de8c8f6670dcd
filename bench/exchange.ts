/**
 * Measures the exchange server's throughput: the simulator at full speed over one socket per route,
 * with the reader in this process and the server in its own; then the recordings of FEEDS_DIR in
 * the same way. Run: node bench/exchange.ts [seconds]
 */
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { WebSocket } from 'ws'

interface Server {
  readonly child: ChildProcess
  readonly url: string
  readonly ws_url: string
}

const seconds = Number(process.argv[2] ?? 10)
const results = [await benchSimulator(seconds), ...(await benchReplay())]
process.stdout.write(`${results.map((result) => JSON.stringify(result)).join('\n')}\n`)

async function benchSimulator(duration_s: number): Promise<unknown> {
  const server = await start({
    EXCHANGE_SOURCE: 'sim',
    EVENTS_PER_S: '1000000',
    SLOW_CLIENT: 'wait',
  })
  const info = (await (await fetch(`${server.url}/fapi/v1/exchangeInfo`)).json()) as {
    symbols: { symbol: string }[]
  }
  const names = info.symbols.map(({ symbol }) => symbol.toLowerCase())
  const quotes = await listen(
    server,
    'public',
    names.map((name) => `${name}@bookTicker`),
  )
  const trades = await listen(
    server,
    'market',
    names.map((name) => `${name}@aggTrade`),
  )
  await sleep(1_000)
  const before = { frames: quotes.frame_count() + trades.frame_count(), cpu_s: cpuSeconds(server) }
  const started = performance.now()
  await sleep(duration_s * 1_000)
  const elapsed_s = (performance.now() - started) / 1_000
  const frame_count = quotes.frame_count() + trades.frame_count() - before.frames
  const cpu_s = cpuSeconds(server) - before.cpu_s
  await stop(server)
  return {
    bench: 'simulator, 200 symbols, bookTicker and aggTrade',
    frames_per_s: Math.round(frame_count / elapsed_s),
    frames_per_cpu_s: Math.round(frame_count / cpu_s),
    server_cpu_share: Number((cpu_s / elapsed_s).toFixed(2)),
  }
}

async function benchReplay(): Promise<readonly unknown[]> {
  const file = join(process.env['FEEDS_DIR'] ?? '', 'binance-usdm-btcusdt-20240808/feed.ndjson.gz')
  if (!existsSync(file)) return []
  const server = await start({ EXCHANGE_SOURCE: 'replay', RECORDINGS: JSON.stringify([file]) })
  const names = ['btcusdt@bookTicker', 'btcusdt@trade', 'btcusdt@depth']
  const reader = await listen(server, 'public', names)
  const started = performance.now()
  await fetch(`${server.url}/_exchange/replay/start`, { method: 'POST' })
  let state = ''
  while (state !== 'done') {
    await sleep(20)
    const answer = await fetch(`${server.url}/_exchange/status`)
    state = ((await answer.json()) as { state: string }).state
  }
  const elapsed_s = (performance.now() - started) / 1_000
  await stop(server)
  const frames_per_s = Math.round(reader.frame_count() / elapsed_s)
  return [
    {
      bench: 'replay of BTCUSDT 2024-08-08 at full speed',
      frame_count: reader.frame_count(),
      frames_per_s,
    },
  ]
}

async function start(env: Readonly<Record<string, string>>): Promise<Server> {
  const entry = fileURLToPath(new URL('../infra/exchange/main.ts', import.meta.url))
  const child = spawn(process.execPath, [entry], {
    env: { PATH: process.env['PATH'] ?? '', LOG_LEVEL: 'error', ...env },
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  })
  const [ready] = (await once(child, 'message')) as [{ url: string; ws_url: string }]
  return { child, ...ready }
}

async function stop({ child }: Server): Promise<void> {
  child.kill('SIGTERM')
  await once(child, 'exit')
}

async function listen(
  { ws_url }: Server,
  route: string,
  streams: readonly string[],
): Promise<{ frame_count(): number }> {
  let frame_count = 0
  const socket = new WebSocket(`${ws_url}/${route}/stream?streams=${streams.join('/')}`, {
    skipUTF8Validation: true,
  })
  socket.on('message', () => {
    frame_count += 1
  })
  // The server's exit closes the socket.
  socket.on('error', () => undefined)
  await once(socket, 'open')
  return { frame_count: () => frame_count }
}

/** User and system time of the server, from /proc, in ticks of 10 ms. */
function cpuSeconds({ child }: Server): number {
  const stat = readFileSync(`/proc/${child.pid}/stat`, 'utf8')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11]) + Number(fields[12])) / 100
}
