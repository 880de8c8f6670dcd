/** The channels of the live server, and the channels of the tape that feed them. */
import type { Channel } from '#core/market.ts'

/** `clusters` and `signals` join here with the code that computes them. */
export const LIVE_CHANNELS = [
  'trades',
  'quotes',
  'book',
  'topn',
  'mark_price',
  'liquidations',
  'gaps',
] as const
export type LiveChannel = (typeof LIVE_CHANNELS)[number]

export function isLiveChannel(text: unknown): text is LiveChannel {
  return (LIVE_CHANNELS as readonly unknown[]).includes(text)
}

/**
 * For slow readers: of these channels only the newest message is kept, and a `skipped` message says
 * what was left out. Messages of all other channels are never left out.
 */
export const CONFLATED: ReadonlySet<LiveChannel> = new Set(['quotes', 'topn'])

/** Index prices have no channel: they have no symbol of a market. */
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
}

export function keyOf({ channel, exchange, symbol }: StreamName): string {
  return `${channel} ${exchange} ${symbol}`
}
