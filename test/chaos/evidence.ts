/**
 * Brings what the exchange sent and what the tape received into the database, so that SQL can
 * compare it with the tables. It reads the frames with JSON.parse and leaves decimal text to
 * Postgres: nothing of the ingestor's parser is trusted.
 */
import { closeSync, openSync, readSync } from 'node:fs'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { from as copyFrom } from 'pg-copy-streams'
import type { Client } from '#core/node/pool.ts'
import type { TruthLine } from '../../infra/local/exchange/truth-log.ts'

/**
 * sent: every frame that somebody had asked for. received: those of the tape's frames that are
 * whole, each once. stored: what is in the tables. facts are the numbers of the row.
 */
const SCHEMA = `
  create schema chaos;
  create unlogged table chaos.sent (
    symbol text, channel text, id bigint, outcome text, ts_exchange timestamptz, facts float8[]
  );
  create unlogged table chaos.received_frame (symbol text, channel text, id bigint);`

const TABLES = `
  create unlogged table chaos.stored as
    select symbol, 'book_ticker' as channel, update_id as id, ts_exchange,
      array[best_bid, bid_qty, best_ask, ask_qty] as facts
    from marketdata.book_ticker join marketdata.symbols s on s.id = symbol_id
    union all
    select symbol, 'trades', agg_trade_id, ts_exchange,
      array[price, qty, non_rpi_qty, first_trade_id, last_trade_id, is_buyer_maker::int]
    from marketdata.trades join marketdata.symbols s on s.id = symbol_id;
  create unlogged table chaos.received as select distinct symbol, channel, id from chaos.received_frame;
  create unlogged table chaos.stored_key as
    select symbol, channel, id, count(*)::int as row_count from chaos.stored group by 1, 2, 3;
  create unique index on chaos.stored_key (symbol, channel, id);
  create unique index on chaos.sent (symbol, channel, id);
  analyze chaos.sent, chaos.received, chaos.stored, chaos.stored_key;`

/** Loads both sides. Throws where the exchange's own account names a frame twice. */
export async function loadEvidence(
  client: Client,
  truth_file: string,
  frames: Iterable<Buffer>,
): Promise<void> {
  await client.query(SCHEMA)
  await copyLines(client, 'chaos.sent', truthRows(truth_file))
  await copyLines(client, 'chaos.received_frame', receivedRows(frames))
  await client.query(TABLES)
}

type Fields = Readonly<Record<string, unknown>>

const CHUNK_BYTES = 256 * 1024

async function copyLines(client: Client, table: string, lines: Iterable<string>): Promise<void> {
  await pipeline(Readable.from(inChunks(lines)), client.query(copyFrom(`copy ${table} from stdin`)))
}

/** A stream of single lines is mostly overhead. */
function* inChunks(lines: Iterable<string>): Generator<string> {
  let chunk = ''
  for (const line of lines) {
    chunk += line
    if (chunk.length < CHUNK_BYTES) continue
    yield chunk
    chunk = ''
  }
  if (chunk !== '') yield chunk
}

function* linesOf(file: string): Generator<string> {
  const fd = openSync(file, 'r')
  try {
    const bytes = Buffer.allocUnsafe(CHUNK_BYTES)
    let rest = ''
    for (let read = readSync(fd, bytes); read > 0; read = readSync(fd, bytes)) {
      // The simulated exchange writes ASCII: no character is cut in two.
      const lines = (rest + bytes.toString('latin1', 0, read)).split('\n')
      rest = lines.pop()!
      yield* lines
    }
  } finally {
    closeSync(fd)
  }
}

function* truthRows(file: string): Generator<string> {
  for (const text of linesOf(file)) {
    const { outcome, data } = JSON.parse(text) as TruthLine
    const key = keyOf(data)
    if (key === undefined) throw new Error(`The exchange sent something unexpected: ${text}`)
    const ts = new Date(Number(data['T'])).toISOString()
    yield `${key}\t${outcome}\t${ts}\t{${factsOf(data).join(',')}}\n`
  }
}

function* receivedRows(frames: Iterable<Buffer>): Generator<string> {
  for (const frame of frames) {
    let value: unknown
    try {
      value = JSON.parse(frame.toString('utf8'))
    } catch {
      continue // spoiled on purpose
    }
    const data = (value as { readonly data?: Fields }).data
    const key = data === undefined ? undefined : keyOf(data)
    if (key !== undefined) yield `${key}\n`
  }
}

/** Undefined for what is no event, or one whose id no number can hold. */
function keyOf(data: Fields): string | undefined {
  const is_quote = data['e'] === 'bookTicker'
  if (!is_quote && data['e'] !== 'aggTrade') return undefined
  const id = data[is_quote ? 'u' : 'a']
  if (!Number.isSafeInteger(id)) return undefined
  return `${String(data['s'])}\t${is_quote ? 'book_ticker' : 'trades'}\t${String(id)}`
}

/** As text, in the order of the view chaos.stored. */
function factsOf(data: Fields): readonly string[] {
  const names = data['e'] === 'bookTicker' ? ['b', 'B', 'a', 'A'] : ['p', 'q', 'nq', 'f', 'l', 'm']
  return names.map((name) => String(typeof data[name] === 'boolean' ? Number(data[name]) : data[name]))
}
