/**
 * One reader of some streams, as any program could write it: it loses its connection, resumes where
 * it was, and keeps what it got.
 */
import type { RecordableHistogram } from 'node:perf_hooks'
import { WebSocket } from 'ws'
import { SoakStream, type StreamReply } from './soak-stream.ts'

interface Reply extends StreamReply {
  readonly channel: string
  readonly symbol: string
  readonly code?: string
}

const RETRY_MS = 200
/** Quotes may be left out, so they are only counted; the text of a message begins with this. */
const QUOTES = Buffer.from('{"type":"rows","channel":"quotes"')
const SEQ = Buffer.from('"seq":')
/** A connection is lost if it is silent for longer: the server sends heartbeats. */
const SILENT_MS = 20_000

export class SoakClient {
  readonly streams: readonly SoakStream[]
  /** From receipt to delivery, while it is set [us]. */
  delays: RecordableHistogram | undefined
  quote_count = 0
  /** Errors and reasons for closing, by code. */
  readonly refusals = new Map<string, number>()
  readonly #by_name: ReadonlyMap<string, SoakStream>
  readonly #hears_quotes: boolean
  readonly #url: string
  #socket: WebSocket | undefined
  #is_ended = false
  #is_frozen = false
  /** All its subscriptions have begun, and nothing is missing any more. */
  #is_caught_up = false
  #heard_at = 0
  readonly #watch: NodeJS.Timeout

  constructor(live_url: string, channels: readonly string[], symbols: readonly string[]) {
    this.#url = `${live_url.replace('http', 'ws')}/v1/live`
    // Those whose every row is compared with the table.
    this.streams = channels
      .filter((channel) => channel !== 'quotes')
      .flatMap((channel) => symbols.map((symbol) => new SoakStream(channel, symbol)))
    this.#hears_quotes = channels.includes('quotes')
    this.#by_name = new Map(this.streams.map((stream) => [stream.name, stream]))
    this.#watch = setInterval(() => this.#dropIfSilent(), 5_000)
    this.#connect()
  }

  get has_begun(): boolean {
    return this.streams.every(({ first }) => first !== undefined)
  }

  cut(): void {
    this.#socket?.terminate()
  }

  /** Stops reading from its socket, which stays open. */
  freeze(): void {
    this.#is_frozen = true
    this.#socket?.pause()
  }

  thaw(): void {
    this.#is_frozen = false
    this.#heard_at = performance.now()
    this.#socket?.resume()
  }

  end(): void {
    this.#is_ended = true
    clearInterval(this.#watch)
    this.#socket?.terminate()
  }

  #dropIfSilent(): void {
    if (!this.#is_frozen && performance.now() - this.#heard_at > SILENT_MS) this.cut()
  }

  #connect(): void {
    if (this.#is_ended) return
    const socket = new WebSocket(this.#url, {
      handshakeTimeout: 20_000,
      perMessageDeflate: false,
      skipUTF8Validation: true,
    })
    this.#socket = socket
    this.#is_caught_up = false
    this.#heard_at = performance.now()
    socket.on('open', () => {
      for (const { channel, symbol, last } of this.streams) {
        const resume = last === undefined ? {} : { resume: last }
        socket.send(JSON.stringify({ op: 'subscribe', channel, symbol, ...resume }))
      }
      if (!this.#hears_quotes) return
      const symbol = [...new Set(this.streams.map((stream) => stream.symbol))]
      socket.send(JSON.stringify({ op: 'subscribe', channel: 'quotes', symbol }))
    })
    socket.on('message', (data: Buffer) => {
      this.#heard_at = performance.now()
      if (data.subarray(0, QUOTES.length).equals(QUOTES)) return this.#takeQuote(data)
      this.#take(JSON.parse(data.toString()) as Reply, socket)
    })
    socket.on('error', () => undefined)
    socket.on('close', () => setTimeout(() => this.#connect(), RETRY_MS * (1 + Math.random())))
  }

  #takeQuote(data: Buffer): void {
    this.quote_count++
    if (this.delays === undefined || !this.#is_caught_up) return
    const at = data.indexOf(SEQ) + SEQ.length
    this.#noteDelay(Number(data.toString('latin1', at, data.indexOf(',', at))))
  }

  #noteDelay(seq: number): void {
    const delay_us = (performance.timeOrigin + performance.now()) * 1_000 - seq
    this.delays?.record(Math.max(1, Math.round(delay_us)))
  }

  #take(reply: Reply, socket: WebSocket): void {
    const { type, seq, code } = reply
    if (type === 'heartbeat') return void (this.#is_caught_up = true)
    if (type === 'error' || type === 'closing') {
      this.refusals.set(code!, (this.refusals.get(code!) ?? 0) + 1)
      if (type === 'error') socket.terminate()
      return
    }
    if (reply.channel === 'quotes') return
    this.#by_name.get(`${reply.channel} ${reply.symbol}`)!.take(reply)
    if (this.#is_caught_up && type !== 'subscribed') this.#noteDelay(seq)
  }
}
