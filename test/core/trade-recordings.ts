/** Reads the trades of the recordings in FEEDS_DIR, as `depth-recordings.ts` reads their depth. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { decimalOf } from '#core/decimals.ts'
import { type Micros, micros } from '#core/time.ts'
import { FEEDS_DIR } from './depth-recordings.ts'

export interface RecordedTrade {
  readonly ts: Micros
  readonly price: number
  readonly qty: number
  readonly is_buyer_maker: boolean
  readonly id: number
}

/** A Binance trade: T is in milliseconds; m: the buyer was the maker. */
interface TradeWire {
  readonly s: string
  readonly T: number
  readonly p: string
  readonly q: string
  readonly m: boolean
  readonly a?: number
  readonly t?: number
}

/** Folders of FEEDS_DIR with a recording of Binance that has trades; none without FEEDS_DIR. */
export function recordingsWithTrades(): readonly string[] {
  if (FEEDS_DIR === undefined) return []
  const folders = readdirSync(FEEDS_DIR).filter((name) => /^binance-(?:usdm|spot)-/.test(name))
  return folders.filter((folder) => recordedTrades(folder).size > 0)
}

/** By symbol, in the order of (ts, id), each trade once. */
export function recordedTrades(folder: string): ReadonlyMap<string, readonly RecordedTrade[]> {
  const packed = readFileSync(join(FEEDS_DIR!, folder, 'feed.ndjson.gz'))
  const by_symbol = new Map<string, Map<string, RecordedTrade>>()
  for (const line of gunzipSync(packed).toString('utf8').split('\n')) {
    const entry = line === '' ? undefined : (JSON.parse(line) as { t: string; data: string })
    if (entry?.t !== 'ws') continue
    const { stream, data } = JSON.parse(entry.data) as { stream: string; data: TradeWire }
    if (!/@(?:agg)?trade/i.test(stream)) continue
    const trade = {
      ts: micros(data.T * 1_000),
      price: Number(data.p),
      qty: Number(data.q),
      is_buyer_maker: data.m,
      id: data.a ?? data.t!,
    }
    const trades = by_symbol.get(data.s) ?? new Map<string, RecordedTrade>()
    by_symbol.set(data.s, trades.set(`${trade.ts} ${trade.id}`, trade))
  }
  return new Map(
    [...by_symbol].map(([symbol, trades]) => {
      return [symbol, [...trades.values()].toSorted((a, b) => a.ts - b.ts || a.id - b.id)]
    }),
  )
}

/** The greatest power of ten of which all prices are multiples. */
export function tickOf(trades: readonly RecordedTrade[]): number {
  return stepOf(trades.map(({ price }) => price))
}

export function stepOf(values: readonly number[]): number {
  const digits = values.reduce((most, value) => Math.max(most, decimalOf(value).digits), 0)
  return Number(`1e-${digits}`)
}
