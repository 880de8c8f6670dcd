/** A file's size, and a footer that takes two requests. */
import { mkdtemp, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { RAW_TABLES } from '#core/tables.ts'
import { readRecording } from '../../../infra/exchange/replay/recording.ts'
import { withLocalFile } from '../../../jobs/archive/read.ts'
import type { SymbolRows } from '../../../jobs/columns/columns.ts'
import type { RangeFile } from '../../../jobs/parquet/footer.ts'
import { readRows } from '../../../jobs/parquet/read.ts'
import { createTableFile } from '../../../jobs/parquet/table-file.ts'

const dir = await mkdtemp(join(tmpdir(), 'booktape-parquet-'))
afterAll(() => rm(dir, { recursive: true }))
const { FEEDS_DIR } = process.env
const table = RAW_TABLES.book_ticker

function quotes(rows: readonly (readonly number[])[]): SymbolRows {
  return {
    row_count: rows.length,
    columns: Array.from({ length: 7 }, (_, column) => ({
      kind: 'numbers',
      values: Float64Array.from(rows, (row) => row[column]!),
      nulls: undefined,
    })),
  }
}

describe.skipIf(FEEDS_DIR === undefined)('the BTC recording (FEEDS_DIR names its folder)', () => {
  test('quotes take at most 8 bytes per row, with both times and the id', async () => {
    const rows: number[][] = []
    const feed = join(FEEDS_DIR ?? '', 'binance-usdm-btcusdt-20240808', 'feed.ndjson.gz')
    for await (const line of readRecording(feed)) {
      if (line.kind !== 'ws' || !line.data.includes('@bookTicker')) continue
      const { T, u, b, a, B, A } = (JSON.parse(line.data) as { data: Record<string, number> }).data
      rows.push([T! * 1_000, line.ts, ...[u, b, a, B, A].map(Number)])
    }
    rows.sort(([left], [right]) => left! - right!)
    expect(rows).toHaveLength(66_089)
    const path = join(dir, 'btc.parquet')
    const file = await createTableFile({ path, table, codec: 'zstd', facts: {} })
    await file.writeGroup('BTCUSDT', quotes(rows), { from: 0, to: rows.length })
    await file.finish()
    await file.close()
    const { size } = await stat(path)
    expect(size / rows.length).toBeLessThan(8)
    await withLocalFile(path, async (local) => {
      for await (const { symbol, rows: found } of readRows(local, table)) {
        expect(symbol).toBe('BTCUSDT')
        expect(found.columns.map(bytesOf)).toEqual(quotes(rows).columns.map(bytesOf))
      }
    })
  })
})

function bytesOf(column: SymbolRows['columns'][number]): string {
  if (column.kind !== 'numbers') return column.kind
  const { buffer, byteOffset, byteLength } = column.values
  return Buffer.from(buffer, byteOffset, byteLength).toString('base64')
}

test('a footer larger than the first read is fetched with one more request', async () => {
  const path = join(dir, 'groups.parquet')
  const file = await createTableFile({ path, table, codec: 'zstd', facts: { exchange: 'test' } })
  const group_count = 1_500
  for (let group = 0; group < group_count; group++) {
    const symbol = `SYM${String(group).padStart(4, '0')}`
    await file.writeGroup(symbol, quotes([[group, 2, 3, 4, 5, 6, 7]]), { from: 0, to: 1 })
  }
  await file.finish()
  await file.close()
  await withLocalFile(path, async (local) => {
    const asked: number[] = []
    const counted: RangeFile = {
      ...local,
      read(from, to) {
        asked.push(to - from)
        return local.read(from, to)
      },
    }
    let count = 0
    for await (const { symbol, rows } of readRows(counted, table)) {
      expect(symbol).toBe(`SYM${String(count).padStart(4, '0')}`)
      const [ts] = rows.columns
      expect(ts?.kind === 'numbers' && ts.values[0]).toBe(count++)
    }
    expect(count).toBe(group_count)
    expect(asked).toHaveLength(2 + group_count)
    expect(asked[0]).toBe(512 * 1_024)
  })
})

test('a file of another table, or one that is not Parquet, is refused with what was found', async () => {
  const path = join(dir, 'other.parquet')
  const file = await createTableFile({ path, table, codec: 'zstd', facts: {} })
  await file.writeGroup('BTCUSDT', quotes([[1, 2, 3, 4, 5, 6, 7]]), { from: 0, to: 1 })
  await file.finish()
  await file.close()
  const readAs = async (local: RangeFile): Promise<void> => {
    for await (const { symbol } of readRows(local, RAW_TABLES.trades)) expect.unreachable(symbol)
  }
  await expect(withLocalFile(path, readAs)).rejects.toThrow(
    'its columns are ts_exchange, ts_ingest, symbol, update_id',
  )
  const text = Buffer.from('this is no Parquet file')
  const none: RangeFile = {
    name: 'text',
    byte_count: text.length,
    read: async (from, to) => text.subarray(from, to),
  }
  await expect(readAs(none)).rejects.toMatchObject({ code: 'archive_unreadable' })
  await expect(readAs({ ...none, byte_count: 3 })).rejects.toThrow('it has only 3 bytes')
})
