/** Follows marketdata.signals: each new row is a message of the channel `signals`. */
import { setTimeout as sleep } from 'node:timers/promises'
import { describeError } from '#core/errors.ts'
import type { Logger } from '#core/node/log.ts'
import { type Pool, withClient } from '#core/node/pool.ts'
import type { Streams } from '../streams.ts'
import { headText, messageOf } from '../wire.ts'
import { readSignals, signalText } from './stored-signals.ts'

export interface SignalFeed {
  stop(): Promise<void>
}

export interface SignalFeedOptions {
  readonly pool: Pool
  readonly streams: Streams
  readonly epoch: string
  /** Seq of the newest row that is known. */
  readonly from: number
  readonly log: Logger
}

/** Signals are computed every few seconds. */
const EVERY_MS = 500
const ROWS_MAX = 1_000

export function followSignals(options: SignalFeedOptions): SignalFeed {
  const { pool, streams, epoch, log } = options
  const stopping = new AbortController()
  let last = options.from
  let is_away = false
  const readNew = async (): Promise<boolean> => {
    const rows = await withClient(pool, (client) =>
      readSignals(client, null, last, Number.MAX_SAFE_INTEGER, ROWS_MAX),
    )
    for (const { seq, exchange, symbol, ...row } of rows) {
      const stream = streams.of({ channel: 'signals', exchange, symbol })
      const head = headText('rows', stream.name, epoch, seq)
      const text = `${head},"rows":[${signalText(row, stream.decimals)}]}`
      streams.append(stream, messageOf(seq, text))
      last = seq
    }
    return rows.length === ROWS_MAX
  }
  const run = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      let has_more = false
      try {
        has_more = await readNew()
        is_away = false
      } catch (error) {
        const facts = { code: 'signals_unreadable', error: describeError(error) }
        if (!is_away) log.warn(facts, 'New signals cannot be read. They are sent later.')
        is_away = true
      }
      if (!has_more) await sleep(EVERY_MS, undefined, { signal: stopping.signal }).catch(() => {})
    }
  }
  const ended = run()
  return {
    async stop() {
      stopping.abort()
      await ended
    },
  }
}
