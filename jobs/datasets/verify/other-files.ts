/** Checks that a dataset's Arrow and CSV files hold the same rows as its Parquet file. */
import { createReadStream } from 'node:fs'
import { open } from 'node:fs/promises'
import { pipeline } from 'node:stream/promises'
import { createGunzip } from 'node:zlib'
import type { Vector } from 'apache-arrow'
import { isExchange } from '#core/symbols.ts'
import { TARDIS_EXCHANGES, TARDIS_HEADERS, type TardisKind } from '../tardis/csv.ts'
import { openArrow } from './arrow-reader.ts'
import { ColumnDigests, type Values } from './column-digest.ts'
import type { ReportFinding } from './finding.ts'
import type { CheckedFile, CheckedManifest } from './manifest.ts'
import type { TableFacts } from './table-file.ts'

export async function checkArrow(
  path: string,
  { name, row_count }: CheckedFile,
  manifest: CheckedManifest,
  table: TableFacts | undefined,
  report: ReportFinding,
): Promise<void> {
  const digests = new ColumnDigests()
  let found_count = 0
  const handle = await open(path)
  try {
    const reader = await openArrow(handle)
    const columns = reader.schema.fields.map((field) => field.name).join(', ')
    const expected = manifest.columns.map((column) => column.name).join(', ')
    if (columns !== expected)
      report(name, `Its columns are ${columns}; the manifest says ${expected}.`)
    for await (const batch of reader) {
      found_count += batch.numRows
      for (const [i, field] of batch.schema.fields.entries()) {
        const vector = batch.getChildAt(i)!
        // The getter of a timestamp returns milliseconds.
        const is_time = manifest.columns[i]?.type === 'timestamp_us'
        digests.add(field.name, is_time ? timesOf(vector) : [...vector])
      }
    }
  } finally {
    await handle.close().catch(() => undefined)
  }
  if (found_count !== row_count) {
    report(name, `It has ${found_count} rows, but the manifest says ${row_count}.`)
  }
  const of_arrow = digests.finish()
  for (const [column, digest] of table?.digests ?? []) {
    if (of_arrow.get(column) !== digest) report(name, `${column} differs from the Parquet file.`)
  }
}

/** In microseconds; null where there is none. */
function timesOf(vector: Vector): Values {
  const values = vector.data[0]!.values as BigInt64Array
  if (vector.nullCount === 0) return values
  return Array.from(values, (value, row) => (vector.isValid(row) ? value : null))
}

const NAME = /^(?<exchange>[a-z-]+)_(?<kind>\w+)_\d{4}-\d{2}-\d{2}_(?<symbol>.+)\.csv\.gz$/

export async function checkCsv(
  path: string,
  { name, row_count }: CheckedFile,
  table: TableFacts | undefined,
  report: ReportFinding,
): Promise<void> {
  const { exchange = '', kind = '', symbol = '' } = NAME.exec(name)?.groups ?? {}
  if (!isTardisKind(kind)) {
    report(name, 'Its name does not have the form exchange_kind_date_symbol.csv.gz.')
    return
  }
  let [found_count, last_ts] = [-1, -Infinity]
  const start = `${exchange},${symbol},`
  const field_count = TARDIS_HEADERS[kind].split(',').length
  await eachLine(path, (line) => {
    found_count += 1
    if (found_count === 0) {
      if (line !== TARDIS_HEADERS[kind]) report(name, `Its header is ${line.slice(0, 200)}.`)
      return
    }
    const fields = line.split(',')
    // local_timestamp
    const ts = Number(fields[3])
    if (!line.startsWith(start) || fields.length !== field_count || !Number.isSafeInteger(ts)) {
      report(name, `Row ${found_count} does not belong to ${symbol}: ${line.slice(0, 200)}`)
    } else if (ts < last_ts) report(name, `Row ${found_count} is earlier than the one before it.`)
    last_ts = ts
  })
  if (found_count !== row_count) {
    report(name, `It has ${found_count} rows, but the manifest says ${row_count}.`)
  }
  // A line holds the whole book, not a row of the table.
  if (kind === 'book_snapshot_25') return
  const in_table = [...(table?.row_counts ?? [])].find(([key]) => {
    const [of_table, ...rest] = key.split(' ')
    const name_of = isExchange(of_table!) ? TARDIS_EXCHANGES[of_table] : undefined
    return name_of === exchange && rest.join(' ') === symbol
  })
  if (table !== undefined && in_table?.[1] !== found_count) {
    const table_count = in_table?.[1] ?? 0
    const expected = `${table_count} of ${symbol}`
    report(name, `It has ${found_count} rows, but the Parquet file has ${expected}.`)
  }
}

function isTardisKind(kind: string): kind is TardisKind {
  return Object.hasOwn(TARDIS_HEADERS, kind)
}

async function eachLine(path: string, onLine: (line: string) => void): Promise<void> {
  let rest = ''
  const decoder = new TextDecoder()
  await pipeline(createReadStream(path), createGunzip(), async (source: AsyncIterable<Buffer>) => {
    for await (const bytes of source) {
      const lines = (rest + decoder.decode(bytes, { stream: true })).split('\n')
      rest = lines.pop()!
      for (const line of lines) onLine(line)
    }
  })
  if (rest !== '') onLine(rest)
}
