/**
 * The data pages of one leaf (a column, or one field of a list's elements) in one row group, in
 * order. A page is decompressed only when it is opened. PLAIN numbers, such as prices of levels,
 * are read from the stream while it is decompressed. For other encodings hyparquet decodes the
 * whole page.
 */
import type { ColumnMetaData, DecodedArray, PageHeader, SchemaElement } from 'hyparquet'
import { parquetHeader } from 'hyparquet/src/column.js'
import { decompressPage, readDataPage, readDataPageV2 } from 'hyparquet/src/datapage.js'
import { readPlain } from 'hyparquet/src/plain.js'
import { release } from '../memory/release.ts'
import { LakeBudgetError } from './budget.ts'
import { ByteFeed } from './byte-feed.ts'
import { canStream, decompressors, PAGE_BYTES_MAX, unpacked } from './decompressors.ts'
import { ListedBits, PackedBits, type LevelBits } from './level-bits.ts'

export interface Leaf {
  readonly chunk: ColumnMetaData
  /** Path from below the schema's root to the leaf. */
  readonly elements: readonly SchemaElement[]
}

export interface LeafPage {
  /** Includes nulls and empty lists. */
  readonly value_count: number
  open(): Promise<OpenPage>
}

export interface OpenPage {
  /** 1 if a value continues the list of the previous value; undefined without lists. */
  readonly repetition: LevelBits | undefined
  /** 0 for a null or an empty list; undefined if the column has neither. */
  readonly definition: LevelBits | undefined
  /** `count` of the stored values, from index `from`. Call it once. */
  values(from: number, count: number): Promise<Values>
}

export type Values = Float64Array | readonly (number | string | boolean)[]

type Dictionary = readonly (number | string | boolean)[]

/** Our page headers have about 50 bytes; statistics of long texts make them larger. */
const HEADER_BYTES_MAX = 4_096
const NUMBER_BYTES = 8

/** Whether the leaf may have pages that are too large to decompress at once. */
export function isLarge({ chunk }: Leaf): boolean {
  return Number(chunk.total_uncompressed_size) > PAGE_BYTES_MAX
}

export async function* pagesOf(leaf: Leaf, feed: ByteFeed): AsyncGenerator<LeafPage> {
  let dictionary: Dictionary | undefined
  const packed = { left: 0 }
  for (let left = Number(leaf.chunk.num_values); left > 0;) {
    await feed.skip(packed.left)
    const header = await readHeader(feed)
    const { data_page_header, data_page_header_v2, dictionary_page_header } = header
    if (dictionary_page_header !== undefined) {
      const bytes = unpackOnce(leaf, header, await feed.take(header.compressed_page_size))
      const plain = { view: viewOf(bytes), offset: 0 }
      const { num_values } = dictionary_page_header
      const words = readPlain(plain, leaf.chunk.type, num_values, undefined)
      dictionary = Array.from(valuesOf(words))
      release(bytes)
      continue
    }
    const value_count = (data_page_header ?? data_page_header_v2)!.num_values
    packed.left = header.compressed_page_size
    yield {
      value_count,
      open: () => {
        const page = { leaf, header, dictionary, feed, packed }
        return isPlain(header, leaf) ? openPlain(page) : openWhole(page)
      },
    }
    left -= value_count
  }
}

interface Page {
  readonly leaf: Leaf
  readonly header: PageHeader
  readonly dictionary: Dictionary | undefined
  readonly feed: ByteFeed
  /** Compressed bytes of the page that were not yet read from the feed. */
  readonly packed: { left: number }
}

async function readHeader(feed: ByteFeed): Promise<PageHeader> {
  const reader = { view: viewOf(await feed.peek(HEADER_BYTES_MAX)), offset: 0 }
  const header = parquetHeader(reader)
  await feed.skip(reader.offset)
  return header
}

function isPlain({ data_page_header }: PageHeader, { chunk }: Leaf): boolean {
  return data_page_header?.encoding === 'PLAIN' && ['DOUBLE', 'INT64'].includes(chunk.type)
}

/** Data page version 1: both kinds of levels come before the values, each with its length first. */
async function openPlain(page: Page): Promise<OpenPage> {
  const { leaf } = page
  const bytes = await unpackedBytes(page)
  const readBits = async (is_there: boolean): Promise<LevelBits | undefined> => {
    if (!is_there) return undefined
    const length = viewOf(await bytes.take(4)).getUint32(0, true)
    if (length > PAGE_BYTES_MAX) throw new LakeBudgetError(`levels of ${length} bytes`)
    return new PackedBits(await bytes.take(length))
  }
  const repetition = await readBits(hasElement(leaf, 'REPEATED'))
  const definition = await readBits(hasElement(leaf, 'REPEATED') || hasElement(leaf, 'OPTIONAL'))
  return {
    repetition,
    definition,
    async values(from, count) {
      await bytes.skip(from * NUMBER_BYTES)
      const { buffer } = await bytes.take(count * NUMBER_BYTES)
      await bytes.close()
      return leaf.chunk.type === 'DOUBLE' ? new Float64Array(buffer) : doublesOf(buffer)
    },
  }
}

async function unpackedBytes({ leaf, header, feed, packed }: Page): Promise<ByteFeed> {
  const { compressed_page_size, uncompressed_page_size } = header
  const { codec } = leaf.chunk
  if (uncompressed_page_size <= PAGE_BYTES_MAX || !canStream(codec)) {
    packed.left = 0
    const bytes = await feed.take(compressed_page_size)
    return ByteFeed.of(unpackOnce(leaf, header, bytes), release)
  }
  return new ByteFeed(unpacked(codec, passing(feed, packed)))
}

/** The page's bytes as a stream. Bytes that are not consumed stay in the feed. */
async function* passing(feed: ByteFeed, packed: { left: number }): AsyncGenerator<Uint8Array> {
  for await (const bytes of feed.pass(packed.left)) {
    packed.left -= bytes.byteLength
    yield bytes
  }
}

async function openWhole({ leaf, header, dictionary, feed, packed }: Page): Promise<OpenPage> {
  const { chunk, elements } = leaf
  packed.left = 0
  const bytes = await feed.take(header.compressed_page_size)
  const decoder = {
    pathInSchema: chunk.path_in_schema,
    type: chunk.type,
    element: elements.at(-1)!,
    schemaPath: [ROOT, ...elements].map((element) => {
      return { element, children: [], count: 0, path: [] }
    }),
    codec: chunk.codec,
    // Used only for conversions, and there are none.
    parsers: NO_PARSERS,
    compressors: decompressors,
  }
  const { data_page_header } = header
  let page: Uint8Array = bytes
  const found =
    data_page_header === undefined
      ? (requireSize(header), readDataPageV2(bytes, header, decoder))
      : readDataPage((page = unpackOnce(leaf, header, bytes)), data_page_header, decoder)
  const { encoding } = (data_page_header ?? header.data_page_header_v2)!
  const { definitionLevels = [], repetitionLevels, dataPage } = found
  const bitsOf = (levels: readonly number[]): LevelBits | undefined =>
    levels.length === 0 ? undefined : new ListedBits(levels)
  return {
    repetition: bitsOf(repetitionLevels),
    definition: bitsOf(definitionLevels),
    async values(from, count) {
      const wanted = dataPage.slice(from, from + count)
      const values = encoding.endsWith('_DICTIONARY')
        ? Array.from(wanted as ArrayLike<number>, (code) => dictionary![code]!)
        : valuesOf(wanted)
      release(page)
      return values
    },
  }
}

const ROOT: SchemaElement = { name: 'root' }
const NO_PARSERS = {} as Parameters<typeof readDataPage>[2]['parsers']

/** Decompresses a page and frees `bytes`. */
function unpackOnce(leaf: Leaf, header: PageHeader, bytes: Uint8Array): Uint8Array {
  requireSize(header)
  const { uncompressed_page_size: size } = header
  const page = decompressPage(bytes, size, leaf.chunk.codec, decompressors)
  if (page.buffer !== bytes.buffer) release(bytes)
  return page
}

function requireSize({ uncompressed_page_size: size }: PageHeader): void {
  if (size > PAGE_BYTES_MAX) throw new LakeBudgetError(`a page of ${size >> 20} MiB`)
}

function hasElement({ elements }: Leaf, repetition: SchemaElement['repetition_type']): boolean {
  return elements.some(({ repetition_type }) => repetition_type === repetition)
}

function valuesOf(decoded: DecodedArray): Values {
  if (decoded instanceof Float64Array) return decoded
  if (decoded instanceof BigInt64Array) return doublesOf(decoded.slice().buffer)
  return Array.from(decoded as ArrayLike<unknown>, (value) =>
    value instanceof Uint8Array ? texts.decode(value) : (value as number | boolean),
  )
}

const texts = new TextDecoder()

/**
 * Converts 64-bit integers to doubles and frees their buffer. Reads two 32-bit halves, the lower
 * one first, to avoid bigint.
 */
function doublesOf(buffer: ArrayBufferLike): Float64Array {
  const halves = new Int32Array(buffer)
  const doubles = new Float64Array(halves.length / 2)
  for (let i = 0; i < doubles.length; i++) {
    doubles[i] = halves[2 * i + 1]! * 2 ** 32 + (halves[2 * i]! >>> 0)
  }
  release(halves)
  return doubles
}

function viewOf({ buffer, byteOffset, byteLength }: Uint8Array): DataView {
  return new DataView(buffer, byteOffset, byteLength)
}
