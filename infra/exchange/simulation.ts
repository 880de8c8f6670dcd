/** A simulated market as the exchange server's source. It runs in real time and answers REST. */
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises'
import type { Hub, Topic } from './protocol/hub.ts'
import type { RestSource, Source, SourceStatus } from './source.ts'
import { BybitBoard } from './bybit/board.ts'
import { IndexBoard } from './sim/index-board.ts'
import { ListingBoard } from './sim/listing-board.ts'
import { listedSymbols, namedSymbols, UNIVERSE_SIZE } from './sim/listings.ts'
import { Market } from './sim/market.ts'
import { FUTURES_STYLE, type PayloadStyle } from './sim/payloads.ts'

export interface SimulationOptions {
  /** The same seed and clock give the same market. */
  readonly seed: number
  /** The first N symbols of the simulated universe, or these names. */
  readonly symbols: number | readonly string[]
  /** Mean number of bookTicker and aggTrade frames a second, over all symbols. */
  readonly events_per_s: number
  /** Trades kept for REST over all symbols; about 100 bytes each. */
  readonly history_trades_max?: number
  /** Milliseconds since 1970; must never decrease. */
  readonly clock?: () => number
  /** Default: Binance USD-M. */
  readonly style?: PayloadStyle
}

export const SYMBOL_COUNT_MAX = UNIVERSE_SIZE

const HISTORY_TRADES_MAX = 1_000_000
/** Time between two steps: too short to notice, long enough to be cheap. */
const TICK_MS = 4
/** Actions before the event loop serves the sockets. */
const STEPS_PER_TURN_MAX = 1_000
/** If the machine cannot keep up, the market skips time instead of falling further behind. */
const LAG_MAX_MS = 1_000

/** Monotonic, unlike Date.now. */
const machineClock = (): number => performance.timeOrigin + performance.now()

export function createSimulation(options: SimulationOptions, hub: Hub): Source {
  const { symbols, clock = machineClock } = options
  const simulated = typeof symbols === 'number' ? listedSymbols(symbols) : namedSymbols(symbols)
  const market = new Market(
    {
      seed: options.seed,
      symbols: simulated,
      events_per_s: options.events_per_s,
      history_trades_max: options.history_trades_max ?? HISTORY_TRADES_MAX,
      start_ms: clock(),
      style: options.style ?? FUTURES_STYLE,
    },
    hub,
  )
  const listings = simulated.map(({ listing }) => listing)
  const indexes = new IndexBoard(market, listings, hub)
  const board = new ListingBoard(market, simulated, hub)
  const bybit = new BybitBoard(market, hub)
  const rest: RestSource = {
    nowMs: () => market.now_ms,
    listings: () => board.listings(),
    depth: (symbol, limit) => market.find(symbol)?.depth(limit, market.now_ms),
    aggTrades: (symbol, query) => market.find(symbol)?.aggTrades(query) ?? [],
    trades: (symbol, query) => market.find(symbol)?.trades(query) ?? [],
    premiumIndex: (symbol) => market.find(symbol)?.premiumIndex(),
    ticker24h: (symbol) => market.find(symbol)?.ticker24h(market.now_ms),
  }
  const stopping = new AbortController()
  let state: SourceStatus['state'] = 'waiting'
  let running = Promise.resolve()

  const run = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      const now_ms = clock()
      if (now_ms - market.now_ms > LAG_MAX_MS) market.skipTo(now_ms)
      const is_current = market.advance(now_ms, STEPS_PER_TURN_MAX)
      indexes.publish()
      hub.flush()
      await hub.room()
      await (is_current ? sleep(TICK_MS) : nextTurn())
    }
  }
  return {
    rest,
    indexes,
    topicsOf(stream): readonly Topic[] {
      const special = indexes.topicOf(stream) ?? board.topicOf(stream) ?? bybit.topicOf(stream)
      return special === undefined ? market.topicsOf(stream) : [special]
    },
    openingFrame: (stream) => bybit.openingFrame(stream),
    start() {
      state = 'playing'
      running = run()
    },
    status: () => ({
      source: 'sim',
      state,
      frames_published: hub.published_count,
      frames_total: null,
      error: null,
    }),
    rollCall: () => market.rollCall(),
    changeListing: (change) => board.change(change),
    async stop() {
      stopping.abort()
      await running
      await hub.empty()
      // Slow clients count too: wait until they have read what was sent.
      await hub.settled()
      state = 'done'
    },
  }
}
