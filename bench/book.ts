/**
 * Measures diffs per second through the book code on one core, and compares it with two simple
 * books: sorted arrays with one splice per level, and a Map that is searched for its best level
 * after each diff. Every book reads its best bid and ask after each diff. The lower bound is a Map
 * that is never read.
 *
 *   npm run bench:book                  generated diffs, with the level counts of BTCUSDT
 *   FEEDS_DIR=... npm run bench:book    the recording: 6,547 diffs on 2,000 levels
 *
 * It also measures sequence checks plus book. bench/parse.ts measures parsing.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { OrderBook } from '#core/book.ts'
import { type DepthChange, takeDiff, takeSnapshot, unsyncedBook } from '#core/book-sync.ts'
import type { Level } from '#core/market.ts'
import { micros } from '#core/time.ts'
import { createRandom } from '../infra/exchange/sim/random.ts'
import { parseFrame } from '../ingestor/exchanges/binance-futures/parse.ts'
import { parseRest } from '../ingestor/exchanges/binance-futures/rest.ts'

const RUN_MS = 10_000
const ROUNDS_MIN = 3
/** Levels of the generated book; that of the recording ends with 9,596 over both sides. */
const SIDE_LEVELS = 6_000
const FOLDER = 'binance-usdm-btcusdt-20240808'

interface Feed {
  readonly name: string
  readonly snapshot: DepthChange
  readonly diffs: readonly DepthChange[]
}

/** Applies the whole feed once. All ways must return the same sum. */
type Way = (feed: Feed) => number

const feeds_dir = process.env['FEEDS_DIR']
const feed =
  feeds_dir === undefined ? makeFeed() : readFeed(join(feeds_dir, FOLDER, 'feed.ndjson.gz'))
const level_count = feed.diffs.reduce((sum, { bids, asks }) => sum + bids.length + asks.length, 0)
print(`${feed.name}: ${feed.diffs.length} diffs, ${level_count} levels`)
const ways: Readonly<Record<string, Way>> = {
  'book and sequence': throughSync,
  'book alone': throughBook,
  'sorted arrays': throughArrays,
  map: throughMaps,
}
const unread = { 'map, never read': throughUnreadMaps }
const sums = new Set(Object.values(ways).map((way) => way(feed)))
if (sums.size > 1) throw new Error(`The books differ: ${[...sums].join(', ')}.`)
const rates = bestRates({ ...ways, ...unread })
const ours = rates.get('book and sequence')!
print(`  ${'way'.padEnd(18)} ${'diffs/s'.padStart(10)} ${'levels/s'.padStart(12)} ours over it`)
for (const [name, per_s] of rates) {
  const levels_per_s = (per_s * level_count) / feed.diffs.length
  const figures = `${whole(per_s).padStart(10)} ${whole(levels_per_s).padStart(12)}`
  print(`  ${name.padEnd(18)} ${figures} ${(ours / per_s).toFixed(2).padStart(13)}`)
}

function throughSync({ snapshot, diffs }: Feed): number {
  let [state] = takeSnapshot(unsyncedBook(), snapshot)
  let sum = 0
  for (const diff of diffs) {
    ;[state] = takeDiff(state, diff)
    if (state.kind === 'syncing') throw new Error('The feed is not in sequence.')
    sum += state.book.bids.priceAt(0) + state.book.asks.priceAt(0)
  }
  return sum
}

function throughBook({ snapshot, diffs }: Feed): number {
  const book = new OrderBook()
  book.replace(snapshot)
  let sum = 0
  for (const diff of diffs) {
    book.apply(diff)
    sum += book.bids.priceAt(0) + book.asks.priceAt(0)
  }
  return sum
}

/** Pairs, best first: bisection finds the index, and a splice inserts or removes. */
function throughArrays({ snapshot, diffs }: Feed): number {
  const sides = [
    { sign: -1, levels: snapshot.bids.map(([price, qty]) => [price, qty] as [number, number]) },
    { sign: 1, levels: snapshot.asks.map(([price, qty]) => [price, qty] as [number, number]) },
  ] as const
  for (const { sign, levels } of sides) levels.sort(([a], [b]) => sign * (a - b))
  let sum = 0
  for (const diff of diffs) {
    for (const [price, qty] of diff.bids) setSorted(sides[0].levels, -1, price, qty)
    for (const [price, qty] of diff.asks) setSorted(sides[1].levels, 1, price, qty)
    sum += sides[0].levels[0]![0] + sides[1].levels[0]![0]
  }
  return sum
}

function setSorted(levels: [number, number][], sign: 1 | -1, price: number, qty: number): void {
  let low = 0
  let high = levels.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (sign * levels[middle]![0] < sign * price) low = middle + 1
    else high = middle
  }
  const is_there = levels[low]?.[0] === price
  if (qty === 0) {
    if (is_there) levels.splice(low, 1)
  } else if (is_there) levels[low]![1] = qty
  else levels.splice(low, 0, [price, qty])
}

function throughMaps({ snapshot, diffs }: Feed): number {
  const bids = new Map(snapshot.bids)
  const asks = new Map(snapshot.asks)
  let sum = 0
  for (const diff of diffs) {
    applyTo(bids, diff.bids)
    applyTo(asks, diff.asks)
    let best_bid = -Infinity
    let best_ask = Infinity
    for (const price of bids.keys()) if (price > best_bid) best_bid = price
    for (const price of asks.keys()) if (price < best_ask) best_ask = price
    sum += best_bid + best_ask
  }
  return sum
}

function throughUnreadMaps({ snapshot, diffs }: Feed): number {
  const bids = new Map(snapshot.bids)
  const asks = new Map(snapshot.asks)
  for (const diff of diffs) {
    applyTo(bids, diff.bids)
    applyTo(asks, diff.asks)
  }
  return bids.size + asks.size
}

function applyTo(side: Map<number, number>, levels: readonly Level[]): void {
  for (const [price, qty] of levels) {
    if (qty === 0) side.delete(price)
    else side.set(price, qty)
  }
}

/** Diffs per second, best round of each; rounds alternate, so that all see the same machine. */
function bestRates(all: Readonly<Record<string, Way>>): ReadonlyMap<string, number> {
  const best = new Map<string, number>()
  const started_ms = performance.now()
  for (let round = 0; round < ROUNDS_MIN || performance.now() - started_ms < RUN_MS; round++) {
    for (const [name, way] of Object.entries(all)) {
      const round_ms = performance.now()
      way(feed)
      const per_s = (feed.diffs.length / (performance.now() - round_ms)) * 1_000
      best.set(name, Math.max(per_s, best.get(name) ?? 0))
    }
  }
  return best
}

/** The diffs that the snapshot does not contain. */
function readFeed(path: string): Feed {
  const changes = gunzipSync(readFileSync(path))
    .toString('utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as { t: string; path: string; data: string })
    .flatMap(parseLine)
  const snapshot = changes.find(({ depth_kind }) => depth_kind === 'snapshot')
  if (snapshot === undefined) throw new Error(`${path} has no snapshot.`)
  const diffs = changes.filter(
    (change) => change.depth_kind === 'diff' && change.final_update_id >= snapshot.final_update_id,
  )
  return { name: 'BTCUSDT, recorded', snapshot, diffs }
}

function parseLine({ t, path, data }: { t: string; path: string; data: string }) {
  const choice = { channels: ['depth_events'], trade_stream: 'aggTrade' } as const
  const ts_ingest = micros(1_723_161_256_000_000)
  const parsed =
    t === 'rest'
      ? parseRest(path, data, ts_ingest, choice)
      : t === 'ws' && data.includes('@depth')
        ? parseFrame(Buffer.from(data), ts_ingest, choice)
        : undefined
  return parsed?.kind === 'events' ? parsed.events.filter((event) => event.kind === 'depth') : []
}

/** Most changes are near the best level; 68 levels per diff, as in the recording. */
function makeFeed(): Feed {
  const random = createRandom(1)
  const mid = 60_000
  const place = (sign: 1 | -1): number => {
    const ticks = 1 + Math.floor(400 * Math.log(1 - random()) ** 2)
    return Math.round((mid + sign * ticks * 0.1) * 10) / 10
  }
  const levels = (sign: 1 | -1, count: number, empty_share: number): readonly Level[] =>
    Array.from({ length: count }, () => [place(sign), random() < empty_share ? 0 : 1 + random()])
  const side = (sign: 1 | -1): readonly Level[] => [
    ...new Map([[mid + sign * 0.1, 1] as const, ...levels(sign, SIDE_LEVELS, 0)]),
  ]
  const snapshot = changeOf(0, side(-1), side(1))
  const diffs = Array.from({ length: 6_547 }, (_, index) => ({
    ...changeOf(index + 1, levels(-1, 34, 0.4), levels(1, 34, 0.4)),
    first_update_id: index + 1,
    prev_final_update_id: index,
  }))
  return { name: 'made up', snapshot, diffs }
}

function changeOf(id: number, bids: readonly Level[], asks: readonly Level[]): DepthChange {
  const ids = { first_update_id: null, final_update_id: id, prev_final_update_id: null }
  return { ts_exchange: micros(1_700_000_000_000_000 + id), ...ids, bids, asks }
}

function whole(value: number): string {
  return Math.round(value).toLocaleString('en')
}

function print(line: string): void {
  process.stdout.write(`${line}\n`)
}
