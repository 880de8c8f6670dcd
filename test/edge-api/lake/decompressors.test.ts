/** Pages of the archive in real workerd, whose zlib is not Node's: every codec, every size. */
import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { compress, PARQUET_NAME, type Codec } from '../../../jobs/parquet/codecs.ts'
import { is_long } from '../../support/long.ts'
import { startTestWorker } from '../worker/start.ts'

const worker = await startTestWorker(join(import.meta.dirname, '../worker/unpack.ts'))
afterAll(() => worker.stop())

const [SMALLEST, LARGEST] = [1 << 10, 4 << 20]
/** From one size of a page to the next. */
const SIZE_RATIO = is_long ? 1.04 : 1.25
/** Bytes per request: the worker has 128 MiB. */
const BODY_BYTES = 8 << 20

/** Prices and times like those in our columns, which compress to about half. */
function marketData(byte_count: number): Uint8Array {
  const values = Float64Array.from(
    { length: byte_count / 8 },
    (_, i) => 61_800 + Math.round(Math.sin(i / 50) * 40 + ((i * 7_919) % 13)) / 10,
  )
  return new Uint8Array(values.buffer)
}

const DATA: Readonly<Record<string, Uint8Array>> = {
  'market data': marketData(LARGEST),
  'what does not pack': randomBytes(LARGEST),
  'one byte again and again': new Uint8Array(LARGEST).fill(7),
}

interface Page {
  readonly holds: number
  readonly says: number
  readonly packed: Uint8Array
}

interface Unpacked {
  readonly refused: readonly number[]
  /** Not what the data's first bytes are. */
  readonly wrong: readonly number[]
}

async function unpack(codec: Codec, data: Uint8Array, pages: Iterable<Page>): Promise<Unpacked> {
  const found: { refused: number[]; wrong: number[] } = { refused: [], wrong: [] }
  let batch: Page[] = []
  let byte_count = 0
  const send = async (): Promise<void> => {
    const list = {
      codec: PARQUET_NAME[codec],
      data_bytes: data.byteLength,
      pages: batch.map(({ holds, says, packed }) => [holds, says, packed.byteLength]),
    }
    const response = await fetch(worker.url, {
      method: 'POST',
      // Packing takes longer than workerd keeps an idle connection, and blocks the news of its end.
      headers: { 'x-pages': JSON.stringify(list), connection: 'close' },
      body: Buffer.concat([data, ...batch.map(({ packed }) => packed)]),
    })
    const { refused, wrong } = (await response.json()) as Unpacked
    found.refused.push(...refused)
    found.wrong.push(...wrong)
    batch = []
    byte_count = 0
  }
  for (const page of pages) {
    if (byte_count > 0 && byte_count + page.packed.byteLength > BODY_BYTES) await send()
    batch.push(page)
    byte_count += page.packed.byteLength
  }
  await send()
  return found
}

function* sizes(ratio: number): Generator<number> {
  for (let size = SMALLEST; size < LARGEST; size = Math.ceil(size * ratio)) yield size
  yield LARGEST
}

/** Pages as they are, or with headers that state less than they contain. */
function* pagesOf(
  codec: Codec,
  data: Uint8Array,
  sizes_of: Iterable<number>,
  saysOf = (holds: number) => holds,
): Generator<Page> {
  for (const holds of sizes_of) {
    yield { holds, says: saysOf(holds), packed: compress(codec, data.subarray(0, holds)) }
  }
}

for (const codec of ['zstd', 'gzip', 'snappy'] as const) {
  describe(codec, () => {
    for (const [name, data] of Object.entries(DATA)) {
      test(`pages of 1 KiB to 4 MiB are unpacked: ${name}`, async () => {
        const pages = pagesOf(codec, data, sizes(SIZE_RATIO))
        expect(await unpack(codec, data, pages)).toEqual({ refused: [], wrong: [] })
      })
    }

    test('pages of a few bytes, and of none, are unpacked', async () => {
      const data = DATA['market data']!
      const few = Array.from({ length: 130 }, (_, size) => size)
      // What packs nothing has no byte in Snappy's reader: such a column is nulls alone.
      const pages = pagesOf(codec, data, codec === 'snappy' ? few.slice(1) : few)
      expect(await unpack(codec, data, pages)).toEqual({ refused: [], wrong: [] })
    })

    test('a page with far more bytes than its header states is refused', async () => {
      const data = new Uint8Array(48 << 20)
      const bombs = pagesOf(codec, data, [data.byteLength], () => 1_000)
      const { refused, wrong } = await unpack(codec, DATA['market data']!, bombs)
      expect({ refused, wrong }).toEqual({ refused: [data.byteLength], wrong: [] })
    })

    test('a header that states more than a worker can hold is refused', async () => {
      const data = DATA['market data']!
      const pages = pagesOf(codec, data, [5_000], () => 1 << 30)
      expect(await unpack(codec, data, pages)).toEqual({ refused: [5_000], wrong: [] })
    })

    test('a corrupt or truncated page is refused, or has another length', async () => {
      const data = DATA['market data']!
      const packed = compress(codec, data.subarray(0, 60_000))
      const cut = { holds: 60_000, says: 60_000, packed: packed.subarray(0, packed.length >> 1) }
      const noise = { ...cut, packed: randomBytes(packed.length) }
      const { refused, wrong } = await unpack(codec, data, [cut, noise])
      expect([...refused, ...wrong]).toEqual([60_000, 60_000])
    })
  })
}
