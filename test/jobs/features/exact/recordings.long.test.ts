/**
 * Compares every column of features_1s and labels_1s of the recordings in FEEDS_DIR, bit for bit,
 * with rationals of the texts that the exchange sent. A small parser reads the recordings; it
 * shares nothing with the exchange adapters.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { FEATURES_1S, LABELS_1S } from '#core/features.ts'
import { DAY_US, SECOND_US } from '#core/time.ts'
import { BTC, FEEDS_DIR, FIVE_COINS, SPOT } from '../../../core/depth-recordings.ts'
import { build, expectExact, randomFit, secondsOf } from './build.ts'
import type { Book, Chain, Market, Quote, Side, Trade } from './market.ts'

const SEED = Number(process.env['SEED'] ?? Math.floor(Math.random() * 2 ** 31))

type Texts = readonly (readonly [string, string])[]

/** The parts of frames and REST answers that the columns need. */
interface Wire {
  readonly s: string
  readonly u: number
  readonly pu?: number
  readonly U: number
  readonly T?: number
  readonly E: number
  readonly b: string & Texts
  readonly B: string
  readonly a: string & Texts
  readonly A: string
  readonly p: string
  readonly q: string
  readonly m: boolean
  readonly X?: string
  readonly lastUpdateId: number
  readonly bids: Texts
  readonly asks: Texts
}

/** What was received of one symbol, in order. */
interface Received {
  readonly quotes: (Quote & { readonly update_id: number })[]
  readonly trades: Trade[]
  readonly diffs: Wire[]
  snapshot: Wire | undefined
}

function read(folder: string): ReadonlyMap<string, Received> {
  const symbols = new Map<string, Received>()
  const of = (symbol: string): Received => {
    const known = symbols.get(symbol) ?? { quotes: [], trades: [], diffs: [], snapshot: undefined }
    symbols.set(symbol, known)
    return known
  }
  const text = gunzipSync(readFileSync(join(FEEDS_DIR ?? '', folder, 'feed.ndjson.gz'))).toString(
    'utf8',
  )
  for (const line of text.split('\n').filter(Boolean)) {
    const entry = JSON.parse(line) as { t: string; path?: string; data: string }
    if (entry.t === 'rest') {
      const symbol = new URLSearchParams(entry.path?.split('?')[1]).get('symbol') ?? ''
      of(symbol).snapshot = JSON.parse(entry.data) as Wire
    }
    if (entry.t !== 'ws') continue
    const { stream, data } = JSON.parse(entry.data) as { stream: string; data: Wire }
    const ts = (data.T ?? data.E) * 1_000
    const [, channel = ''] = stream.split('@')
    if (channel === 'depth') of(data.s).diffs.push(data)
    if (channel === 'bookTicker') {
      const [bid, ask] = [sideOf(data.b, data.B), sideOf(data.a, data.A)]
      of(data.s).quotes.push({ ts, bid, ask, update_id: data.u })
    }
    const is_trade = channel === 'trade' || channel === 'aggTrade'
    if (is_trade && Number(data.q) > 0 && (data.X ?? 'MARKET') === 'MARKET') {
      of(data.s).trades.push({ ts, price: data.p, qty: data.q, is_sell: data.m })
    }
  }
  return symbols
}

const sideOf = (price: string, qty: string): Side | undefined =>
  Number(qty) > 0 ? { price, qty } : undefined

/** A level with quantity 0 leaves the book. */
const sidesOf = (levels: Texts): readonly Side[] =>
  levels.map(([price, qty]) => ({ price, qty: Number(qty) === 0 ? '0' : qty }))

const bookOf = (bids: Texts, asks: Texts): Book => ({ bids: sidesOf(bids), asks: sidesOf(asks) })

/** The market from its first whole second, at most to the end of that day. */
function marketOf({ quotes, trades, diffs, snapshot }: Received): Market {
  const chain = chainOf(diffs, snapshot)
  const ordered = quotes.toSorted((a, b) => a.ts - b.ts || a.update_id - b.update_id)
  const first = Math.min(
    ...[ordered[0], trades[0], chain.updates[0]].map((event) => event?.ts ?? Infinity),
  )
  const start = Math.floor(first / SECOND_US) * SECOND_US
  const end = Math.min(
    (Math.floor(start / DAY_US) + 1) * DAY_US,
    Math.max(...trades.map(({ ts }) => ts)),
  )
  const seconds = Math.floor((end - start) / SECOND_US)
  const within = <T extends { readonly ts: number }>(events: readonly T[]): readonly T[] =>
    events
      .filter(({ ts }) => ts < start + seconds * SECOND_US)
      .map((event) => ({ ...event, ts: event.ts - start }))
  return {
    seconds,
    tick: '0.1',
    quotes: within(ordered),
    quote_gaps: [],
    trades: within(trades),
    trade_gaps: [],
    marks: [],
    liquidations: [],
    chains: chain.updates.length === 0 ? [] : [{ ...chain, updates: within(chain.updates) }],
  }
}

/** By Binance's procedure: changes that the snapshot already includes are skipped. */
function chainOf(diffs: readonly Wire[], snapshot: Wire | undefined): Chain {
  if (snapshot === undefined) return { snapshot: { bids: [], asks: [] }, updates: [] }
  const { lastUpdateId } = snapshot
  // Spot compares with the next id, futures with the snapshot's own id.
  const first_id = diffs[0]?.pu === undefined ? lastUpdateId + 1 : lastUpdateId
  return {
    snapshot: bookOf(snapshot.bids, snapshot.asks),
    updates: diffs
      .filter(({ u }) => u >= first_id)
      .map(({ T, E, b, a }) => ({ ts: (T ?? E) * 1_000, ...bookOf(b, a) })),
  }
}

/** Columns that no recording fills, and columns that need quotes. */
const OF_MARKS = /^(mark|index|funding|liquidation)_/
const OF_QUOTES =
  /^(mid|best|(bid|ask)_qty$|spread|weighted|i1$|ofi|quote|realised|bipower|kyle|microprice|forward)/

for (const [folder, unrecorded] of [
  [BTC, [OF_MARKS]],
  [FIVE_COINS, [OF_MARKS]],
  [SPOT, [OF_MARKS, OF_QUOTES]],
] as const) {
  test.skipIf(FEEDS_DIR === undefined)(
    `${folder}: every value of features and labels (needs FEEDS_DIR; seed ${SEED})`,
    async () => {
      const totals: Record<string, number> = {}
      for (const received of read(folder).values()) {
        const market = marketOf(received)
        const fit = randomFit(
          SEED,
          market,
          Math.max(...market.trades.map(({ qty }) => Number(qty))),
        )
        const day = await build(market, 'features_1s', fit)
        const { rows, labels } = secondsOf(market, fit)
        const counts = {
          ...expectExact(day.columns, rows, FEATURES_1S),
          ...expectExact(day.labels!, labels, LABELS_1S),
        }
        for (const [name, count] of Object.entries(counts))
          totals[name] = (totals[name] ?? 0) + count
      }
      for (const [name, count] of Object.entries(totals)) {
        const is_recorded = !unrecorded.some((names) => names.test(name))
        if (is_recorded) expect(count, `values of ${name}`).toBeGreaterThan(100)
        else expect(count, `values of ${name}`).toBe(0)
      }
    },
  )
}
