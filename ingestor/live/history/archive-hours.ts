/**
 * The hours of a stream that have left Postgres. Their Parquet files in the object store are read
 * by byte ranges; a row group holds one symbol (core/archive.ts).
 */
import { zstdDecompressSync, gunzipSync } from 'node:zlib'
import {
  type FileMetaData,
  parquetMetadataAsync,
  parquetReadObjects,
  snappyUncompress,
} from 'hyparquet'
import { OperatorError } from '#core/errors.ts'
import type { ObjectStore } from '#core/node/object-store.ts'
import { type Pool, withClient } from '#core/node/pool.ts'
import { RAW_TABLES } from '#core/tables.ts'
import { micros, toIso } from '#core/time.ts'
import { compareKeys, type Row } from '../rows.ts'
import { type HourRows, type HourSource, receivedAt, type Wanted, wholeTimes } from './source.ts'

interface ArchivedFile {
  readonly object_key: string
  readonly byte_count: number
}

/** Hours whose file may hold rows that were received after `after`. */
export async function readArchivedHours(
  pool: Pool,
  store: ObjectStore | undefined,
  wanted: Wanted,
  after: number,
): Promise<readonly HourSource[]> {
  const { rows: files } = await withClient(pool, (client) =>
    client.query<ArchivedFile>(
      `select distinct on (hour) object_key, byte_count::float8 as byte_count
       from marketdata.archive
       where exchange = $1 and table_name = $2 and dropped_at is not null
         and archived_at > $3::timestamptz
       order by hour, version desc`,
      [wanted.exchange, wanted.channel, toIso(micros(after))],
    ),
  )
  if (files.length > 0 && store === undefined) {
    throw new OperatorError('no_store', 'Rows have left Postgres, and no object store is set.', {
      hint: 'Set S3_ENDPOINT, S3_BUCKET, S3_REGION, S3_ACCESS_KEY_ID and S3_SECRET_ACCESS_KEY.',
    })
  }
  const hours: HourSource[] = []
  for (const file of files) {
    const rows = await readFile(store!, file, wanted, after)
    const [first] = rows
    if (first === undefined) continue
    hours.push({
      first: receivedAt(first),
      last: receivedAt(rows.at(-1)!),
      read: async (from, to, limit) => partOf(rows, from, to, limit),
    })
  }
  return hours
}

async function readFile(
  store: ObjectStore,
  { object_key, byte_count }: ArchivedFile,
  { channel, symbol }: Wanted,
  after: number,
): Promise<readonly Row[]> {
  const file = {
    byteLength: byte_count,
    async slice(from: number, to = byte_count): Promise<ArrayBuffer> {
      const bytes = await store.readRange(object_key, from, to)
      if (bytes !== undefined) return Uint8Array.from(bytes).buffer
      throw new OperatorError('object_missing', `The store has no object ${object_key}.`)
    },
  }
  const metadata = await parquetMetadataAsync(file)
  const rows: Row[] = []
  for (const [rowStart, rowEnd] of rangesOf(metadata, symbol)) {
    const options = { file, metadata, rowStart, rowEnd, parsers: PARSERS, compressors: COMPRESSORS }
    const read: readonly Row[] = await parquetReadObjects(options)
    for (const row of read) {
      if (row['symbol'] === symbol && Number(row['ts_ingest']) > after)
        rows.push(plain(channel, row))
    }
  }
  return rows.toSorted((a, b) => receivedAt(a) - receivedAt(b) || compareKeys(channel, a, b))
}

/** The rows of the symbol's row groups. */
function rangesOf(metadata: FileMetaData, symbol: string): readonly (readonly [number, number])[] {
  let at = 0
  return metadata.row_groups.flatMap(({ columns, num_rows }) => {
    const range = [at, at + Number(num_rows)] as const
    at = range[1]
    const column = columns.find(({ meta_data }) => meta_data?.path_in_schema[0] === 'symbol')
    const { min_value, max_value } = column?.meta_data?.statistics ?? {}
    const is_other = min_value !== undefined && min_value === max_value && min_value !== symbol
    return is_other ? [] : [range]
  })
}

function plain(channel: Wanted['channel'], row: Row): Row {
  return Object.fromEntries(
    RAW_TABLES[channel].columns.map(({ name, type }) => {
      const value = row[name] ?? null
      if (value === null) return [name, null]
      if (type === 'levels') {
        const levels = value as readonly { readonly price: number; readonly qty: number }[]
        return [name, levels.map(({ price, qty }) => [price, qty])]
      }
      return [name, typeof value === 'bigint' ? Number(value) : value]
    }),
  )
}

function partOf(rows: readonly Row[], after: number, to: number, limit: number): HourRows {
  const wanted = rows.filter((row) => receivedAt(row) > after && receivedAt(row) <= to)
  if (wanted.length <= limit) return { rows: wanted, is_whole: true }
  const whole = wholeTimes(wanted.slice(0, limit + 1))
  return whole.length === 0 ? partOf(rows, after, to, limit * 2) : { rows: whole, is_whole: false }
}

const PARSERS = { timestampFromMicroseconds: Number }
const COMPRESSORS = {
  ZSTD: (bytes: Uint8Array) => zstdDecompressSync(bytes),
  GZIP: (bytes: Uint8Array) => gunzipSync(bytes),
  SNAPPY(bytes: Uint8Array, page_bytes: number) {
    const page = new Uint8Array(page_bytes)
    snappyUncompress(bytes, page)
    return page
  },
}
