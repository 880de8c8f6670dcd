/**
 * What the live server needs, all of it real: tapes that tests write, writers that commit them to
 * Postgres, and live servers over both.
 */
import { join } from 'node:path'
import { silentLogger } from '#core/node/log.ts'
import { micros, type Micros } from '#core/time.ts'
import { parseConfig } from '../../../ingestor/live/config.ts'
import { type LiveServer, startLiveServer } from '../../../ingestor/live/live-server.ts'
import type { Mark } from '../../../ingestor/tape/record.ts'
import type { Tape } from '../../../ingestor/tape/tape.ts'
import { openTape } from '../../../ingestor/tape/writer.ts'
import { type Follower, startFollower } from '../../../ingestor/writer/follower.ts'
import { createSharedTapeEnd, sharedTapeEnd } from '../../../ingestor/writer/tape-end.ts'
import { createTestDatabase, type TestDatabase } from '../../support/database.ts'
import { atFileEnd } from '../../support/file-end.ts'
import { CHOICE, temporaryDirectory } from '../writer/support.ts'

/** Live servers look at the clock, so the market of these tests is of now. */
export const now = (): Micros => micros(Date.now() * 1_000)

let last_stamp = 0

/** A tape with its writer. */
export class Recording {
  readonly ingestor_id: string
  readonly dir = temporaryDirectory()
  readonly #database: TestDatabase
  readonly #end = createSharedTapeEnd()
  tape: Tape
  #follower: Follower | undefined

  constructor(database: TestDatabase, ingestor_id: string) {
    this.#database = database
    this.ingestor_id = ingestor_id
    this.tape = this.#open()
    atFileEnd(async () => {
      await this.stopWriter()
      await this.tape.close()
    })
  }

  #open(): Tape {
    return openTape({
      dir: this.dir,
      max_bytes: 512 * 1024 * 1024,
      segment_bytes: 8 * 1024 * 1024,
      record_bytes_max: 4 * 1024 * 1024,
      keep_s: 600,
      log: silentLogger,
      onEnd: (end) => this.#end.publish(end),
    })
  }

  startWriter(): void {
    this.#follower = startFollower({
      database_url: this.#database.url,
      ingestor_id: this.ingestor_id,
      tape_dir: this.dir,
      end: sharedTapeEnd(this.#end.memory),
      choice: { ...CHOICE, channels: ['book_ticker', 'trades', 'depth_events', 'mark_price'] },
      limits: { rows_max: 5_000, bytes_max: 4_000_000, age_ms_max: 10 },
      dead_letter_path: join(this.dir, 'dead.ndjson'),
      live: true,
      clock: now,
      random: Math.random,
      log: silentLogger,
    })
  }

  async stopWriter(): Promise<void> {
    await this.#follower?.stop()
    this.#follower = undefined
  }

  /** Resolves once everything on the tape is in Postgres. */
  async committed(): Promise<void> {
    this.tape.flush()
    await this.#follower!.committed(this.tape.end)
  }

  /** Returns the stamp. */
  frame(stream: string, data: object, connection = 1, stamp: Micros = nextStamp()): Micros {
    this.#append('frame', connection, stamp, JSON.stringify({ stream, data }))
    return stamp
  }

  rest(path: string, body: unknown, stamp: Micros = nextStamp()): Micros {
    this.#append('rest', 0, stamp, `${path}\n${JSON.stringify(body)}`)
    return stamp
  }

  mark(mark: Mark, stamp: Micros = nextStamp()): void {
    this.#append('mark', 0, stamp, JSON.stringify(mark))
  }

  trade(id: number, options: TradeOptions = {}): Micros {
    const { symbol = 'BTCUSDT', connection = 1, stamp = nextStamp(), at = stamp } = options
    const data = { e: 'aggTrade', E: msOf(at), s: symbol, ...tradeFields(id, at) }
    return this.frame(`${symbol.toLowerCase()}@aggTrade`, data, connection, stamp)
  }

  /** What the exchange answers to a request for old trades. */
  refill(ids: readonly number[], at: Micros, symbol = 'BTCUSDT'): Micros {
    const path = `/fapi/v1/aggTrades?symbol=${symbol}&fromId=${ids[0]}&limit=1000`
    return this.rest(
      path,
      ids.map((id) => tradeFields(id, at)),
    )
  }

  quote(update_id: number, symbol = 'BTCUSDT', stamp = nextStamp()): Micros {
    const bid = 100 + (update_id % 50) / 10
    const data = {
      e: 'bookTicker',
      u: update_id,
      s: symbol,
      b: bid.toFixed(2),
      B: '1.5',
      a: (bid + 0.1).toFixed(2),
      A: '2.25',
      T: msOf(stamp),
      E: msOf(stamp),
    }
    return this.frame(`${symbol.toLowerCase()}@bookTicker`, data, 2, stamp)
  }

  /** `at_ms`: its key, the exchange's time. */
  markPrice(price: string, at_ms: number, symbol = 'BTCUSDT'): Micros {
    const stamp = nextStamp()
    const times = { E: at_ms, T: at_ms + 3_600_000 }
    const data = { e: 'markPriceUpdate', s: symbol, p: price, i: price, P: price, r: '0.0001' }
    return this.frame(`${symbol.toLowerCase()}@markPrice@1s`, { ...data, ...times }, 4, stamp)
  }

  diff(follows: number, last_id: number, levels: Levels = {}, symbol = 'BTCUSDT'): Micros {
    const stamp = nextStamp()
    const { b = [['99.90', '1.5']], a = [] } = levels
    const ids = { U: follows + 1, u: last_id, pu: follows }
    const data = { e: 'depthUpdate', E: msOf(stamp), T: msOf(stamp), s: symbol, ...ids, b, a }
    return this.frame(`${symbol.toLowerCase()}@depth@100ms`, data, 3, stamp)
  }

  bookAnswer(last_id: number, levels: Levels, symbol = 'BTCUSDT'): Micros {
    const stamp = nextStamp()
    const { b: bids = [], a: asks = [] } = levels
    const body = { lastUpdateId: last_id, E: msOf(stamp), T: msOf(stamp), bids, asks }
    return this.rest(`/fapi/v1/depth?symbol=${symbol}&limit=1000`, body, stamp)
  }

  #append(kind: 'frame' | 'rest' | 'mark', connection: number, stamp: Micros, text: string): void {
    const taken = this.tape.append(kind, 1, connection, stamp, Buffer.from(text))
    if (typeof taken !== 'number') throw new Error(`The tape refused the record: ${taken}.`)
    this.tape.flush()
  }
}

interface TradeOptions {
  readonly symbol?: string
  readonly connection?: number
  readonly stamp?: Micros
  /** The exchange's time. */
  readonly at?: Micros
}

interface Levels {
  readonly b?: readonly (readonly string[])[]
  readonly a?: readonly (readonly string[])[]
}

/** Ascending, like those of an ingestor. */
export function nextStamp(): Micros {
  last_stamp = Math.max(last_stamp + 1, Date.now() * 1_000)
  return micros(last_stamp)
}

function tradeFields(id: number, at: Micros): object {
  return { a: id, p: '100.10', q: '0.010', f: id * 3, l: id * 3 + 2, T: msOf(at), m: id % 2 === 0 }
}

const msOf = (stamp: Micros): number => Math.floor(stamp / 1_000)

export interface Stand {
  readonly database: TestDatabase
  readonly recordings: readonly Recording[]
  startLive(env?: Readonly<Record<string, string>>): Promise<LiveServer>
}

/** A database with BTCUSDT and ETHUSDT, and one recording per name. */
export async function createStand(...ingestor_ids: readonly string[]): Promise<Stand> {
  const database = await createTestDatabase()
  // As if the stream had run for a day.
  await database.pool.query("update marketdata.live_epoch set began_at = now() - interval '1 day'")
  await database.pool.query(
    `insert into marketdata.symbols (exchange, symbol, tick_size, step_size)
     values ('binance-futures', 'BTCUSDT', 0.01, 0.001), ('binance-futures', 'ETHUSDT', 0.01, 0.001)`,
  )
  const recordings = ingestor_ids.map((id) => new Recording(database, id))
  return {
    database,
    recordings,
    async startLive(env = {}) {
      const config = parseConfig({
        DATABASE_URL: database.url,
        LIVE_TAPES: recordings.map(({ ingestor_id, dir }) => `${ingestor_id}=${dir}`).join(','),
        LIVE_PUBLIC: 'true',
        LIVE_PORT: '0',
        LIVE_DRAIN_S: '1',
        ...env,
      })
      const live = await startLiveServer(config, silentLogger, new AbortController().signal)
      atFileEnd(() => live.stop())
      return live
    },
  }
}

/** Ids of the table's trades, in its order. */
export async function tradesOfTable(
  { pool }: TestDatabase,
  symbol = 'BTCUSDT',
): Promise<readonly number[]> {
  const { rows } = await pool.query<{ id: string }>(
    `select agg_trade_id as id from marketdata.trades t
     join marketdata.symbols s on s.id = t.symbol_id and s.symbol = $1 order by ts_exchange, id`,
    [symbol],
  )
  return rows.map(({ id }) => Number(id))
}
