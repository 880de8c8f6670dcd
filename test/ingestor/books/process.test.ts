/**
 * The ingestor as a process and its books: a recording of five coins over a real socket, with
 * lines of one coin dropped and swapped. The whole form with faults at random is chaos/books.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync, gzipSync } from 'node:zlib'
import { afterAll, expect, test } from 'vitest'
import type { Pool } from '#core/node/pool.ts'
import { type ExchangeServer, startExchange } from '../../../infra/exchange/server.ts'
import { type DepthLine, depthLines, FEEDS_DIR, FIVE_COINS } from '../../core/depth-recordings.ts'
import { createTestDatabase } from '../../support/database.ts'
import { type IngestorProcess, startIngestor, until } from '../support.ts'
import { temporaryDirectory } from '../writer/support.ts'

/** Recorded seconds per real second. */
const SPEED = 10
/** The exchange's later snapshots of the victim's book: one every so many diffs. */
const SNAPSHOT_EVERY_DIFFS = 25
const LEVELS_COMPARED = 300

const exchanges: ExchangeServer[] = []
afterAll(() => Promise.all(exchanges.map((exchange) => exchange.stop())))

async function open(source: Parameters<typeof startExchange>[0]['source']) {
  const exchange = await startExchange({ port: 0, source })
  exchanges.push(exchange)
  const { url, pool } = await createTestDatabase()
  const ingestor = startIngestor({
    DATABASE_URL: url,
    TAPE_DIR: join(temporaryDirectory(), 'tape'),
    EXCHANGE_WS_URL: exchange.ws_url,
    EXCHANGE_REST_URL: exchange.url,
    CHANNELS: 'book_ticker,depth_events',
    DEPTH_SYMBOLS: 'all',
    DEPTH_SNAPSHOT_S: '0',
  })
  return { exchange, pool, ingestor }
}

test.skipIf(FEEDS_DIR === undefined)(
  'diffs of one coin dropped and swapped: only it is lost and recovers correctly, and the gaps are in the ledger (FEEDS_DIR names the recording)',
  async () => {
    const recording = readRecording()
    const { victim, damaged, gaps, dropped } = damage(recording)
    const file = join(temporaryDirectory(), 'damaged.ndjson.gz')
    writeFileSync(file, gzipSync(damaged.join('\n')))
    const { exchange, pool, ingestor } = await open({ kind: 'replay', files: [file], speed: SPEED })
    await ingestor.ready
    exchange.startReplay()
    const synced = await watchBooks(ingestor, () => exchange.status().state === 'done')
    await ingestor.drain()
    await until('the status is up to date', () => ingestor.status()?.books_lost === 3)
    expect(ingestor.status()).toMatchObject({ books: 5, books_synced: 5, books_lost: 3 })
    // Once all were in sequence, never fewer than four.
    expect(Math.min(...synced.slice(synced.indexOf(5)))).toBeGreaterThan(3)

    const stored = await pool.query(
      `select symbol, from_id::float8, to_id::float8, cause from marketdata.gaps g
     join marketdata.symbols s on s.id = g.symbol_id where channel = 'depth_events' order by from_id`,
    )
    expect(stored.rows).toEqual(gaps.map((gap) => ({ symbol: victim, ...gap, cause: 'sequence' })))
    const counts = await depthCounts(pool)
    for (const [symbol, own] of bySymbol()) {
      const diff_count = own.filter((line) => line.kind === 'diff').length
      const is_victim = symbol === victim
      expect(counts.get(symbol)?.diff, symbol).toBe(is_victim ? diff_count - dropped : diff_count)
      // Requested once at the start and once after each gap that was not filled.
      expect(counts.get(symbol)?.snapshot, symbol).toBe(is_victim ? 3 : 1)
    }
    const books = await storedBooks(pool)
    for (const [symbol, own] of bySymbol()) {
      expect(books.get(symbol), symbol).toEqual(bestOf(replay(own)))
    }
    ingestor.kill('SIGTERM')
    expect(await ingestor.exited).toBe(0)
  },
)

test('one symbol of a simulated market misses a diff: only its book is lost, and recovers', async () => {
  const { exchange, pool, ingestor } = await open({
    kind: 'sim',
    seed: 5,
    symbols: 5,
    events_per_s: 500,
  })
  await ingestor.ready
  await until('all books are in sequence', () => ingestor.status()?.books_synced === 5)
  expect(ingestor.status()?.books_lost).toBe(0)
  const { rows } = await pool.query<{ symbol: string }>(
    `select symbol from marketdata.symbols s
     where exists (select from marketdata.depth_events where symbol_id = s.id) order by symbol`,
  )
  const victim = rows[2]!.symbol
  exchange.setFaults({
    faults: [{ kind: 'drop', streams: `${victim.toLowerCase()}@depth*`, count_max: 1 }],
  })
  const synced = await watchBooks(
    ingestor,
    () => ingestor.status()?.books_lost === 1 && ingestor.status()?.books_synced === 5,
  )
  expect(Math.min(...synced)).toBeGreaterThan(3)
  await ingestor.drain()
  const counts = await depthCounts(pool)
  expect([...counts].map(([symbol, { snapshot }]) => [symbol, snapshot])).toEqual(
    rows.map(({ symbol }) => [symbol, symbol === victim ? 2 : 1]),
  )
  const gaps = await pool.query(
    `select symbol, cause, (select count(*)::int from marketdata.depth_events d where d.symbol_id = g.symbol_id
       and final_update_id > from_id and final_update_id < to_id and depth_kind = 'diff') as inside
     from marketdata.gaps g join marketdata.symbols s on s.id = g.symbol_id`,
  )
  expect(gaps.rows).toEqual([{ symbol: victim, cause: 'sequence', inside: 0 }])
  ingestor.kill('SIGTERM')
  expect(await ingestor.exited).toBe(0)
})

/** How many books were in sequence at each status, until `isOver`. */
async function watchBooks(
  ingestor: IngestorProcess,
  isOver: () => boolean,
): Promise<readonly number[]> {
  const seen: number[] = []
  let last: unknown
  await until('the books have seen it all', () => {
    const status = ingestor.status()
    if (status !== undefined && status !== last) seen.push(status.books_synced)
    last = status
    return isOver()
  })
  return seen
}

interface RecordedLine {
  readonly text: string
  /** Undefined for lines without depth. */
  readonly depth: Exclude<DepthLine, { kind: 'quote' }> | undefined
  readonly ts: number
}

/** The file's lines with their depth, if any. */
function readRecording(): readonly RecordedLine[] {
  const packed = readFileSync(join(FEEDS_DIR!, FIVE_COINS, 'feed.ndjson.gz'))
  const texts = gunzipSync(packed)
    .toString('utf8')
    .split('\n')
    .filter((line) => line !== '')
  const depth = depthLines(FIVE_COINS).filter((line) => line.kind !== 'quote')
  let next = 0
  return texts.map((text) => {
    const { t, ts, data } = JSON.parse(text) as { t: string; ts: number; data?: string }
    const is_depth = t === 'rest' || (t === 'ws' && data!.slice(0, 60).includes('@depth'))
    return { text, ts, depth: is_depth ? depth[next++] : undefined }
  })
}

function bySymbol(): ReadonlyMap<string, readonly DepthLine[]> {
  return Map.groupBy(
    depthLines(FIVE_COINS).filter((line) => line.kind !== 'quote'),
    (line) => line.symbol,
  )
}

/**
 * For the coin with the most diffs: one diff is dropped, two are swapped, three in a row are
 * dropped. The exchange's later snapshots are inserted in between, each with the book at that line.
 */
function damage(recording: readonly RecordedLine[]) {
  const symbols = [...bySymbol()].toSorted(([, a], [, b]) => b.length - a.length)
  const [victim, own_depth] = symbols[0]!
  const own = recording.flatMap(({ depth }, at) =>
    depth?.kind === 'diff' && depth.symbol === victim ? [at] : [],
  )
  const idAt = (index: number): number => recording[own[index]!]!.depth!.change!.final_update_id
  const [one, swapped, three] = [0.3, 0.5, 0.75].map((share) => Math.floor(own.length * share)) as [
    number,
    number,
    number,
  ]
  const gone = new Set([one, three, three + 1, three + 2].map((index) => own[index]!))
  const lines = recording.flatMap((line, at) => {
    if (gone.has(at)) return []
    if (at === own[swapped]) return [recording[own[swapped + 1]!]!.text]
    if (at === own[swapped + 1]) return [recording[own[swapped]!]!.text]
    const index = own.indexOf(at)
    if (index <= 0 || index % SNAPSHOT_EVERY_DIFFS > 0) return [line.text]
    return [line.text, snapshotLine(victim, own_depth, line)]
  })
  const gap = (before: number, after: number) => ({ from_id: idAt(before), to_id: idAt(after) })
  const gaps = [gap(one - 1, one + 1), gap(swapped - 1, swapped + 1), gap(three - 1, three + 3)]
  return { victim, damaged: lines, gaps, dropped: gone.size }
}

function snapshotLine(symbol: string, own: readonly DepthLine[], line: RecordedLine): string {
  const until_id = line.depth!.change.final_update_id
  const [bids, asks] = replay(own, until_id).map((side) =>
    [...side].map((level) => level.map(String)),
  )
  const ts_ms = line.depth!.change.ts_exchange / 1_000
  const data = JSON.stringify({ lastUpdateId: until_id, E: ts_ms, T: ts_ms, bids, asks })
  return JSON.stringify({
    t: 'rest',
    ts: line.ts,
    path: `/fapi/v1/depth?symbol=${symbol}&limit=1000`,
    data,
  })
}

type Sides = readonly [bids: ReadonlyMap<number, number>, asks: ReadonlyMap<number, number>]

/** Without our code: the recorded snapshot, and every diff that is not older. */
function replay(own: readonly DepthLine[], until_id = Infinity): Sides {
  const changes = own.flatMap((line) => (line.kind === 'quote' ? [] : [line]))
  const { change: snapshot } = changes.find(({ kind }) => kind === 'snapshot')!
  const diffs = changes.filter(({ kind }) => kind === 'diff').map(({ change }) => change)
  return build(
    snapshot,
    diffs.filter((diff) => diff.final_update_id <= until_id),
  )
}

function build(
  snapshot: { final_update_id: number } & Changes,
  diffs: readonly ({ final_update_id: number } & Changes)[],
): Sides {
  const sides = [new Map(snapshot.bids), new Map(snapshot.asks)] as const
  for (const diff of diffs) {
    if (diff.final_update_id < snapshot.final_update_id) continue
    for (const [side, levels] of [
      [sides[0], diff.bids],
      [sides[1], diff.asks],
    ] as const) {
      for (const [price, qty] of levels) {
        if (qty === 0) side.delete(price)
        else side.set(price, qty)
      }
    }
  }
  const sort = (side: ReadonlyMap<number, number>, sign: 1 | -1) =>
    new Map([...side].toSorted(([a], [b]) => sign * (b - a)))
  return [sort(sides[0], 1), sort(sides[1], -1)]
}

interface Changes {
  readonly bids: readonly (readonly [number, number])[]
  readonly asks: readonly (readonly [number, number])[]
}

function bestOf(sides: Sides): unknown {
  return sides.map((side) => [...side].slice(0, LEVELS_COMPARED))
}

/** Each symbol's book from its newest snapshot and the diffs since, from the tables. */
async function storedBooks(pool: Pool): Promise<ReadonlyMap<string, unknown>> {
  const { rows } = await pool.query<
    { symbol: string; kind: string; final_update_id: number } & Changes
  >(
    `select symbol, depth_kind as kind, final_update_id::float8, bids, asks
     from marketdata.depth_events d join marketdata.symbols s on s.id = symbol_id
     order by symbol, final_update_id`,
  )
  const books = new Map<string, unknown>()
  for (const [symbol, own] of Map.groupBy(rows, (row) => row.symbol)) {
    const snapshot = own.findLast(({ kind }) => kind === 'snapshot')!
    books.set(
      symbol,
      bestOf(
        build(
          snapshot,
          own.filter(({ kind }) => kind === 'diff'),
        ),
      ),
    )
  }
  return books
}

async function depthCounts(
  pool: Pool,
): Promise<ReadonlyMap<string, { readonly diff: number; readonly snapshot: number }>> {
  const { rows } = await pool.query<{ symbol: string; diff: number; snapshot: number }>(
    `select symbol, (count(*) filter (where depth_kind = 'diff'))::int as diff,
       (count(*) filter (where depth_kind = 'snapshot'))::int as snapshot
     from marketdata.depth_events join marketdata.symbols s on s.id = symbol_id group by 1 order by 1`,
  )
  return new Map(rows.map(({ symbol, ...counts }) => [symbol, counts]))
}
