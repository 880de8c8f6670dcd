/**
 * Where a session resumes: at the position stored in the database. After a crash of Postgres it may
 * be older than the last acknowledged one, because commits are asynchronous. The tape still holds
 * those records.
 */
import { OperatorError } from '#core/errors.ts'
import { CHANNELS, GAP_CAUSES, type MarkPrice } from '#core/market.ts'
import { pendingMigrations } from '#core/node/migrate.ts'
import type { Client } from '#core/node/pool.ts'
import { isExchange } from '#core/symbols.ts'
import { HOUR_US, type Micros, micros, SECOND_US, toIso } from '#core/time.ts'
import { ROWS_MAX } from './mark-prices.ts'
import { OVERLAP_US } from './sequence-state.ts'
import { positionMoved } from './store-progress.ts'
import type { StreamOffset } from './stream-table.ts'

export interface TapeExtent {
  readonly tape_id: string
  /** Position of the oldest record on disk. */
  readonly oldest: number
  readonly end: number
}

export interface Resume {
  readonly position: number
  readonly offsets: readonly StreamOffset[]
  /** The newest rows of each stream, ordered by time. */
  readonly mark_prices: readonly MarkPrice[]
  /** Our clock at the newest committed record; undefined if unknown. */
  readonly covered_until: Micros | undefined
  /** The tape that the database had for this ingestor; undefined if it is the same tape. */
  readonly replaced_tape_id: string | undefined
}

/**
 * Reads the position. A new ingestor or a new tape starts at the tape's oldest record. `is_ours`
 * means that this process has already stored its tape's id, so any other id is an error.
 */
export async function resume(
  client: Client,
  ingestor_id: string,
  tape: TapeExtent,
  is_ours: boolean,
): Promise<Resume> {
  const { rows } = await client.query<PositionRow>(
    `select tape_id, tape_position, (extract(epoch from covered_until) * 1000000)::bigint as covered_until
      from marketdata.tape_positions where ingestor_id = $1`,
    [ingestor_id],
  )
  const known = rows[0]
  const covered_until = microsOrNull(known?.covered_until) ?? undefined
  const offsets = await readOffsets(client, ingestor_id)
  const mark_prices = await readMarkPrices(client, ingestor_id)
  if (known?.tape_id === tape.tape_id) {
    const position = Number(known.tape_position)
    if (position > tape.end) throw beyondTheEnd(ingestor_id, position, tape)
    return { position, offsets, mark_prices, covered_until, replaced_tape_id: undefined }
  }
  if (known !== undefined && is_ours) throw sharedId(ingestor_id)
  const replaced_tape_id = known?.tape_id
  const { rowCount } = await client.query(
    `insert into marketdata.tape_positions as p (ingestor_id, tape_id, tape_position)
      values ($1, $2, $3)
      on conflict (ingestor_id) do update
      set tape_id = excluded.tape_id, tape_position = excluded.tape_position, updated_at = now()
      where p.tape_id = $4`,
    [ingestor_id, tape.tape_id, tape.oldest, replaced_tape_id],
  )
  // Another process with this id has stored one meanwhile, and may have gone on since.
  if (rowCount !== 1) throw positionMoved(ingestor_id)
  return { position: tape.oldest, offsets, mark_prices, covered_until, replaced_tape_id }
}

interface PositionRow {
  readonly tape_id: string
  readonly tape_position: string
  readonly covered_until: string | null
}

/** Throws if the schema is missing or older than this build. */
export async function requireSchema(client: Client): Promise<void> {
  const pending = await pendingMigrations(client)
  if (pending.length === 0) return
  throw new OperatorError(
    'schema_old',
    `The database lacks ${pending.length === 1 ? 'migration' : 'migrations'} ${pending.join(', ')}.`,
    { hint: 'Apply them with `npx booktape migrate` and start the ingestor again.' },
  )
}

/** The last event of each stream as of the ingestor's committed position. */
export async function readOffsets(
  client: Client,
  ingestor_id: string,
): Promise<readonly StreamOffset[]> {
  const { rows } = await client.query<Record<string, string | null>>(
    `select s.exchange, s.symbol, o.channel, o.last_id, o.last_fill_id, o.deaf_cause, o.connection,
        (extract(epoch from o.ts_exchange) * 1000000)::bigint as ts_exchange,
        (extract(epoch from o.ts_ingest) * 1000000)::bigint as ts_ingest,
        (extract(epoch from coalesce(o.began_ts, o.ts_exchange)) * 1000000)::bigint as began_ts,
        (extract(epoch from o.lost_ts) * 1000000)::bigint as lost_ts,
        (extract(epoch from o.lost_at) * 1000000)::bigint as lost_at
      from marketdata.stream_offsets o join marketdata.symbols s on s.id = o.symbol_id
      where o.ingestor_id = $1`,
    [ingestor_id],
  )
  return rows.flatMap((row) => {
    const exchange = row['exchange']!
    const channel = CHANNELS.find((name) => name === row['channel'])
    // Skip streams that only a newer build knows.
    if (!isExchange(exchange) || channel === undefined) return []
    return [
      {
        exchange,
        symbol: row['symbol']!,
        channel,
        last_id: row['last_id'] === null ? null : Number(row['last_id']),
        last_fill_id: row['last_fill_id'] === null ? null : Number(row['last_fill_id']),
        ts_exchange: micros(Number(row['ts_exchange'])),
        ts_ingest: micros(Number(row['ts_ingest'])),
        began_ts: micros(Number(row['began_ts'])),
        lost_ts: microsOrNull(row['lost_ts']),
        lost_at: microsOrNull(row['lost_at']),
        connection: row['connection'] === null ? null : Number(row['connection']),
        deaf_cause: GAP_CAUSES.find((cause) => cause === row['deaf_cause']) ?? null,
      },
    ]
  })
}

function microsOrNull(text: string | null | undefined): Micros | null {
  return text === null || text === undefined ? null : micros(Number(text))
}

/** While one socket replaces another, the offset lags the newest row by OVERLAP_US at most. */
export async function readMarkPrices(
  client: Client,
  ingestor_id: string,
): Promise<readonly MarkPrice[]> {
  // Hour by hour, with bounds the planner can see. Otherwise it locks every partition.
  const { rows: hours } = await client.query<{ hour: number }>(
    `select distinct (extract(epoch from date_bin('1 hour', ts_exchange, 'epoch')) * 1000000)::float8 as hour
      from marketdata.stream_offsets where ingestor_id = $1 and channel = 'mark_price'`,
    [ingestor_id],
  )
  const found: MarkPrice[] = []
  for (const { hour } of hours) {
    const { rows } = await client.query<MarkPriceRow>(MARK_PRICES, [
      ingestor_id,
      OVERLAP_US / SECOND_US,
      ROWS_MAX,
      toIso(micros(hour)),
      toIso(micros(hour + HOUR_US)),
      toIso(micros(hour + HOUR_US + OVERLAP_US)),
    ])
    for (const row of rows) {
      const { exchange } = row
      if (isExchange(exchange)) found.push({ kind: 'mark_price', ...row, exchange })
    }
  }
  return found
}

const MARK_PRICES = `
  select s.exchange, s.symbol, (extract(epoch from m.ts_exchange) * 1000000)::float8 as ts_exchange,
    (extract(epoch from m.ts_ingest) * 1000000)::float8 as ts_ingest,
    m.mark_price, m.index_price, m.settle_price, m.funding_rate,
    (extract(epoch from m.next_funding_at) * 1000000)::float8 as next_funding_at
  from marketdata.stream_offsets o
  join marketdata.symbols s on s.id = o.symbol_id
  join marketdata.tape_positions p on p.ingestor_id = o.ingestor_id
  cross join lateral (
    select m.* from marketdata.mark_price m
    where m.symbol_id = o.symbol_id and m.ts_exchange >= o.ts_exchange
      and m.ts_exchange >= $4 and m.ts_exchange < $6
      and m.ts_exchange < o.ts_exchange + make_interval(secs => $2)
      and m.ts_ingest <= coalesce(p.covered_until, 'infinity')
    order by m.ts_exchange desc limit $3
  ) m
  where o.ingestor_id = $1 and o.channel = 'mark_price'
    and o.ts_exchange >= $4 and o.ts_exchange < $5
  order by m.symbol_id, m.ts_exchange`

type MarkPriceRow = Omit<MarkPrice, 'kind' | 'exchange'> & { readonly exchange: string }

function beyondTheEnd(ingestor_id: string, position: number, tape: TapeExtent): OperatorError {
  return new OperatorError(
    'position_beyond_tape',
    `The database holds rows of ingestor ${ingestor_id} up to position ${position} of tape ${tape.tape_id}, but the tape ends at ${tape.end}.`,
    {
      hint: 'The tape directory is an older copy, or its end was lost with the disk. Move it away: the ingestor then starts a new tape and records the gap.',
    },
  )
}

function sharedId(ingestor_id: string): OperatorError {
  return new OperatorError(
    'ingestor_id_shared',
    `Another process writes into this database as ingestor ${ingestor_id}, from another tape.`,
    { hint: 'Give every ingestor a unique INGESTOR_ID.' },
  )
}
