/**
 * A user of the client package, in Node or in a page: keeps the key of every row that it is given.
 */
import { type LiveMessage, openLive } from '../../../edge-api/client/live.ts'

/** `skips` are messages that were left out: none may be of these channels. */
export const READ_CHANNELS = ['trades', 'mark_price', 'book'] as const

export interface ReadStream {
  readonly channel: string
  readonly symbol: string
  /** Seq of the first and of the newest message. */
  readonly first: number
  last: number
  readonly keys: string[]
}

export interface Reader {
  readonly streams: readonly ReadStream[]
  readonly connection_count: number
  /** Why it ended by itself; null while it goes on. */
  readonly error: string | null
}

/** The answer is live: look at it as often as you like. */
export function startReader(url: string, symbols: readonly string[]): Reader {
  const streams = new Map<string, ReadStream>()
  const reader = { streams: [] as ReadStream[], connection_count: 0, error: null as string | null }
  const live = openLive({
    url,
    channels: READ_CHANNELS,
    symbols,
    onConnection: (is_open) => void (is_open && reader.connection_count++),
  })
  const read = async (): Promise<void> => {
    for await (const message of live) {
      const { channel, symbol, seq } = message
      const name = `${channel} ${symbol}`
      let stream = streams.get(name)
      if (stream === undefined) {
        stream = { channel, symbol, first: seq, last: seq, keys: [] }
        streams.set(name, stream)
        reader.streams.push(stream)
      }
      stream.last = seq
      stream.keys.push(...keysOf(message))
    }
  }
  read().catch((error: unknown) => (reader.error = String(error)))
  return reader
}

function keysOf(message: LiveMessage<(typeof READ_CHANNELS)[number]>): readonly string[] {
  if (message.type === 'skipped') return ['skipped']
  if (message.channel === 'trades') {
    return message.rows.map((row) => `${row.ts_exchange} ${row.agg_trade_id}`)
  }
  if (message.channel === 'mark_price') return message.rows.map((row) => row.ts_exchange)
  return message.rows.map((row) => `${row.ts_exchange} ${row.final_update_id}`)
}
