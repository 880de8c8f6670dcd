/**
 * All streams that a session of the follower has seen: their sequence state, their rows in the
 * current batch, and which streams the batch has touched.
 */
import type { Channel, GapCause, MarketEvent } from '#core/market.ts'
import type { Exchange } from '#core/symbols.ts'
import { RAW_TABLES } from '#core/tables.ts'
import type { Micros } from '#core/time.ts'
import type { ExchangeAdapter, StreamChoice } from '../exchanges/adapter.ts'
import type { SymbolChannel } from '../tape/record.ts'
import { expire } from './losses.ts'
import type { GapBounds } from './gap-bounds.ts'
import type { MarkPrices } from './mark-prices.ts'
import type { RepeatWatch } from './repeats.ts'
import { RowBuffer } from './row-buffer.ts'
import { hasEnded, type StreamState, UNHEARD } from './sequence-state.ts'

export interface StreamKey {
  readonly exchange: Exchange
  readonly symbol: string
  readonly channel: Channel
}

/** The last event of a stream at the end of a batch: a row of marketdata.stream_offsets. */
export interface StreamOffset extends StreamKey {
  /** Null if the stream was subscribed and had no event. */
  readonly last_id: number | null
  /** The last fill of that event; null if the exchange does not number fills. */
  readonly last_fill_id: number | null
  readonly ts_exchange: Micros
  readonly ts_ingest: Micros
  readonly began_ts: Micros
  readonly deaf_cause: GapCause | null
  readonly lost_ts: Micros | null
  readonly lost_at: Micros | null
  /** The socket that continues from it. Null: any. */
  readonly connection: number | null
}

/** The open gaps of all streams. */
export interface LossReport {
  readonly count: number
  /** When the oldest was noticed, by our clock; null if there is none. */
  readonly oldest_at: Micros | null
  /** The OPEN_NAMES_MAX oldest, for people: "BTCUSDT trades (disconnect)". */
  readonly names: readonly string[]
}

export const NO_LOSSES: LossReport = { count: 0, oldest_at: null, names: [] }

const OPEN_NAMES_MAX = 5

/** One stream's part of a batch. */
export interface StreamBatch extends StreamKey {
  /**
   * Valid until the stream is touched again; undefined for index prices, which have no raw table.
   */
  readonly rows: RowBuffer | undefined
  /** Undefined for a stream without a mark and without an event. */
  readonly offset: StreamOffset | undefined
}

export interface StreamEntry extends StreamKey {
  state: StreamState | undefined
  readonly rows: RowBuffer | undefined
  /** Set from the first mark price on. */
  mark_prices: MarkPrices | undefined
  /** The times of the last book update since the subscription. */
  last_change: Pick<MarketEvent, 'ts_exchange' | 'ts_ingest'> | undefined
  /** Set from the first event without an exchange time on. */
  repeats: RepeatWatch | undefined
  touched: boolean
}

export class StreamTable {
  readonly #streams = new Map<Exchange, Map<Channel, Map<string, StreamEntry>>>()
  /** The streams of the last event's exchange and channel. */
  #last: Map<string, StreamEntry> | undefined
  #last_exchange: Exchange | undefined
  #last_channel: Channel | undefined
  #touched: StreamEntry[] = []
  /** Streams with events that wait for older ones. */
  readonly #waiting = new Set<StreamEntry>()

  constructor(offsets: readonly StreamOffset[]) {
    for (const { exchange, symbol, channel, ...offset } of offsets) {
      const { deaf_cause, lost_ts, lost_at, last_fill_id, connection, ...position } = offset
      const stream = this.of(exchange, symbol, channel)
      const loss = lost_ts === null || lost_at === null ? undefined : { lost_ts, lost_at }
      stream.state = {
        ...position,
        last_id: offset.last_id ?? UNHEARD,
        last_fill: last_fill_id ?? undefined,
        connection: connection ?? undefined,
        deaf_cause: deaf_cause ?? undefined,
        loss,
        ahead: undefined,
      }
      if (offset.last_id !== null) stream.last_change = offset
    }
  }

  of(exchange: Exchange, symbol: string, channel: Channel): StreamEntry {
    const found = this.#symbolsOf(exchange, channel)?.get(symbol)
    if (found !== undefined) return found
    const rows = channel === 'prices' ? undefined : new RowBuffer(RAW_TABLES[channel])
    const stream: StreamEntry = {
      exchange,
      symbol,
      channel,
      state: undefined,
      rows,
      mark_prices: undefined,
      last_change: undefined,
      repeats: undefined,
      touched: false,
    }
    const channels = this.#streams.get(exchange) ?? new Map<Channel, Map<string, StreamEntry>>()
    this.#streams.set(exchange, channels)
    const symbols = channels.get(channel) ?? new Map<string, StreamEntry>()
    channels.set(channel, symbols)
    symbols.set(symbol, stream)
    return stream
  }

  /** Most events are of the channel of the one before. */
  #symbolsOf(exchange: Exchange, channel: Channel): Map<string, StreamEntry> | undefined {
    if (this.#last_exchange === exchange && this.#last_channel === channel) return this.#last
    const symbols = this.#streams.get(exchange)?.get(channel)
    if (symbols === undefined) return undefined
    this.#last = symbols
    this.#last_exchange = exchange
    this.#last_channel = channel
    return symbols
  }

  *all(): Iterable<StreamEntry> {
    for (const channels of this.#streams.values()) {
      for (const symbols of channels.values()) yield* symbols.values()
    }
  }

  lostStreams(): LossReport {
    const open = [...this.all()].flatMap(({ symbol, channel, state }) => {
      if (state?.deaf_cause === undefined || hasEnded(state)) return []
      const lost_at = state.loss?.lost_at ?? state.ts_ingest
      return { name: `${symbol} ${channel} (${state.deaf_cause})`, lost_at }
    })
    open.sort((a, b) => a.lost_at - b.lost_at)
    return {
      count: open.length,
      oldest_at: open[0]?.lost_at ?? null,
      names: open.slice(0, OPEN_NAMES_MAX).map(({ name }) => name),
    }
  }

  *named(exchange: Exchange, names: readonly SymbolChannel[]): Iterable<StreamEntry> {
    for (const { symbol, channel } of names) {
      const stream = this.#streams.get(exchange)?.get(channel)?.get(symbol)
      if (stream !== undefined) yield stream
    }
  }

  /** Finds a stream by the exchange's name for it; undefined if no event or mark had it. */
  findByName(
    adapter: ExchangeAdapter,
    name: string | undefined,
    choice: StreamChoice,
  ): StreamEntry | undefined {
    const met = [...this.all()].filter((stream) => stream.exchange === adapter.exchange)
    const symbols = [...new Set(met.map((stream) => stream.symbol))]
    const named = adapter.groups(adapter.ws_url, symbols, choice).flatMap((group) => group.streams)
    const found = named.find((stream) => stream.name === name)
    return met.find(({ symbol, channel }) => symbol === found?.symbol && channel === found.channel)
  }

  touch(stream: StreamEntry): void {
    if (stream.touched) return
    stream.touched = true
    stream.rows?.clear()
    this.#touched.push(stream)
  }

  watch(stream: StreamEntry): void {
    if (stream.state?.ahead !== undefined) this.#waiting.add(stream)
  }

  *expire(now: Micros): Iterable<[StreamEntry, readonly GapBounds[]]> {
    for (const stream of this.#waiting) {
      const gaps = stream.state === undefined ? [] : expire(stream.state, now)
      if (gaps.length > 0) {
        this.touch(stream)
        yield [stream, gaps]
      }
      if (stream.state?.ahead === undefined) this.#waiting.delete(stream)
    }
  }

  take(): readonly StreamBatch[] {
    const batch = this.#touched.map((stream) => {
      const { exchange, symbol, channel, rows } = stream
      stream.touched = false
      return { exchange, symbol, channel, rows, offset: offsetOf(stream) }
    })
    this.#touched = []
    return batch
  }
}

function offsetOf({ exchange, symbol, channel, state }: StreamEntry): StreamOffset | undefined {
  if (state === undefined) return undefined
  const { ts_exchange, ts_ingest, began_ts, deaf_cause, loss } = state
  return {
    exchange,
    symbol,
    channel,
    last_id: state.last_id === UNHEARD ? null : state.last_id,
    last_fill_id: state.last_fill ?? null,
    ts_exchange,
    ts_ingest,
    began_ts,
    deaf_cause: deaf_cause ?? null,
    lost_ts: loss?.lost_ts ?? null,
    lost_at: loss?.lost_at ?? null,
    connection: state.connection ?? null,
  }
}
