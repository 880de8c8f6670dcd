/**
 * Reads the depth of the recordings in FEEDS_DIR, with a small parser that is independent of the
 * exchange adapters.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import type { DepthChange } from '#core/book-sync.ts'
import type { Level } from '#core/market.ts'
import { micros } from '#core/time.ts'

export const FEEDS_DIR = process.env['FEEDS_DIR']
export const BTC = 'binance-usdm-btcusdt-20240808'
export const FIVE_COINS = 'binance-usdm-5coins-20210405'
export const SPOT = 'binance-spot-3coins-20210405'

export type DepthLine =
  | { readonly kind: 'diff' | 'snapshot'; readonly symbol: string; readonly change: DepthChange }
  | { readonly kind: 'quote'; readonly symbol: string; readonly quote: Quote }

export interface Quote {
  readonly update_id: number
  readonly bid: Level
  readonly ask: Level
}

interface QuoteWire {
  readonly s: string
  readonly u: number
  readonly b: string
  readonly B: string
  readonly a: string
  readonly A: string
}

interface Wire {
  readonly e?: string
  readonly s: string
  readonly E?: number
  readonly T?: number
  readonly U: number
  readonly u: number
  readonly pu?: number
  readonly b: readonly (readonly [string, string])[]
  readonly a: readonly (readonly [string, string])[]
  readonly lastUpdateId: number
  readonly bids: Wire['b']
  readonly asks: Wire['a']
}

/** Diffs, snapshots and quotes in the order of their arrival. */
export function depthLines(folder: string): readonly DepthLine[] {
  const packed = readFileSync(join(FEEDS_DIR ?? '', folder, 'feed.ndjson.gz'))
  return gunzipSync(packed)
    .toString('utf8')
    .split('\n')
    .flatMap((line) => (line === '' ? [] : readLine(line)))
}

function readLine(line: string): readonly DepthLine[] {
  const entry = JSON.parse(line) as { t: string; ts: number; path?: string; data: string }
  if (entry.t === 'rest') {
    const symbol = new URLSearchParams(entry.path?.split('?')[1]).get('symbol') ?? ''
    return [
      { kind: 'snapshot', symbol, change: readSnapshot(JSON.parse(entry.data) as Wire, entry.ts) },
    ]
  }
  if (entry.t !== 'ws') return []
  const { stream } = JSON.parse(entry.data) as { stream: string }
  if (stream.includes('@depth')) {
    const { data } = JSON.parse(entry.data) as { data: Wire }
    return [{ kind: 'diff', symbol: data.s, change: readDiff(data) }]
  }
  if (!stream.endsWith('@bookTicker')) return []
  const { data } = JSON.parse(entry.data) as { data: QuoteWire }
  return [{ kind: 'quote', symbol: data.s, quote: readQuote(data) }]
}

function readSnapshot(wire: Wire, received_us: number): DepthChange {
  return {
    ts_exchange: micros(wire.T === undefined ? received_us : wire.T * 1_000),
    first_update_id: null,
    final_update_id: wire.lastUpdateId,
    prev_final_update_id: null,
    bids: levels(wire.bids),
    asks: levels(wire.asks),
  }
}

function readDiff(wire: Wire): DepthChange {
  return {
    ts_exchange: micros((wire.T ?? wire.E ?? 0) * 1_000),
    first_update_id: wire.U,
    final_update_id: wire.u,
    prev_final_update_id: wire.pu ?? null,
    bids: levels(wire.b),
    asks: levels(wire.a),
  }
}

function readQuote(wire: QuoteWire): Quote {
  return {
    update_id: wire.u,
    bid: [Number(wire.b), Number(wire.B)],
    ask: [Number(wire.a), Number(wire.A)],
  }
}

function levels(wire: Wire['b']): readonly Level[] {
  return wire.map(([price, qty]) => [Number(price), Number(qty)] as const)
}
