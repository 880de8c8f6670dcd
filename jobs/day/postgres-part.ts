/**
 * A stream's events from the raw tables, by binary COPY in primary-key order, so that Postgres
 * neither sorts nor scans other hours. The caller has begun the transaction that makes the reads
 * one view, and ends it. Each read releases the locks of its partitions.
 */
import copyStreams from 'pg-copy-streams'
import { readInt8, readMicros } from '#core/node/pg-copy/cells.ts'
import { copyRows, type CopyRows } from '#core/node/pg-copy/fixed-rows.ts'
import { givingLocksBack, streamGivingLocksBack } from '#core/node/hour-spans.ts'
import type { Client } from '#core/node/pool.ts'
import type { Exchange } from '#core/symbols.ts'
import { type Column, RAW_TABLES } from '#core/tables.ts'
import { toIso } from '#core/time.ts'
import type { ColumnData } from '../columns/columns.ts'
import { RowChunk } from '../columns/row-chunk.ts'
import { readDepth, type Span } from './depth-reader.ts'
import type { FeatureChannel } from './events.ts'
import type { EventSpan, PartSymbol, StreamPart } from './stream-part.ts'

const CHUNK_ROWS = 8_192
/** Text has no fixed width, so a column with two possible words is read as a flag. */
const WORDS: Readonly<Record<string, readonly [string, string]>> = { side: ['buy', 'sell'] }

export function postgresPart(
  client: Client,
  exchange: Exchange,
  channel: FeatureChannel,
  { from, to }: Span,
): StreamPart {
  const [begin, end] = [toIso(from), toIso(to)]
  const table = RAW_TABLES[channel]
  const order = table.identity.slice(1)
  const columnOf = (name: string): Column => {
    const column = table.columns.find((one) => one.name === name)
    if (column === undefined) throw new Error(`${channel} has no column ${name}.`)
    return column
  }
  return {
    symbols: () => selectSymbols(client, exchange, channel, begin, end),
    async *rows({ symbol_id }, names) {
      const columns = names.map(columnOf)
      // COPY takes no parameters, but the id and times come from numbers: nothing can be injected.
      const sql = `copy (
          select ${columns.map(fixedWidth).join(', ')} from marketdata.${channel}
          where symbol_id = ${symbol_id} and ts_exchange >= '${begin}' and ts_exchange < '${end}'
          order by ${order.join(', ')}
        ) to stdout (format binary)`
      const target = targetOf(columns)
      const widths = columns.map((column) => (isFlag(column) ? 1 : 8))
      const read = (): AsyncIterable<CopyRows> =>
        copyRows(client.query(copyStreams.to(sql)), widths, CHUNK_ROWS)
      for await (const rows of streamGivingLocksBack(client, read)) {
        yield fill(target, columns, rows)
      }
    },
    async lastRow<Name extends string>({ symbol_id }: PartSymbol, names: readonly Name[]) {
      const sql = `select ${names.map((name) => `${asDouble(columnOf(name))} as ${name}`).join(', ')}
         from marketdata.${channel} as r
         where symbol_id = $1 and r.ts_exchange >= $2 and r.ts_exchange < $3
         order by ${order.map((name) => `r.${name} desc`).join(', ')} limit 1`
      const { rows } = await givingLocksBack(client, () =>
        client.query<Readonly<Record<Name, number>>>(sql, [symbol_id, begin, end]),
      )
      return rows[0]
    },
    depth: ({ symbol_id }) =>
      streamGivingLocksBack(client, () =>
        readDepth(client, symbol_id, ['diff', 'snapshot'], { from, to }),
      ),
    async lastSnapshot({ symbol_id }) {
      const { rows } = await givingLocksBack(client, () =>
        client.query<{ ts: number }>(
          `select (extract(epoch from ts_exchange) * 1000000)::float8 as ts
           from marketdata.depth_events
           where symbol_id = $1 and depth_kind = 'snapshot'
             and ts_exchange >= $2 and ts_exchange < $3
           order by ts_exchange desc limit 1`,
          [symbol_id, begin, end],
        ),
      )
      return rows[0]?.ts
    },
  }
}

/** First and last event of every symbol of the exchange. */
async function selectSymbols(
  client: Client,
  exchange: Exchange,
  channel: FeatureChannel,
  begin: string,
  end: string,
): Promise<readonly (EventSpan & { readonly symbol: string })[]> {
  const edge = (order: 'asc' | 'desc'): string =>
    `(select (extract(epoch from ts_exchange) * 1000000)::float8 from marketdata.${channel}
      where symbol_id = s.id and ts_exchange >= $2 and ts_exchange < $3
      order by ts_exchange ${order} limit 1)`
  const { rows } = await givingLocksBack(client, () =>
    client.query<{ symbol: string; first_ts: number | null; last_ts: number | null }>(
      `select s.symbol, ${edge('asc')} as first_ts, ${edge('desc')} as last_ts
       from marketdata.symbols s where s.exchange = $1`,
      [exchange, begin, end],
    ),
  )
  return rows.flatMap(({ symbol, first_ts, last_ts }) =>
    first_ts === null || last_ts === null ? [] : { symbol, first_ts, last_ts },
  )
}

function isFlag({ type }: Column): boolean {
  return type === 'bool' || type === 'text'
}

/** A null has no fixed width either, so NaN is sent for it. */
function fixedWidth({ name, type, nullable }: Column): string {
  if (type === 'text') return `${name} = '${WORDS[name]![1]}'`
  return nullable ? `coalesce(${name}, 'NaN'::float8)` : name
}

function asDouble({ name, type, nullable }: Column): string {
  if (type === 'timestamptz') return `(extract(epoch from r.${name}) * 1000000)::float8`
  return nullable ? `coalesce(r.${name}, 'NaN'::float8)` : `r.${name}::float8`
}

type TargetColumn = Exclude<ColumnData, { readonly kind: 'levels' }>
type Target = ReadonlyMap<string, TargetColumn>

function targetOf(columns: readonly Column[]): Target {
  return new Map(columns.map((column) => [column.name, emptyColumn(column)]))
}

function emptyColumn({ name, type }: Column): TargetColumn {
  if (type === 'bool') return { kind: 'flags', values: new Uint8Array(CHUNK_ROWS) }
  if (type === 'text') {
    return { kind: 'texts', words: WORDS[name]!, codes: new Uint8Array(CHUNK_ROWS) }
  }
  return { kind: 'numbers', values: new Float64Array(CHUNK_ROWS), nulls: undefined }
}

function fill(target: Target, columns: readonly Column[], rows: CopyRows): RowChunk {
  const { view, row_count, row_bytes, offsets } = rows
  for (const [i, { name, type }] of columns.entries()) {
    const column = target.get(name)!
    const values = column.kind === 'texts' ? column.codes : column.values
    for (let row = 0, at = offsets[i]!; row < row_count; row++, at += row_bytes) {
      values[row] =
        type === 'float8'
          ? view.getFloat64(at)
          : type === 'timestamptz'
            ? readMicros(view, at)
            : type === 'int8'
              ? readInt8(view, at)
              : view.getUint8(at)
    }
  }
  return new RowChunk(row_count, target)
}
