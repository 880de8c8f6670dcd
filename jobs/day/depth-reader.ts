/**
 * Reads one symbol's depth from Postgres by binary COPY. Decoding the float8[][] of a diff from
 * binary is several times faster than parsing its text.
 */
import copyStreams from 'pg-copy-streams'
import type { AnyDepthChange, DepthChange } from '#core/book-sync.ts'
import type { Level } from '#core/market.ts'
import type { Client } from '#core/node/pool.ts'
import { micros, type Micros, toIso } from '#core/time.ts'
import { readInt8, readMicros } from '#core/node/pg-copy/cells.ts'

export interface DepthRow extends DepthChange {
  readonly depth_kind: 'diff' | 'snapshot'
}

/** The same, with levels of any form. */
export type AnyDepthRow = AnyDepthChange & Pick<DepthRow, 'depth_kind'>

/** The same, with the time of its arrival. */
export type ArrivedDepthRow = AnyDepthRow & { readonly ts_ingest: Micros }

/** Half-open: [from, to). */
export interface Span {
  readonly from: Micros
  readonly to: Micros
}

/** Diffs of the span in order of (ts_exchange, final_update_id). */
export function readDiffs(
  client: Client,
  symbol_id: number,
  span: Span,
): AsyncGenerator<DepthChange> {
  return flat(readDepth(client, symbol_id, ['diff'], span))
}

/** Snapshots of the span, oldest first. */
export function readSnapshots(
  client: Client,
  symbol_id: number,
  span: Span,
): AsyncGenerator<DepthChange> {
  return flat(readDepth(client, symbol_id, ['snapshot'], span))
}

/** ts_exchange of the newest snapshot up to `ts`, or else of the oldest one; undefined if none. */
export async function snapshotTimeNear(
  client: Client,
  symbol_id: number,
  ts: Micros,
): Promise<Micros | undefined> {
  const { rows } = await client.query<{ ts: number | null }>(
    `select (extract(epoch from coalesce(
       marketdata.nearest_ts('depth_events', $1, '-infinity', $2, true, 'snapshot'),
       marketdata.nearest_ts('depth_events', $1, $2, 'infinity', false, 'snapshot')
     )) * 1000000)::float8 as ts`,
    [symbol_id, toIso(micros(ts + 1))],
  )
  const found = rows[0]?.ts ?? undefined
  return found === undefined ? undefined : micros(found)
}

/**
 * Rows of these kinds in batches, ordered by (ts_exchange, final_update_id, depth_kind). COPY takes
 * no parameters, but the id and times in its text come from numbers, so nothing can be injected.
 */
export async function* readDepth(
  client: Client,
  symbol_id: number,
  kinds: readonly DepthRow['depth_kind'][],
  { from, to }: Span,
): AsyncGenerator<readonly (DepthRow & ArrivedDepthRow)[]> {
  const stream = client.query(
    copyStreams.to(
      `copy (
         select ts_exchange, final_update_id, first_update_id, prev_final_update_id,
           depth_kind = 'snapshot', ts_ingest, bids, asks
         from marketdata.depth_events
         where symbol_id = ${symbol_id} and depth_kind in (${quoted(kinds)})
           and ts_exchange >= '${toIso(from)}' and ts_exchange < '${toIso(to)}'
         order by ts_exchange, final_update_id, depth_kind
       ) to stdout (format binary)`,
    ),
  )
  yield* decodeRows(stream)
}

function quoted(kinds: readonly string[]): string {
  return kinds.map((kind) => `'${kind}'`).join(', ')
}

async function* flat<T>(batches: AsyncIterable<readonly T[]>): AsyncGenerator<T> {
  for await (const batch of batches) yield* batch
}

const HEADER_BYTES = 19
const TRAILER = -1

/** Decodes rows of the columns above. One batch holds the rows of one chunk of the stream. */
async function* decodeRows(
  stream: AsyncIterable<Buffer>,
): AsyncGenerator<readonly (DepthRow & ArrivedDepthRow)[]> {
  let rest: Buffer = Buffer.alloc(0)
  let is_header_read = false
  for await (const chunk of stream) {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk])
    let at = 0
    if (!is_header_read) {
      if (rest.length < HEADER_BYTES) continue
      is_header_read = true
      at = HEADER_BYTES
    }
    const rows: (DepthRow & ArrivedDepthRow)[] = []
    for (;;) {
      const end = rowEnd(rest, at)
      if (end === undefined) break
      rows.push(decodeRow(new DataView(rest.buffer, rest.byteOffset + at, end - at)))
      at = end
    }
    rest = rest.subarray(at)
    if (rows.length > 0) yield rows
  }
  if (rest.length !== 2 || rest.readInt16BE(0) !== TRAILER) {
    throw new Error(`Binary COPY ended in the middle of a row, ${rest.length} bytes left over.`)
  }
}

const FIELD_COUNT = 8

/** End of the row that begins at `at`; undefined if it is incomplete or the stream has ended. */
function rowEnd(bytes: Buffer, at: number): number | undefined {
  if (bytes.length < at + 2 || bytes.readInt16BE(at) === TRAILER) return undefined
  let end = at + 2
  for (let field = 0; field < FIELD_COUNT; field++) {
    if (bytes.length < end + 4) return undefined
    end += 4 + Math.max(0, bytes.readInt32BE(end))
  }
  return bytes.length < end ? undefined : end
}

function decodeRow(row: DataView): DepthRow & ArrivedDepthRow {
  if (row.getInt16(0) !== FIELD_COUNT) throw new Error('Binary COPY: wrong column count.')
  let at = 2
  const next = (): number | undefined => {
    const length = row.getInt32(at)
    const start = at + 4
    at = start + Math.max(0, length)
    return length < 0 ? undefined : start
  }
  const id = (): number | null => {
    const start = next()
    return start === undefined ? null : readInt8(row, start)
  }
  return {
    ts_exchange: readMicros(row, next()!),
    final_update_id: id()!,
    first_update_id: id(),
    prev_final_update_id: id(),
    depth_kind: row.getUint8(next()!) === 1 ? 'snapshot' : 'diff',
    ts_ingest: readMicros(row, next()!),
    bids: decodeLevels(row, next()!),
    asks: decodeLevels(row, next()!),
  }
}

const ARRAY_HEAD_BYTES = 12
const DIMENSION_BYTES = 8
const ELEMENT_BYTES = 12

/** float8[][] with two columns: dimensions, a null flag and the element type, then the elements. */
function decodeLevels(row: DataView, start: number): readonly Level[] {
  const dimension_count = row.getInt32(start)
  if (dimension_count === 0) return []
  const first = start + ARRAY_HEAD_BYTES
  if (dimension_count !== 2 || row.getInt32(first + DIMENSION_BYTES) !== 2) {
    throw new Error('Depth levels are not [price, qty] pairs.')
  }
  let at = first + 2 * DIMENSION_BYTES + 4
  const levels: Level[] = []
  for (let left = row.getInt32(first); left > 0; left--) {
    levels.push([row.getFloat64(at), row.getFloat64(at + ELEMENT_BYTES)])
    at += 2 * ELEMENT_BYTES
  }
  return levels
}
