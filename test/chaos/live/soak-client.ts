/**
 * One reader of a symbol's trades or book: loses its connection, resumes, and keeps what it got.
 */
import { WebSocket } from 'ws'

export interface Place {
  readonly epoch: string
  readonly seq: number
}

interface Reply {
  readonly type: string
  readonly channel: string
  readonly epoch: string
  readonly seq: number
  readonly code?: string
  readonly prev_seq?: number | null
  readonly synced?: boolean | null
  readonly rows?: readonly Readonly<Record<string, unknown>>[]
  readonly snapshot?: Sides
}

type Levels = readonly (readonly [string, string])[]
interface Sides {
  readonly bids: Levels
  readonly asks: Levels
}

const RETRY_MS = 200

export class SoakClient {
  readonly symbol: string
  /** Trade ids in the order of arrival, for channel trades. */
  readonly ids: number[] = []
  /** After the first subscription. */
  first: Place | undefined
  last: Place | undefined
  readonly delays_us: number[] = []
  measures = false
  refusals = new Map<string, number>()
  readonly book = { bids: new Map<string, string>(), asks: new Map<string, string>() }
  newest_book_ts: string | undefined
  book_is_known = false
  #socket: WebSocket | undefined
  #is_ended = false
  #is_caught_up = false
  readonly #url: string
  readonly #channel: 'trades' | 'book'

  constructor(url: string, symbol: string, channel: 'trades' | 'book' = 'trades') {
    this.#url = `${url.replace('http', 'ws')}/v1/live`
    this.symbol = symbol
    this.#channel = channel
    this.#connect()
  }

  cut(): void {
    this.#socket?.terminate()
  }

  freeze(): void {
    this.#socket?.pause()
  }

  thaw(): void {
    this.#socket?.resume()
  }

  end(): void {
    this.#is_ended = true
    this.#socket?.terminate()
  }

  #connect(): void {
    if (this.#is_ended) return
    const socket = new WebSocket(this.#url, { handshakeTimeout: 20_000 })
    this.#socket = socket
    this.#is_caught_up = false
    socket.on('open', () => {
      const resume = this.last === undefined ? {} : { resume: this.last }
      const { symbol } = this
      socket.send(JSON.stringify({ op: 'subscribe', channel: this.#channel, symbol, ...resume }))
    })
    socket.on('message', (data: Buffer) => this.#take(JSON.parse(data.toString()) as Reply, socket))
    socket.on('error', () => undefined)
    socket.on('close', () => setTimeout(() => this.#connect(), RETRY_MS * (1 + Math.random())))
  }

  #take(reply: Reply, socket: WebSocket): void {
    const { type, epoch, seq } = reply
    if (type === 'subscribed') {
      this.first ??= { epoch, seq }
      this.last ??= { epoch, seq }
      return
    }
    if (type === 'heartbeat') return void (this.#is_caught_up = true)
    if (type === 'error' || type === 'closing') {
      this.refusals.set(reply.code!, (this.refusals.get(reply.code!) ?? 0) + 1)
      if (type === 'error') socket.terminate()
      return
    }
    if (type === 'book') this.#takeBook(reply)
    else for (const row of reply.rows!) this.ids.push(row['agg_trade_id'] as number)
    if (this.measures && this.#is_caught_up) this.delays_us.push(Date.now() * 1_000 - seq)
    this.last = { epoch, seq }
  }

  #takeBook({ rows = [], snapshot, synced }: Reply): void {
    for (const row of rows) this.newest_book_ts = row['ts_exchange'] as string
    if (snapshot !== undefined) {
      this.book.bids = new Map(snapshot.bids)
      this.book.asks = new Map(snapshot.asks)
      this.book_is_known = true
      return
    }
    if (synced === false) this.book_is_known = false
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
