/** What a reader got of one stream: the keys of its rows, in order, and the book they lead to. */

export interface Cursor {
  readonly epoch: string
  readonly seq: number
}

export interface StreamReply extends Cursor {
  readonly type: string
  readonly prev_seq?: number | null
  /** False: updates are missing. Null: it is an update from history. */
  readonly synced?: boolean | null
  readonly rows?: readonly Readonly<Record<string, unknown>>[]
  readonly snapshot?: Sides
}

type Levels = readonly (readonly [string, string])[]
interface Sides {
  readonly bids: Levels
  readonly asks: Levels
}

export class SoakStream {
  readonly channel: string
  readonly symbol: string
  readonly name: string
  /** Where its first subscription began. */
  first: Cursor | undefined
  last: Cursor | undefined
  /** agg_trade_id, or final_update_id of a book's updates. */
  readonly ids: number[] = []
  /** Messages out of order, or updates that do not follow the one before. */
  readonly faults: string[] = []
  readonly book = { bids: new Map<string, string>(), asks: new Map<string, string>() }
  book_is_known = false
  /** ts_exchange of the newest update. */
  newest_book_ts: string | undefined
  #newest_update_seq: number | undefined

  constructor(channel: string, symbol: string) {
    this.channel = channel
    this.symbol = symbol
    this.name = `${channel} ${symbol}`
  }

  take(reply: StreamReply): void {
    const { type, epoch, seq, rows = [] } = reply
    if (type === 'subscribed') {
      this.first ??= { epoch, seq }
      this.last ??= { epoch, seq }
      return
    }
    // A book as it is now has the number of its newest update.
    const is_state = type === 'book' && rows.length === 0
    if (is_state ? seq < this.last!.seq : seq <= this.last!.seq) {
      this.faults.push(`${this.name}: ${seq} after ${this.last!.seq}`)
    }
    if (type === 'book') this.#takeBook(reply)
    else for (const row of rows) this.ids.push(row['agg_trade_id'] as number)
    this.last = { epoch, seq }
  }

  #takeBook({ seq, prev_seq, rows = [], snapshot, synced }: StreamReply): void {
    for (const row of rows) {
      this.ids.push(row['final_update_id'] as number)
      this.newest_book_ts = row['ts_exchange'] as string
      // Null: the server does not know the update before.
      const is_next =
        this.#newest_update_seq === undefined ||
        prev_seq === null ||
        prev_seq === this.#newest_update_seq
      if (!is_next) {
        this.faults.push(`${this.name}: ${prev_seq} before, not ${this.#newest_update_seq}`)
      }
      this.#newest_update_seq = seq
    }
    if (snapshot !== undefined) {
      this.book.bids = new Map(snapshot.bids)
      this.book.asks = new Map(snapshot.asks)
      this.book_is_known = true
      return
    }
    // Updates from history do not say what is missing between them.
    if (synced !== true) this.book_is_known = false
    // Rows of a book have both sides; those of other channels do not come here.
    for (const row of rows as unknown as readonly Sides[]) {
      for (const side of ['bids', 'asks'] as const) {
        for (const [price, qty] of row[side]) {
          if (Number(qty) === 0) this.book[side].delete(price)
          else this.book[side].set(price, qty)
        }
      }
    }
  }
}
