import { expect, test } from 'vitest'
import { readInt8, readMicros } from '#core/node/pg-copy/cells.ts'
import { copyRows } from '#core/node/pg-copy/fixed-rows.ts'

const WIDTHS = [8, 8, 1] as const
const SIGNATURE = Buffer.from('PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0', 'latin1')

function row(micros_since_2000: bigint, id: bigint, flag: number): Buffer {
  const bytes = Buffer.alloc(2 + 12 + 12 + 5)
  bytes.writeInt16BE(3, 0)
  bytes.writeInt32BE(8, 2)
  bytes.writeBigInt64BE(micros_since_2000, 6)
  bytes.writeInt32BE(8, 14)
  bytes.writeBigInt64BE(id, 18)
  bytes.writeInt32BE(1, 26)
  bytes.writeUInt8(flag, 30)
  return bytes
}

const TRAILER = Buffer.from([0xff, 0xff])

async function decode(bytes: Buffer, piece_bytes: number, rows_max: number) {
  async function* pieces(): AsyncGenerator<Buffer> {
    for (let at = 0; at < bytes.length; at += piece_bytes)
      yield bytes.subarray(at, at + piece_bytes)
  }
  const found: unknown[] = []
  for await (const { view, row_count, row_bytes, offsets } of copyRows(
    pieces(),
    WIDTHS,
    rows_max,
  )) {
    for (let at = 0; at < row_count * row_bytes; at += row_bytes) {
      const [ts, id, flag] = offsets.map((offset) => at + offset)
      found.push([readMicros(view, ts!), readInt8(view, id!), view.getUint8(flag!)])
    }
  }
  return found
}

test('rows are complete and exact, wherever the stream is split', async () => {
  const rows = [
    row(0n, 1n, 0),
    row(-1n, 9_007_199_254_740_991n, 1),
    row(776_476_456_313_001n, -5n, 1),
  ]
  const expected = [
    [946_684_800_000_000, 1, 0],
    [946_684_799_999_999, 9_007_199_254_740_991, 1],
    [1_723_161_256_313_001, -5, 1],
  ]
  const bytes = Buffer.concat([SIGNATURE, ...rows, TRAILER])
  for (let piece_bytes = 1; piece_bytes <= bytes.length; piece_bytes++) {
    for (const rows_max of [1, 2, 3, 100]) {
      expect(await decode(bytes, piece_bytes, rows_max)).toEqual(expected)
    }
  }
})

test('an empty stream has no rows', async () => {
  expect(await decode(Buffer.concat([SIGNATURE, TRAILER]), 7, 4)).toEqual([])
})

test('anything else than such a stream is refused', async () => {
  const good = row(0n, 1n, 0)
  await expect(decode(Buffer.alloc(40), 7, 4)).rejects.toThrow('not binary COPY')
  await expect(decode(Buffer.concat([SIGNATURE, good]), 7, 4)).rejects.toThrow('middle of a row')
  await expect(
    decode(Buffer.concat([SIGNATURE, good.subarray(0, 20), TRAILER]), 7, 4),
  ).rejects.toThrow('middle of a row')
  const wider = Buffer.from(good)
  wider.writeInt16BE(4, 0)
  await expect(decode(Buffer.concat([SIGNATURE, wider, TRAILER]), 7, 4)).rejects.toThrow(
    'does not match the select list',
  )
})
