/** Rows in the order of arrival, however the stream is cut into chunks. */
import { expect, test } from 'vitest'
import { ArrivalOrder, arrivalsOf, inArrivalOrder } from '../../../jobs/columns/arrival-order.ts'
import type { ColumnData } from '../../../jobs/columns/columns.ts'
import { RowChunk } from '../../../jobs/columns/row-chunk.ts'
import { randomNumbers } from '../features/random.ts'

const COLUMNS = { arrival: 'ts_ingest', numbers: ['ts_ingest', 'id'], flags: ['is_even'] }

function chunkOf(rows: readonly (readonly [number, number])[]): RowChunk {
  // Chunks of Postgres have room for more rows.
  const room = rows.length + 3
  const numbers = (place: 0 | 1): ColumnData => {
    const values = new Float64Array(room).fill(-1)
    for (const [i, row] of rows.entries()) values[i] = row[place]
    return { kind: 'numbers', values, nulls: undefined }
  }
  const values = Uint8Array.from({ length: room }, (_, i) => ((rows[i]?.[1] ?? 1) % 2) ^ 1)
  return new RowChunk(
    rows.length,
    new Map<string, ColumnData>([
      ['ts_ingest', numbers(0)],
      ['id', numbers(1)],
      ['is_even', { kind: 'flags', values }],
    ]),
  )
}

async function* cut(
  rows: readonly (readonly [number, number])[],
  size: () => number,
): AsyncGenerator<RowChunk> {
  for (let from = 0; from < rows.length;) {
    const to = Math.min(rows.length, from + size())
    yield chunkOf(rows.slice(from, to))
    from = to
  }
}

for (const seed of [1, 2, 3, 4]) {
  test(`every row once, by arrival, equal arrivals as they were (seed ${seed})`, async () => {
    const random = randomNumbers(seed)
    const rows = Array.from({ length: 3_000 }, (_, i): [number, number] => {
      const late = random() < 0.01 ? 2_000 : 0
      return [Math.floor(i / 2 + random() * 20 * (seed - 1)) + late, i]
    })
    const some = (most: number) => () => 1 + Math.floor(random() * most)
    const found: (readonly [number, number, number])[] = []
    for await (const chunk of inArrivalOrder(cut(rows, some(400)), cut(rows, some(90)), COLUMNS)) {
      const [times, ids] = [chunk.numbers('ts_ingest'), chunk.numbers('id')]
      const even = chunk.flags('is_even')
      for (let i = 0; i < chunk.row_count; i++) found.push([times[i]!, ids[i]!, even[i]!])
    }
    expect(found).toEqual(
      rows
        .toSorted((a, b) => a[0] - b[0] || a[1] - b[1])
        .map(([time, id]) => [time, id, (id % 2) ^ 1]),
    )
  })
}

test('rows in order leave at once, without a copy', async () => {
  const rows = Array.from({ length: 100 }, (_, i): [number, number] => [i, i])
  const order = new ArrivalOrder(
    COLUMNS,
    await arrivalsOf(
      cut(rows, () => 10),
      'ts_ingest',
    ),
  )
  const chunk = chunkOf(rows.slice(0, 10))
  expect(order.push(chunk)).toBe(chunk)
})
