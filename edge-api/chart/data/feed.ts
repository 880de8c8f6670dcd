/**
 * The live stream of one instrument: trades, book and gaps. The stream itself resumes without a
 * hole after a lost connection (openLive). What was traded before the first live trade comes from
 * the API: it is asked until its answer has that trade too, so between the two nothing is missing.
 */
import type { OrderBook } from '#core/book.ts'
import { type GapRow, LiveError, openLive } from '../../client/live.ts'
import { readToken } from '../view/token.ts'
import { Refusal } from './api.ts'
import { bookAfter } from './live-book.ts'
import type { Instrument } from './instrument.ts'
import { marketNow } from './market-clock.ts'
import { MINUTE_US, Minutes } from './minutes.ts'
import { askTrades, compareTrades, type Trade, tradeOf } from './trades.ts'

export type FeedState =
  | { readonly kind: 'connecting' }
  | { readonly kind: 'live' }
  | { readonly kind: 'reconnecting' }
  /** It will not come back by itself. */
  | { readonly kind: 'off'; readonly reason: string; readonly needs_token: boolean }

export interface FeedEvents {
  onState(state: FeedState): void
  /** Trades, the book or the minutes changed. */
  onChange(): void
  onGap(row: GapRow): void
  /** Trades arrived that belong to a bar of the API. */
  onLate(trade: Trade): void
  /** What was here before is no longer to be trusted. */
  onRestart(): void
  /** Undefined: the request succeeded. */
  onError(error: Refusal | undefined): void
}

const TAPE_MAX = 2_000
const RETRY_MS = 1_500
/** Asking again would give the same answer, but beginning anew would not. */
export const BEGIN_ANEW: ReadonlySet<string> = new Set([
  'outdated_cursor',
  'future_cursor',
  'bad_cursor',
])

export class Feed {
  readonly #instrument: Instrument
  readonly #events: FeedEvents
  readonly #stop = new AbortController()
  /** Newest last. */
  readonly tape: Trade[] = []
  /** Undefined while no book is known. */
  book: OrderBook | undefined
  minutes: Minutes | undefined
  /** Live trades that wait for what was before them. */
  #pending: Trade[] = []
  #arrived: (() => void) | undefined

  constructor(instrument: Instrument, events: FeedEvents) {
    this.#instrument = instrument
    this.#events = events
    void this.#run()
  }

  close(): void {
    this.#stop.abort()
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop
    while (!signal.aborted) {
      const attempt = new AbortController()
      this.#events.onState({ kind: 'connecting' })
      void this.#join(AbortSignal.any([signal, attempt.signal]))
      try {
        await this.#follow()
      } catch (error) {
        if (!(error instanceof LiveError)) throw error
        if (!BEGIN_ANEW.has(error.code)) {
          const needs_token = error.code.startsWith('token_') || error.code === 'scope_missing'
          this.#events.onState({ kind: 'off', reason: error.message, needs_token })
          return
        }
      } finally {
        attempt.abort()
      }
      this.minutes = undefined
      this.book = undefined
      this.#pending = []
      this.#events.onRestart()
    }
  }

  async #follow(): Promise<void> {
    const { exchange, symbol } = this.#instrument
    const token = readToken()
    const live = openLive({
      url: location.origin,
      ...(token === undefined ? {} : { token }),
      channels: ['trades', 'book', 'gaps'],
      symbols: [symbol],
      exchange,
      signal: this.#stop.signal,
      onConnection: (is_open) => {
        this.#events.onState({ kind: is_open ? 'live' : 'reconnecting' })
      },
    })
    for await (const message of live) {
      if (message.type === 'skipped') continue
      if (message.type === 'book') this.book = bookAfter(this.book, message)
      else if (message.channel === 'gaps') for (const row of message.rows) this.#events.onGap(row)
      else if (message.channel === 'trades') this.#takeTrades(message.rows.map(tradeOf))
      this.#events.onChange()
    }
  }

  #takeTrades(trades: readonly Trade[]): void {
    this.#keep(trades)
    if (this.minutes !== undefined) return this.#fold(this.minutes, trades)
    this.#pending.push(...trades)
    this.#arrived?.()
  }

  #fold(minutes: Minutes, trades: readonly Trade[]): void {
    for (const trade of trades) if (!minutes.add(trade)) this.#events.onLate(trade)
  }

  #keep(trades: readonly Trade[]): void {
    this.tape.push(...trades)
    if (this.tape.length > 2 * TAPE_MAX) this.tape.splice(0, this.tape.length - TAPE_MAX)
  }

  /** Closes what is between the API's trades and the first live one. */
  async #join(signal: AbortSignal): Promise<void> {
    const now = marketNow()
    const from = now - (now % MINUTE_US) - MINUTE_US
    const before = new Map<string, Trade>()
    const isJoined = (): boolean => this.#pending.some((trade) => before.has(keyOf(trade)))
    let begin = from
    for (;;) {
      const end = Math.max(marketNow(), ...this.#pending.map(({ ts }) => ts + 1))
      try {
        const found = await askTrades(this.#instrument, begin, end, signal)
        for (const trade of found) before.set(keyOf(trade), trade)
        begin = found.at(-1)?.ts ?? begin
        this.#events.onError(undefined)
      } catch (error) {
        if (signal.aborted) return
        if (!(error instanceof Refusal)) throw error
        this.#events.onError(error)
      }
      if (this.minutes === undefined && this.tape.length === 0) this.#keep([...before.values()])
      this.#events.onChange()
      if (isJoined()) break
      await pause(RETRY_MS, signal)
      while (this.#pending.length === 0 && !signal.aborted) await this.#arrival(signal)
      if (signal.aborted) return
    }
    const pending = this.#pending.filter((trade) => !before.has(keyOf(trade)))
    this.#pending = []
    this.minutes = new Minutes(from)
    this.#fold(this.minutes, [...before.values(), ...pending].toSorted(compareTrades))
    this.#events.onChange()
  }

  #arrival(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      this.#arrived = resolve
      signal.addEventListener('abort', () => resolve(), { once: true })
    })
  }
}

const keyOf = ({ ts, id }: Trade): string => `${ts} ${id}`

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms)
    signal.addEventListener('abort', () => {
      clearTimeout(timer)
      resolve()
    })
  })
}
