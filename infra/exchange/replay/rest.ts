/**
 * REST answers from a recording: listings derived from its frames, recorded snapshots, and the
 * trades played until now. Other data have no answer.
 */
import type { Micros } from '#core/time.ts'
import { decimalsOf } from '#core/symbols.ts'
import type { SnapshotLedger } from '../ledger.ts'
import { createListing } from '../listing.ts'
import type {
  AggTradeRow,
  DepthSnapshot,
  Level,
  ListedMarket,
  PremiumIndexRow,
  RestSource,
  Ticker24hRow,
  TradeQuery,
  TradeRow,
} from '../source.ts'
import { parseObject, readFrame } from './frame.ts'
import { type RecordedTrade, RecordedTrades } from './recorded-trades.ts'
import { symbolOfPath, type RecordingLine, type RecordingSummary } from './recording.ts'

/** Snapshots kept over all symbols; later ones are not served. */
const SNAPSHOTS_MAX = 2_000
const DAY_MS = 24 * 3_600_000
const DEPTH_PATH = /^\/(?:f?api)\/v\d\/depth\?/

interface RecordedSnapshot {
  readonly ts: Micros
  readonly body: string
}

export class ReplayRest implements RestSource {
  readonly #snapshots = new Map<string, RecordedSnapshot[]>()
  readonly #given = new Set<RecordedSnapshot>()
  #snapshot_count = 0
  #listings: readonly ListedMarket[] = []
  readonly #agg_trades = new Map<string, RecordedTrades<AggTradeRow>>()
  readonly #trades = new Map<string, RecordedTrades<TradeRow>>()
  readonly #premium = new Map<string, PremiumIndexRow>()
  #position: Micros

  constructor(start: Micros) {
    this.#position = start
  }

  addSnapshot(line: Extract<RecordingLine, { kind: 'rest' }>): void {
    const symbol = symbolOfPath(line.path)
    if (!DEPTH_PATH.test(line.path) || symbol === undefined) return
    if (this.#snapshot_count === SNAPSHOTS_MAX) return
    this.#snapshot_count += 1
    append(this.#snapshots, symbol, { ts: line.ts, body: line.data })
  }

  setListings(summaries: readonly RecordingSummary[]): void {
    const steps = new Map<string, { price: number; qty: number }>()
    for (const summary of summaries) {
      for (const [symbol, { tick_size, step_size }] of Object.entries(summary.steps)) {
        const known = steps.get(symbol) ?? { price: 0, qty: 0 }
        steps.set(symbol, {
          price: Math.max(known.price, decimalsOf(tick_size)),
          qty: Math.max(known.qty, decimalsOf(step_size)),
        })
      }
    }
    this.#listings = [...steps].map(([symbol, { price, qty }]) => createListing(symbol, price, qty))
  }

  moveTo(position: Micros): void {
    this.#position = position
  }

  /** Keeps a trade or mark price for later requests; ignores other frames. */
  note(text: string): void {
    const frame = readFrame(text)
    if (frame === undefined) return
    const { symbol, payload } = frame
    if (payload['e'] === 'aggTrade') historyOf(this.#agg_trades, symbol).add(aggTrade(payload))
    if (payload['e'] === 'trade') historyOf(this.#trades, symbol).add(fill(payload))
    if (payload['e'] === 'markPriceUpdate') this.#premium.set(symbol, premiumRow(symbol, payload))
  }

  nowMs(): number {
    return Math.floor(this.#position / 1_000)
  }

  listings(): readonly ListedMarket[] {
    return this.#listings
  }

  /** The next recorded snapshot (a client buffers updates until it has one), else the last. */
  depth(symbol: string, limit: number): DepthSnapshot | undefined {
    const snapshots = this.#snapshots.get(symbol)
    const chosen = snapshots?.find(({ ts }) => ts >= this.#position) ?? snapshots?.at(-1)
    const body = chosen && parseObject(chosen.body)
    if (body === undefined) return undefined
    this.#given.add(chosen!)
    const levels = (side: unknown): readonly Level[] =>
      Array.isArray(side) ? (side.slice(0, limit) as readonly Level[]) : []
    return {
      lastUpdateId: Number(body['lastUpdateId']),
      E: Number(body['E']),
      T: Number(body['T']),
      bids: levels(body['bids']),
      asks: levels(body['asks']),
    }
  }

  snapshots(): SnapshotLedger {
    const of_symbols = [...this.#snapshots.values()]
    const left = of_symbols.filter((recorded) => !recorded.some((one) => this.#given.has(one)))
    return {
      recorded_count: this.#snapshot_count,
      given_count: this.#given.size,
      symbols_left_count: left.length,
    }
  }

  aggTrades(symbol: string, query: TradeQuery): readonly AggTradeRow[] {
    return this.#agg_trades.get(symbol)?.select(query) ?? []
  }

  trades(symbol: string, query: TradeQuery): readonly TradeRow[] {
    return this.#trades.get(symbol)?.select(query) ?? []
  }

  /** Covers the trades played until now. */
  ticker24h(symbol: string): Ticker24hRow | undefined {
    if (!this.#listings.some((listing) => listing.symbol === symbol)) return undefined
    const closeTime = this.nowMs()
    const openTime = closeTime - DAY_MS
    const played = [
      ...(this.#agg_trades.get(symbol)?.rows() ?? []).map(({ p, q, T }) => ({
        price: p,
        qty: q,
        time: T,
      })),
      ...(this.#trades.get(symbol)?.rows() ?? []),
    ].filter(({ time }) => time >= openTime)
    const volume = played.reduce((sum, { qty }) => sum + Number(qty), 0)
    const quote_volume = played.reduce(
      (sum, { price, qty }) => sum + Number(price) * Number(qty),
      0,
    )
    return {
      symbol,
      lastPrice: played.at(-1)?.price ?? '0',
      volume: volume.toFixed(3),
      quoteVolume: quote_volume.toFixed(2),
      openTime,
      closeTime,
      count: played.length,
    }
  }

  premiumIndex(symbol: string): PremiumIndexRow | undefined {
    return this.#premium.get(symbol)
  }
}

function historyOf<Row>(
  histories: Map<string, RecordedTrades<Row>>,
  symbol: string,
): RecordedTrades<Row> {
  let history = histories.get(symbol)
  if (history === undefined) histories.set(symbol, (history = new RecordedTrades()))
  return history
}

function append<Row>(lists: Map<string, Row[]>, key: string, row: Row): void {
  const list = lists.get(key)
  if (list === undefined) lists.set(key, [row])
  else list.push(row)
}

type Payload = Readonly<Record<string, unknown>>

function aggTrade(payload: Payload): RecordedTrade<AggTradeRow> {
  const row = aggTradeRow(payload)
  return { id: row.a, time_ms: row.T, first_fill: row.f, last_fill: row.l, row }
}

/** The exchange's REST API omits trades of the insurance fund and of auto-deleveraging. */
function fill(payload: Payload): RecordedTrade<TradeRow> {
  const row = tradeRow(payload)
  const fills = { first_fill: row.id, last_fill: row.id }
  return { id: row.id, time_ms: row.time, ...fills, row: isMarketTrade(payload) ? row : undefined }
}

function aggTradeRow({ a, p, q, nq, f, l, T, m }: Payload): AggTradeRow {
  const non_rpi = typeof nq === 'string' ? { nq } : {}
  const range = { f: Number(f), l: Number(l) }
  return {
    a: Number(a),
    p: String(p),
    q: String(q),
    ...non_rpi,
    ...range,
    T: Number(T),
    m: m === true,
  }
}

function isMarketTrade({ X, p, q }: Payload): boolean {
  return (X === undefined || X === 'MARKET') && Number(p) > 0 && Number(q) > 0
}

function tradeRow({ t, p, q, T, m }: Payload): TradeRow {
  return {
    id: Number(t),
    price: String(p),
    qty: String(q),
    quoteQty: String(Number((Number(p) * Number(q)).toFixed(8))),
    time: Number(T),
    isBuyerMaker: m === true,
  }
}

function premiumRow(symbol: string, { p, i, P, r, T, E }: Payload): PremiumIndexRow {
  return {
    symbol,
    markPrice: String(p),
    indexPrice: String(i),
    estimatedSettlePrice: String(P),
    lastFundingRate: String(r),
    nextFundingTime: Number(T),
    time: Number(E),
  }
}
