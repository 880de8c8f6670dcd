/** The channels of the live server, and the channels of the tape that feed them. */
import type { Interval } from '#core/clusters/intervals.ts'
import type { Channel } from '#core/market.ts'

export const LIVE_CHANNELS = [
  'trades',
  'quotes',
  'book',
  'topn',
  'mark_price',
  'liquidations',
  'gaps',
  'clusters',
  'signals',
] as const
export type LiveChannel = (typeof LIVE_CHANNELS)[number]

export function isLiveChannel(text: unknown): text is LiveChannel {
  return (LIVE_CHANNELS as readonly unknown[]).includes(text)
}

/**
 * A slow reader of these channels gets only the newest message, and a `skipped` message that says
 * what was left out. The other channels skip nothing.
 */
export const CONFLATED: ReadonlySet<LiveChannel> = new Set(['quotes', 'topn'])

/** Index prices have no live channel, because they belong to no symbol. */
export const FED_BY: { readonly [channel in Channel]: LiveChannel | undefined } = {
  book_ticker: 'quotes',
  trades: 'trades',
  depth_events: 'book',
  mark_price: 'mark_price',
  liquidations: 'liquidations',
  prices: undefined,
}

export interface StreamName {
  readonly channel: LiveChannel
  readonly exchange: string
  readonly symbol: string
  /** Of clusters only: the kind of bars. */
  readonly interval?: Interval
  readonly bin?: number | 'auto'
}

export function keyOf({ channel, exchange, symbol, interval, bin }: StreamName): string {
  const key = `${channel} ${exchange} ${symbol}`
  return interval === undefined ? key : `${key} ${interval} ${bin}`
}
