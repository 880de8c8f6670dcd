/** A plain WebSocket client that keeps every message, as any program could write it. */
import { WebSocket } from 'ws'
import { atFileEnd } from '../../support/file-end.ts'

export interface LiveMessage {
  readonly type: string
  readonly channel: string
  readonly symbol: string
  readonly exchange: string
  readonly epoch: string
  readonly seq: number
  readonly prev_seq?: number | null
  readonly synced?: boolean | null
  readonly recovered?: boolean | null
  readonly source?: string | null
  readonly rows?: readonly Readonly<Record<string, unknown>>[]
  readonly snapshot?: {
    readonly bids: readonly (readonly [string, string])[]
    readonly asks: readonly (readonly [string, string])[]
    readonly final_update_id: number
  }
  readonly skipped?: { readonly from: number; readonly to: number; readonly count: number }
  readonly code?: string
  readonly message?: string
  readonly resume?: readonly LiveMessage[]
  readonly streams?: readonly LiveMessage[]
}

export class LiveClient {
  readonly messages: LiveMessage[] = []
  readonly socket: WebSocket
  close_code: number | undefined
  #watchers = new Set<() => void>()

  constructor(
    url: string,
    options: { readonly headers?: Record<string, string> } = {},
    protocols: string[] = [],
  ) {
    this.socket = new WebSocket(`${url.replace('http', 'ws')}/v1/live`, protocols, options)
    this.socket.on('message', (data: Buffer) => {
      this.messages.push(JSON.parse(data.toString('utf8')) as LiveMessage)
      for (const watch of this.#watchers) watch()
    })
    this.socket.on('close', (code) => {
      this.close_code = code
      for (const watch of this.#watchers) watch()
    })
    this.socket.on('error', () => undefined)
    atFileEnd(() => this.socket.terminate())
  }

  async opened(): Promise<this> {
    if (this.socket.readyState === WebSocket.OPEN) return this
    await new Promise((resolve, reject) => {
      this.socket.once('open', resolve).once('error', reject)
    })
    return this
  }

  send(message: object | string): void {
    this.socket.send(typeof message === 'string' ? message : JSON.stringify(message))
  }

  /** Resolves with the first value that is not undefined. */
  async until<T>(look: () => T | undefined): Promise<T> {
    for (;;) {
      const found = look()
      if (found !== undefined) return found
      await new Promise<void>((resolve) => {
        const watch = (): void => {
          this.#watchers.delete(watch)
          resolve()
        }
        this.#watchers.add(watch)
      })
    }
  }

  untilMessage(match: (message: LiveMessage) => boolean): Promise<LiveMessage> {
    return this.until(() => this.messages.find(match))
  }

  untilClosed(): Promise<number> {
    return this.until(() => this.close_code)
  }

  rows(channel: string, symbol = 'BTCUSDT'): readonly Readonly<Record<string, unknown>>[] {
    return this.of(channel, symbol).flatMap(({ rows = [] }) => rows)
  }

  of(channel: string, symbol = 'BTCUSDT'): readonly LiveMessage[] {
    return this.messages.filter(
      (one) => one.channel === channel && one.symbol === symbol && one.rows !== undefined,
    )
  }

  ids(symbol = 'BTCUSDT'): readonly number[] {
    return this.rows('trades', symbol).map((row) => row['agg_trade_id'] as number)
  }

  end(): void {
    this.socket.terminate()
  }
}

export async function connect(
  url: string,
  subscriptions: readonly object[],
  options: { readonly headers?: Record<string, string> } = {},
): Promise<LiveClient> {
  const client = await new LiveClient(url, options).opened()
  for (const one of subscriptions) client.send({ op: 'subscribe', symbol: 'BTCUSDT', ...one })
  return client
}
