/** A message of the live stream as lines for people. */
import type { BookMessage, LiveMessage, PriceLevel } from '../../edge-api/client/live-types.ts'

type Row = Readonly<Record<string, string | number | boolean | null>>

/** One line per row. Times are UTC. */
export function liveLines(message: LiveMessage): readonly string[] {
  const { channel, symbol } = message
  if (message.type === 'skipped') {
    const { count } = message.skipped
    return [
      `${symbol} ${channel}: ${count} messages were left out, because they were not read in time`,
    ]
  }
  if (message.type === 'book') return bookLines(message)
  return message.rows.map((row) => `${line(channel, symbol, row as Row)}`)
}

function line(channel: LiveMessage['channel'], symbol: string, row: Row): string {
  const cell = (name: string): string => String(row[name] ?? '-')
  const start = `${timeOf(row)}  ${symbol}  `
  switch (channel) {
    case 'trades':
      return `${start}${row['is_buyer_maker'] === true ? 'sell' : 'buy '}  ${cell('qty')} @ ${cell('price')}`
    case 'quotes':
      return `${start}${cell('bid_qty')} @ ${cell('best_bid')} | ${cell('best_ask')} @ ${cell('ask_qty')}`
    case 'topn':
      return `${start}${cell('b1_qty')} @ ${cell('b1_price')} | ${cell('a1_price')} @ ${cell('a1_qty')}`
    case 'mark_price':
      return `${start}mark ${cell('mark_price')}  index ${cell('index_price')}  funding ${cell('funding_rate')}`
    case 'liquidations':
      return `${start}${cell('side').padEnd(4)}  ${cell('qty')} @ ${cell('price')}`
    case 'gaps':
      return `${start}gap in ${cell('channel')}: ${cell('from_ts')} to ${cell('to_ts')} (${cell('cause')})`
    case 'clusters':
      return `${start}${cell('open')} ${cell('high')} ${cell('low')} ${cell('close')}  volume ${cell('volume')}  delta ${cell('delta')}  poc ${cell('poc')}${row['is_final'] === true ? '  final' : ''}`
    case 'signals':
      return `${start}${cell('kind')} ${cell('interval')}  ${cell('side')}  ${cell('price_low')} to ${cell('price_high')}  strength ${cell('strength')}`
    case 'book':
      return start
  }
}

function bookLines({ symbol, rows, snapshot, synced }: BookMessage): readonly string[] {
  const lines = rows.map((row) => {
    const { bids, asks } = row
    return `${timeOf(row)}  ${symbol}  ${bids.length} bids, ${asks.length} asks changed`
  })
  if (snapshot !== undefined) {
    const { ts_exchange, bids, asks } = snapshot
    const best = `${levelText(bids[0])} | ${levelText(asks[0])}`
    const levels = `${bids.length} bids, ${asks.length} asks`
    lines.push(`${timeOf({ ts_exchange })}  ${symbol}  the whole book: ${levels}, best ${best}`)
  }
  if (synced === false) lines.push(`${symbol}  updates are missing: the book is unknown`)
  return lines
}

const levelText = (level: PriceLevel | undefined): string =>
  level === undefined ? '-' : `${level[1]} @ ${level[0]}`

interface Timed {
  readonly ts_exchange?: unknown
  readonly detected_at?: unknown
  readonly ts?: unknown
}

function timeOf({ ts_exchange, detected_at, ts }: Timed): string {
  return String(ts_exchange ?? detected_at ?? ts).slice(11, 23)
}
