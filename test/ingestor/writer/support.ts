/** Tapes with made-up Binance frames, and what the tables hold afterwards. */
import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { silentLogger } from '#core/node/log.ts'
import type { Pool } from '#core/node/pool.ts'
import { type Micros, micros } from '#core/time.ts'
import type { Mark, RecordKind } from '../../../ingestor/tape/record.ts'
import type { Tape } from '../../../ingestor/tape/tape.ts'
import { openTape } from '../../../ingestor/tape/writer.ts'
import type { StreamChoice } from '../../../ingestor/exchanges/adapter.ts'
import { atFileEnd } from '../../support/file-end.ts'

/** 2026-03-01T12:59:59.500Z: half a second before an hour ends. */
export const START_MS = Date.UTC(2026, 2, 1, 12, 59, 59, 500)

export const CHOICE: StreamChoice = {
  channels: ['book_ticker', 'trades'],
  trade_stream: 'aggTrade',
}

/** A frame, REST answer or mark with its socket and time. */
export interface Entry {
  readonly kind: RecordKind
  readonly connection: number
  readonly ts_ingest: Micros
  readonly payload: Buffer
}

const at = (ms: number): Micros => micros((START_MS + ms) * 1_000 + 321)

export function quote(symbol: string, update_id: number, ms: number, connection = 1): Entry {
  const T = START_MS + ms
  const bid = 100 + (update_id % 50) / 10
  return frame(ms, connection, `${symbol.toLowerCase()}@bookTicker`, {
    e: 'bookTicker',
    u: update_id,
    s: symbol,
    b: bid.toFixed(2),
    B: '1.500',
    a: (bid + 0.1).toFixed(2),
    A: '2.250',
    T,
    E: T + 1,
  })
}

export function trade(
  symbol: string,
  id: number,
  ms: number,
  connection = 2,
  price = '100.10',
): Entry {
  const T = START_MS + ms
  return frame(ms, connection, `${symbol.toLowerCase()}@aggTrade`, {
    e: 'aggTrade',
    E: T + 1,
    s: symbol,
    a: id,
    p: price,
    q: '0.010',
    f: id * 3,
    l: id * 3 + 2,
    T,
    m: id % 2 === 0,
  })
}

/** Updates after `follows` up to `last_id`, with `levels` on each side, `[price, qty]` as text. */
export function diff(
  symbol: string,
  follows: number,
  last_id: number,
  ms: number,
  connection = 3,
  { b = [['99.90', '1.5']], a = [] }: { b?: readonly string[][]; a?: readonly string[][] } = {},
): Entry {
  const T = START_MS + ms
  return frame(ms, connection, `${symbol.toLowerCase()}@depth@100ms`, {
    e: 'depthUpdate',
    E: T + 1,
    T,
    s: symbol,
    U: follows + 1,
    u: last_id,
    pu: follows,
    b,
    a,
  })
}

/** The best five levels after `last_id`. */
export function partial(symbol: string, last_id: number, ms: number, connection = 4): Entry {
  const T = START_MS + ms
  return frame(ms, connection, `${symbol.toLowerCase()}@depth5@100ms`, {
    e: 'depthUpdate',
    E: T + 1,
    T,
    s: symbol,
    U: last_id - 2,
    u: last_id,
    pu: last_id - 9,
    b: [['99.90', '1.5']],
    a: [['100.10', '2']],
  })
}

export function markPrice(symbol: string, ms: number, connection = 5): Entry {
  return frame(ms, connection, `${symbol.toLowerCase()}@markPrice@1s`, {
    e: 'markPriceUpdate',
    E: START_MS + ms,
    s: symbol,
    p: '100.05',
    P: '100.01',
    i: '100.02',
    r: '-0.0001',
    T: START_MS + 3_600_000,
  })
}

export function forceOrder(symbol: string, ms: number, connection = 6): Entry {
  const T = START_MS + ms
  return frame(ms, connection, `${symbol.toLowerCase()}@forceOrder`, {
    e: 'forceOrder',
    E: T + 10,
    o: { s: symbol, S: 'SELL', q: '2', p: '99.00', ap: '99.50', z: '1.5', T },
  })
}

export function text(ms: number, payload: string, connection = 1): Entry {
  return { kind: 'frame', connection, ts_ingest: at(ms), payload: Buffer.from(payload) }
}

export function mark(ms: number, content: Mark): Entry {
  return {
    kind: 'mark',
    connection: 0,
    ts_ingest: at(ms),
    payload: Buffer.from(JSON.stringify(content)),
  }
}

export function rest(ms: number, path: string, body: string): Entry {
  return {
    kind: 'rest',
    connection: 0,
    ts_ingest: at(ms),
    payload: Buffer.from(`${path}\n${body}`),
  }
}

/** Quotes and trades of several symbols across the turn of an hour, with consecutive ids. */
export function market(symbols: readonly string[], count: number): readonly Entry[] {
  return Array.from({ length: count }, (_, index) => {
    const symbol = symbols[index % symbols.length]!
    const round = Math.floor(index / symbols.length)
    return round % 3 === 2
      ? trade(symbol, 500 + Math.floor(round / 3), index)
      : quote(symbol, 7_000 + index, index)
  })
}

/** Deleted when the test file is done. */
export function temporaryDirectory(): string {
  const dir = mkdtempSync(join(tmpdir(), 'booktape-ingestor-'))
  // Postgres may run as another user and must be able to enter.
  chmodSync(dir, 0o755)
  atFileEnd(() => rmSync(dir, { recursive: true, force: true }))
  return dir
}

export function openTestTape(dir: string, onEnd?: (end: number) => void): Tape {
  return openTape({
    dir,
    max_bytes: 64 * 1024 * 1024,
    segment_bytes: 4 * 1024 * 1024,
    record_bytes_max: 1024 * 1024,
    keep_s: 600,
    log: silentLogger,
    ...(onEnd === undefined ? {} : { onEnd }),
  })
}

export function appendAll(tape: Tape, entries: readonly Entry[], exchange_code = 1): void {
  for (const { kind, connection, ts_ingest, payload } of entries) {
    const taken = tape.append(kind, exchange_code, connection, ts_ingest, payload)
    if (typeof taken !== 'number') throw new Error(`The tape refused the record: ${taken}.`)
  }
  tape.flush()
}

/** A closed tape with these entries. */
export async function writeTape(
  entries: readonly Entry[],
  dir = temporaryDirectory(),
  exchange_code = 1,
): Promise<string> {
  const tape = openTestTape(dir)
  appendAll(tape, entries, exchange_code)
  await tape.close()
  return dir
}

/** Every row of the raw tables as text, ordered by key, to compare two databases. */
export async function dumpRows(pool: Pool): Promise<readonly string[]> {
  const { rows } = await pool.query<{ line: string }>(`
    select s.symbol || ' ' || (to_jsonb(b) - 'symbol_id')::text as line
      from marketdata.book_ticker b join marketdata.symbols s on s.id = b.symbol_id
    union all
    select s.symbol || ' ' || (to_jsonb(t) - 'symbol_id')::text
      from marketdata.trades t join marketdata.symbols s on s.id = t.symbol_id
    order by 1`)
  return rows.map((row) => row.line)
}

export async function dumpGaps(pool: Pool): Promise<readonly string[]> {
  const { rows } = await pool.query<{ line: string }>(`
    select concat_ws(' ', s.symbol, channel, cause, from_id, to_id,
      extract(epoch from to_ts - from_ts)::numeric) as line
    from marketdata.gaps g join marketdata.symbols s on s.id = g.symbol_id order by 1`)
  return rows.map((row) => row.line)
}

function frame(ms: number, connection: number, stream: string, data: object): Entry {
  return text(ms, JSON.stringify({ stream, data }), connection)
}
