/**
 * After a state backup the newest rows are those of the lake, and the streams' offsets are further.
 * Each stream goes back to its newest row, and each tape is read from its beginning: rows that the
 * tape still has come back, and what it does not have becomes a gap.
 */
import { RAW_CHANNELS } from '#core/tables.ts'
import type { Client } from '#core/node/pool.ts'

/** Ids of the events; where a stream has none, its time in microseconds. */
const IDS: Readonly<Record<string, string>> = {
  book_ticker: 'update_id',
  trades: 'agg_trade_id',
  depth_events: 'final_update_id',
  mark_price: '(extract(epoch from ts_exchange) * 1000000)::bigint',
  liquidations: '(extract(epoch from ts_exchange) * 1000000)::bigint',
}

/** In the caller's transaction, after the newest hours of the lake were loaded. */
export async function rewindTapes(client: Client): Promise<void> {
  await client.query('update marketdata.tape_positions set tape_position = 0, covered_until = null')
  for (const channel of RAW_CHANNELS) {
    await client.query(
      `update marketdata.stream_offsets o set last_id = n.id, last_fill_id = null,
         ts_exchange = coalesce(n.ts_exchange, a.loaded_to), connection = null,
         ts_ingest = coalesce(n.ts_ingest, a.loaded_to), deaf_cause = 'tape_cut',
         lost_ts = coalesce(n.ts_exchange, a.loaded_to), lost_at = now()
       from (
         select s.id as symbol_id, max(a.hour) + interval '1 hour' as loaded_to
         from marketdata.symbols s
         join marketdata.archive a on a.exchange = s.exchange and a.table_name = $1
         group by s.id
       ) a
       left join lateral (
         select ${IDS[channel]} as id, ts_exchange, ts_ingest from marketdata.${channel} t
         where t.symbol_id = a.symbol_id
         order by ts_exchange desc, 1 desc limit 1
       ) n on true
       where o.symbol_id = a.symbol_id and o.channel = $1 and o.ts_exchange > coalesce(n.ts_exchange, a.loaded_to)
         and not (o.deaf_cause is not null and (o.deaf_cause = 'delisted' or o.connection = 0))`,
      [channel],
    )
  }
  await client.query(
    `update marketdata.stream_offsets o set last_id = (extract(epoch from n.ts_exchange) * 1000000)::bigint,
       ts_exchange = n.ts_exchange, ts_ingest = n.ts_ingest, connection = null,
       deaf_cause = 'tape_cut', lost_ts = n.ts_exchange, lost_at = now()
     from marketdata.symbols s
     cross join lateral (
       select p.timestamp as ts_exchange, p.ts_ingest from marketdata.prices p
       where p.ticker = s.symbol order by p.timestamp desc limit 1
     ) n
     where o.symbol_id = s.id and o.channel = 'prices' and o.ts_exchange > n.ts_exchange`,
  )
}
