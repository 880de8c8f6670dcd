/**
 * Loads what the exchange sent and what the tape received into the database, so that SQL can
 * compare both with the tables. It reads frames with JSON.parse and leaves decimal text to
 * Postgres, to be independent of the ingestor's parser.
 */
import { createHash } from 'node:crypto'
import { closeSync, openSync, readSync } from 'node:fs'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { from as copyFrom } from 'pg-copy-streams'
import type { Client } from '#core/node/pool.ts'
import type { TruthLine } from '../../infra/exchange/truth-log.ts'

/**
 * sent: every requested frame, with its intended content. received_frame: frames of the tape with a
 * readable event id. received: the distinct ones among them with the intended content (a corrupt
 * frame may still be JSON with an id). stored: rows of the tables. gap: the ledger. facts are the
 * numbers of a row; digest is a hash of their text and the time.
 */
const SCHEMA = `
  create schema chaos;
  create unlogged table chaos.sent (
    symbol text, channel text, id bigint, digest text, outcome text, ts_exchange timestamptz,
    facts float8[]
  );
  create unlogged table chaos.received_frame (symbol text, channel text, id bigint, digest text);`

/** The id of events without an id. */
const MILLIS = '(extract(epoch from ts_exchange) * 1000)::bigint'

const TABLES = `
  create unlogged table chaos.stored as
    select symbol, 'book_ticker' as channel, update_id as id, ts_exchange,
      array[best_bid, bid_qty, best_ask, ask_qty] as facts
    from marketdata.book_ticker join marketdata.symbols s on s.id = symbol_id
    union all
    select symbol, 'trades', agg_trade_id, ts_exchange,
      array[price, qty, non_rpi_qty, first_trade_id, last_trade_id, is_buyer_maker::int]
    from marketdata.trades join marketdata.symbols s on s.id = symbol_id
    union all
    select symbol, 'depth_events', final_update_id, ts_exchange,
      array[first_update_id, prev_final_update_id]::float8[]
        || array(select unnest(bids)) || array(select unnest(asks))
    from marketdata.depth_events join marketdata.symbols s on s.id = symbol_id
    where depth_kind = 'diff'
    union all
    select symbol, 'mark_price', ${MILLIS}, ts_exchange,
      array[mark_price, index_price, settle_price, funding_rate,
        extract(epoch from next_funding_at) * 1000]
    from marketdata.mark_price join marketdata.symbols s on s.id = symbol_id
    union all
    select symbol, 'liquidations', ${MILLIS}, ts_exchange,
      array[(side = 'sell')::int, price, qty, average_price, filled_qty]
    from marketdata.liquidations join marketdata.symbols s on s.id = symbol_id;
  create unlogged table chaos.received as
    select distinct symbol, channel, id
    from chaos.received_frame join chaos.sent using (symbol, channel, id, digest);
  create unlogged table chaos.gap as
    select g.*, s.symbol from marketdata.gaps g join marketdata.symbols s on s.id = g.symbol_id;
  create unlogged table chaos.stored_key as
    select symbol, channel, id, count(*)::int as row_count from chaos.stored group by 1, 2, 3;
  create unique index on chaos.stored_key (symbol, channel, id);
  create unique index on chaos.sent (symbol, channel, id);
  create unique index on chaos.received (symbol, channel, id);
  create index on chaos.gap (symbol, channel);
  analyze chaos.sent, chaos.received, chaos.stored, chaos.stored_key, chaos.gap;`

/** Loads both sides. Throws if the exchange's truth log has a frame twice. */
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

/** Chunks, because a stream of single lines is mostly overhead. */
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
      // The simulated exchange writes ASCII, so no character is split.
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
    const event = eventOf(data)
    if (event === undefined) throw new Error(`The exchange sent something unexpected: ${text}`)
    const { key, ts_ms, facts } = event
    const ts_exchange = new Date(ts_ms).toISOString()
    yield `${key}\t${digestOf(event)}\t${outcome}\t${ts_exchange}\t{${facts.join(',')}}\n`
  }
}

function* receivedRows(frames: Iterable<Buffer>): Generator<string> {
  for (const frame of frames) {
    let value: unknown
    try {
      value = JSON.parse(frame.toString('utf8'))
    } catch {
      continue // corrupt on purpose
    }
    const data = (value as { readonly data?: Fields }).data
    const event = data === undefined ? undefined : eventOf(data)
    if (event !== undefined) yield `${event.key}\t${digestOf(event)}\n`
  }
}

/** A hash of the decimal text, so that no number is too large. */
function digestOf({ ts_ms, facts }: Event): string {
  return createHash('md5')
    .update(`${ts_ms},${facts.join(',')}`)
    .digest('base64')
}

interface Event {
  /** Symbol, channel, id. */
  readonly key: string
  readonly ts_ms: number
  /** As text, in the column order of chaos.stored. */
  readonly facts: readonly string[]
}

/** Undefined if the frame is not an event, or if its id is not a safe integer. */
function eventOf(data: Fields): Event | undefined {
  const kind = typeof data['e'] === 'string' ? KINDS[data['e']] : undefined
  if (kind === undefined) return undefined
  const fields = kind.fieldsOf(data)
  const id = fields[kind.id]
  if (!Number.isSafeInteger(id)) return undefined
  return {
    key: `${String(fields['s'])}\t${kind.channel}\t${String(id)}`,
    ts_ms: Number(fields[kind.time]),
    facts: kind.facts.flatMap((name) => textsOf(fields[name])),
  }
}

interface Kind {
  readonly channel: string
  readonly id: string
  readonly time: string
  readonly facts: readonly string[]
  readonly fieldsOf: (data: Fields) => Fields
}

const whole = (data: Fields): Fields => data

const KINDS: Readonly<Record<string, Kind>> = {
  bookTicker: {
    channel: 'book_ticker',
    id: 'u',
    time: 'T',
    facts: ['b', 'B', 'a', 'A'],
    fieldsOf: whole,
  },
  aggTrade: {
    channel: 'trades',
    id: 'a',
    time: 'T',
    facts: ['p', 'q', 'nq', 'f', 'l', 'm'],
    fieldsOf: whole,
  },
  depthUpdate: {
    channel: 'depth_events',
    id: 'u',
    time: 'T',
    facts: ['U', 'pu', 'b', 'a'],
    fieldsOf: whole,
  },
  markPriceUpdate: {
    channel: 'mark_price',
    id: 'E',
    time: 'E',
    facts: ['p', 'i', 'P', 'r', 'T'],
    fieldsOf: whole,
  },
  forceOrder: {
    channel: 'liquidations',
    id: 'T',
    time: 'T',
    facts: ['S', 'p', 'q', 'ap', 'z'],
    fieldsOf: (data) => (data['o'] ?? {}) as Fields,
  },
}

/** Levels are flattened; flags and sides are 0 or 1. */
function textsOf(value: unknown): readonly string[] {
  if (Array.isArray(value)) return value.flatMap(textsOf)
  if (value === 'SELL' || value === 'BUY') return [value === 'SELL' ? '1' : '0']
  return [typeof value === 'boolean' ? String(Number(value)) : String(value)]
}
