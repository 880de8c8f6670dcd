/** Topic names, `<class>.<symbol>`, and the channel that each class feeds. */
import type { Channel } from '#core/market.ts'

export const EXCHANGE = 'bybit-linear'

export interface Topic {
  /** `orderbook.50`, `publicTrade`, `kline.1` ... */
  readonly topic_class: string
  readonly symbol: string
}

export const CLASS_OF = {
  book_ticker: 'orderbook.1',
  trades: 'publicTrade',
  depth_events: 'orderbook.50',
  mark_price: 'tickers',
  liquidations: 'allLiquidation',
} as const satisfies { readonly [channel in Channel]?: string }

export type RecordedChannel = keyof typeof CLASS_OF

export const RECORDED_CHANNELS = Object.keys(CLASS_OF) as readonly RecordedChannel[]

const CHANNEL_OF_CLASS: ReadonlyMap<string, RecordedChannel> = new Map(
  RECORDED_CHANNELS.map((channel) => [CLASS_OF[channel], channel]),
)

export function topicName(channel: RecordedChannel, symbol: string): string {
  return `${CLASS_OF[channel]}.${symbol}`
}

/** A symbol's name may contain a dot, so known classes are matched by their prefix. */
export function parseTopic(topic: string): Topic {
  const known = RECORDED_CHANNELS.find((channel) => topic.startsWith(topicName(channel, '')))
  const dot = known === undefined ? topic.lastIndexOf('.') : CLASS_OF[known].length
  return { topic_class: topic.slice(0, Math.max(0, dot)), symbol: topic.slice(dot + 1) }
}

/** Undefined for classes that are not recorded. */
export function channelOfClass(topic_class: string): RecordedChannel | undefined {
  return CHANNEL_OF_CLASS.get(topic_class)
}
