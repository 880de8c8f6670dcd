/**
 * Measures how many frames per second one thread parses into events: the whole adapter, its JSON
 * path alone, and JSON.parse without reading any field. Frames come from the recordings in
 * FEEDS_DIR.
 *
 *   FEEDS_DIR=... node bench/parse.ts
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { micros } from '#core/time.ts'
import type { StreamChoice } from '../ingestor/exchanges/adapter.ts'
import { binance_futures } from '../ingestor/exchanges/binance-futures/adapter.ts'
import { parseFrame } from '../ingestor/exchanges/binance-futures/parse.ts'

const ROUND_COUNT = 7

const feeds_dir = process.env['FEEDS_DIR']
if (feeds_dir === undefined) throw new Error('Set FEEDS_DIR to the folder of the recordings.')

const BTC = 'binance-usdm-btcusdt-20240808'
const COINS = 'binance-usdm-5coins-20210405'

run('bookTicker and trade, BTCUSDT 2024', ['bookTicker', 'trade'], BTC)
run('bookTicker and aggTrade, 5 coins 2021', ['bookTicker', 'aggTrade'], COINS)
run('depthUpdate, BTCUSDT 2024', ['depthUpdate'], BTC)
run('depthUpdate, 5 coins 2021', ['depthUpdate'], COINS)

function run(title: string, event_types: readonly string[], folder: string): void {
  const frames = readFrames(join(feeds_dir!, folder, 'feed.ndjson.gz'), event_types)
  const trade_stream = event_types.includes('trade') ? 'trade' : 'aggTrade'
  const choice: StreamChoice = { channels: ['book_ticker', 'trades', 'depth_events'], trade_stream }
  const now = micros(1_723_161_256_000_000)
  const rates = {
    adapter: (frame: Buffer) => binance_futures.parse(frame, now, choice),
    json_path: (frame: Buffer) => parseFrame(frame, now, choice),
    json_parse_only: (frame: Buffer) => JSON.parse(frame.toString('utf8')) as unknown,
  }
  print(`${title}: ${frames.length} frames`)
  for (const [name, parse] of Object.entries(rates)) {
    const per_s = Math.round(bestRate(frames, parse)).toLocaleString('en')
    print(`  ${name.padEnd(16)} ${per_s} frames/s`)
  }
}

/** The best of several rounds, because other load on the machine disturbs some of them. */
function bestRate(frames: readonly Buffer[], parse: (frame: Buffer) => unknown): number {
  let best = 0
  for (let round = 0; round < ROUND_COUNT; round++) {
    const started_ms = performance.now()
    for (const frame of frames) parse(frame)
    best = Math.max(best, (frames.length / (performance.now() - started_ms)) * 1_000)
  }
  return best
}

function readFrames(path: string, event_types: readonly string[]): Buffer[] {
  const wanted = new RegExp(`"e":"(?:${event_types.join('|')})"`)
  return gunzipSync(readFileSync(path))
    .toString('utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as { t: string; data: string })
    .filter((line) => line.t === 'ws' && wanted.test(line.data))
    .map((line) => Buffer.from(line.data))
}

function print(line: string): void {
  process.stdout.write(`${line}\n`)
}
