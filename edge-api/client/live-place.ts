/**
 * Up to where a client has each stream. Decides which messages are new: a connection that goes on
 * after another may repeat what the other had delivered.
 */
import type { BookMessage, LiveChannel, LiveCursor, LiveMessage } from './live-types.ts'

/** The columns of a row's key within its symbol. */
const KEYS: { readonly [channel in LiveChannel]: readonly string[] } = {
  trades: ['ts_exchange', 'agg_trade_id'],
  quotes: ['ts_exchange', 'update_id'],
  book: [],
  topn: [],
  mark_price: ['ts_exchange'],
  liquidations: ['ts_exchange', 'side', 'price', 'qty'],
  gaps: ['channel', 'from_ts', 'to_ts', 'from_id', 'to_id', 'cause'],
  clusters: [],
  signals: ['id'],
}
/** Newest rows by which repeated ones are recognized, per stream. */
const KEPT_ROWS = 5_000

interface Place {
  cursor: LiveCursor
  /** The subscription begins with the newest state, whose seq is that of the subscription. */
  expects_state: boolean
  rows: Set<string>
}

interface Subscribed extends LiveCursor {
  readonly recovered: boolean | null
}

export class LivePlaces {
  readonly #places = new Map<string, Place>()

  constructor(cursors: readonly LiveCursor[]) {
    for (const cursor of cursors) this.#set(cursor)
  }

  get cursors(): readonly LiveCursor[] {
    return [...this.#places.values()].map(({ cursor }) => cursor)
  }

  /** The subscription of a stream has begun. */
  begin({ recovered, ...message }: Subscribed): void {
    const { channel, exchange, symbol, epoch, seq } = message
    const place =
      this.#places.get(keyOf(message)) ?? this.#set({ channel, exchange, symbol, epoch, seq })
    place.expects_state = recovered !== true
  }

  /** The message without rows that were delivered before; undefined if nothing of it is new. */
  take(message: LiveMessage): LiveMessage | undefined {
    const place = this.#places.get(keyOf(message))
    if (place === undefined) return undefined
    const { channel, exchange, symbol, epoch, seq } = message
    const is_state = place.expects_state || hasSnapshot(message)
    if (is_state ? seq < place.cursor.seq : seq <= place.cursor.seq) return undefined
    place.expects_state = false
    place.cursor = { channel, exchange, symbol, epoch, seq }
    if (message.type !== 'rows' || KEYS[channel].length === 0) return message
    const rows = message.rows.filter((row) => isNewRow(place, channel, row))
    if (rows.length === 0) return undefined
    return rows.length === message.rows.length ? message : ({ ...message, rows } as LiveMessage)
  }

  #set(cursor: LiveCursor): Place {
    const place = { cursor, expects_state: false, rows: new Set<string>() }
    this.#places.set(keyOf(cursor), place)
    return place
  }
}

function isNewRow({ rows }: Place, channel: LiveChannel, row: object): boolean {
  const fields = row as Readonly<Record<string, unknown>>
  const key = KEYS[channel].map((name) => String(fields[name])).join(' ')
  if (rows.has(key)) return false
  rows.add(key)
  if (rows.size > KEPT_ROWS) rows.delete(rows.values().next().value!)
  return true
}

function hasSnapshot(message: LiveMessage): boolean {
  return message.type === 'book' && (message as BookMessage).snapshot !== undefined
}

function keyOf({ channel, exchange, symbol }: LiveCursor | LiveMessage): string {
  return `${channel} ${exchange} ${symbol}`
}
