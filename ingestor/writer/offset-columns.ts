/** The streams' offsets on their way into marketdata.stream_offsets: each column as an array. */
import { bigints, texts, timestamps } from './binary-arrays.ts'
import type { StreamBatch, StreamKey, StreamOffset } from './stream-table.ts'

export type StoredOffset = StreamOffset & { readonly symbol_id: number }

export function offsetsOf(
  streams: readonly StreamBatch[],
  symbolId: (stream: StreamKey) => number,
): readonly StoredOffset[] {
  return streams.flatMap(({ offset }) =>
    offset === undefined ? [] : [{ ...offset, symbol_id: symbolId(offset) }],
  )
}

/** The parameters of `upsertOffsets`. */
export type OffsetColumns = readonly Buffer[]

export function offsetColumns(offsets: readonly StoredOffset[]): OffsetColumns {
  return [
    bigints(offsets.map(({ symbol_id }) => symbol_id)),
    texts(offsets.map(({ channel }) => channel)),
    bigints(offsets.map(({ last_id }) => last_id)),
    bigints(offsets.map(({ last_fill_id }) => last_fill_id)),
    timestamps(offsets.map(({ ts_exchange }) => ts_exchange)),
    timestamps(offsets.map(({ ts_ingest }) => ts_ingest)),
    timestamps(offsets.map(({ began_ts }) => began_ts)),
    texts(offsets.map(({ deaf_cause }) => deaf_cause)),
    timestamps(offsets.map(({ lost_ts }) => lost_ts)),
    timestamps(offsets.map(({ lost_at }) => lost_at)),
    bigints(offsets.map(({ connection }) => connection)),
  ]
}

const OFFSET_TYPES = [
  'bigint',
  'text',
  'bigint',
  'bigint',
  'timestamptz',
  'timestamptz',
  'timestamptz',
  'text',
  'timestamptz',
  'timestamptz',
  'bigint',
]

/** `$1` is the ingestor; the columns are parameters from `first` on. */
export function upsertOffsets(first: number): string {
  const columns = OFFSET_TYPES.map((type, index) => `$${first + index}::${type}[]`)
  return `insert into marketdata.stream_offsets
    (ingestor_id, symbol_id, channel, last_id, last_fill_id, ts_exchange, ts_ingest, began_ts,
      deaf_cause, lost_ts, lost_at, connection)
  select $1::text, symbol_id, channel, last_id, last_fill_id, ts_exchange, ts_ingest,
    began_ts, deaf_cause, lost_ts, lost_at, connection
  from unnest(${columns.join(', ')}) as o (symbol_id, channel, last_id, last_fill_id, ts_exchange,
    ts_ingest, began_ts, deaf_cause, lost_ts, lost_at, connection)
  on conflict (ingestor_id, symbol_id, channel) do update
  set last_id = excluded.last_id, last_fill_id = excluded.last_fill_id,
    ts_exchange = excluded.ts_exchange, ts_ingest = excluded.ts_ingest,
    began_ts = excluded.began_ts, deaf_cause = excluded.deaf_cause, lost_ts = excluded.lost_ts,
    lost_at = excluded.lost_at, connection = excluded.connection`
}
