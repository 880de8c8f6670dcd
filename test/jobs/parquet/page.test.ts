/** Pages that leaf.ts encodes, decoded by us and by hyparquet, which shares no code with us. */
import { readDataPage } from 'hyparquet/src/datapage.js'
import { expect, test } from 'vitest'
import type { ArchivedColumn } from '#core/archived-tables.ts'
import type { ColumnData } from '../../../jobs/columns/columns.ts'
import { encodeColumn, type Leaf } from '../../../jobs/parquet/leaf.ts'
import { decodePage, type PageShape } from '../../../jobs/parquet/page.ts'

let state = 20_261_129
const random = (): number => (state = (state * 48_271) % 2_147_483_647) / 2_147_483_647
const whole = (max: number): number => Math.floor(random() * max)
const ROWS = [1, 7, 8, 9, 127, 128, 129, 1_000, 5_003]

function leavesOf(
  type: ArchivedColumn['type'],
  nullable: boolean,
  data: ColumnData,
): readonly Leaf[] {
  const column = { name: 'x', type, nullable, unit: '', description: '' } as ArchivedColumn
  const row_count = data.kind === 'levels' ? data.ends.length : rowsOf(data)
  return encodeColumn(column, data, { from: 0, to: row_count }, { plain: false })
}

function rowsOf(data: Exclude<ColumnData, { readonly kind: 'levels' }>): number {
  return data.kind === 'texts' ? data.codes.length : data.values.length
}

function shapeOf(
  leaf: Leaf,
  levels: Pick<PageShape, 'has_repetition' | 'has_definition'>,
): PageShape {
  const { type, encoding, value_count } = leaf
  return { type, encoding, value_count, ...levels }
}

/** hyparquet's values, levels as numbers; undefined levels where it has none. */
function hyparquet(leaf: Leaf, { has_repetition, has_definition }: PageShape): unknown {
  const repetition_type = has_definition ? 'OPTIONAL' : 'REQUIRED'
  const path = [
    { name: 'root' },
    ...(has_repetition ? [{ name: 'list', repetition_type: 'REPEATED' }] : []),
    { name: 'x', repetition_type: has_repetition ? 'REQUIRED' : repetition_type },
  ]
  const { dataPage, definitionLevels, repetitionLevels } = readDataPage(
    leaf.body,
    {
      num_values: leaf.value_count,
      encoding: leaf.encoding,
      definition_level_encoding: 'RLE',
      repetition_level_encoding: 'RLE',
    },
    {
      type: leaf.type,
      element: path.at(-1),
      schemaPath: path.map((element) => ({ element, children: [], count: 0, path: [] })),
      // The reader looks at these fields only.
    } as unknown as Parameters<typeof readDataPage>[2],
  )
  return {
    values: Array.from(dataPage as ArrayLike<unknown>, Number),
    definition: definitionLevels?.length ? [...definitionLevels] : undefined,
    repetition: repetitionLevels.length > 0 ? [...repetitionLevels] : undefined,
  }
}

function ours(leaf: Leaf, shape: PageShape): unknown {
  const { values, definition, repetition } = decodePage(leaf.body, shape)
  return {
    values: Array.from(values as ArrayLike<unknown>, Number),
    definition: definition && [...definition],
    repetition: repetition && [...repetition],
  }
}

const VALUES: readonly (readonly [string, ArchivedColumn['type'], () => number])[] = [
  ['times', 'timestamptz', () => 1.7e15 + whole(1e9)],
  ['ids of every size', 'int8', () => whole(2 ** whole(53)) - whole(2 ** whole(40))],
  ['prices', 'float8', () => whole(1e6) / 100],
]

for (const [name, type, value] of VALUES) {
  for (const null_share of [undefined, 0, 0.3, 0.999, 1]) {
    test(`${name}, ${null_share ?? 'not nullable'}: as hyparquet decodes them`, () => {
      for (const row_count of ROWS) {
        const values = Float64Array.from({ length: row_count }, value)
        const nulls =
          null_share === undefined
            ? undefined
            : Uint8Array.from(values, () => (random() < null_share ? 1 : 0))
        const has_definition = nulls !== undefined
        const [leaf] = leavesOf(type, has_definition, { kind: 'numbers', values, nulls })
        const shape = shapeOf(leaf!, { has_repetition: false, has_definition })
        expect(ours(leaf!, shape)).toEqual(hyparquet(leaf!, shape))
      }
    })
  }
}

test('levels: rows of none, one and many, as hyparquet decodes them', () => {
  for (const row_count of ROWS) {
    let end = 0
    const ends = Uint32Array.from({ length: row_count }, () => (end += whole(4) * whole(9)))
    const column = (): Float64Array => Float64Array.from({ length: end }, () => whole(1e6) / 10)
    const leaves = leavesOf('levels', false, {
      kind: 'levels',
      ends,
      price: column(),
      qty: column(),
    })
    for (const leaf of leaves) {
      const shape = shapeOf(leaf, { has_repetition: true, has_definition: true })
      expect(ours(leaf, shape)).toEqual(hyparquet(leaf, shape))
    }
  }
})

test('flags and words: as they were', () => {
  for (const row_count of ROWS) {
    const values = Uint8Array.from({ length: row_count }, () => whole(2))
    const [flags] = leavesOf('bool', false, { kind: 'flags', values })
    const codes = Uint8Array.from({ length: row_count }, () => whole(5))
    const words = ['a', 'b', 'c', 'd', 'e']
    const [texts] = leavesOf('text', false, { kind: 'texts', words, codes })
    const none = { has_repetition: false, has_definition: false }
    expect(decodePage(flags!.body, shapeOf(flags!, none)).values).toEqual(values)
    expect(decodePage(texts!.body, shapeOf(texts!, none)).values).toEqual(codes)
  }
})

test('a page that ends early is an error, wherever it ends', () => {
  const values = Float64Array.from({ length: 300 }, () => whole(2 ** 40))
  const nulls = Uint8Array.from(values, () => whole(2))
  for (const type of ['int8', 'float8'] as const) {
    const [leaf] = leavesOf(type, true, { kind: 'numbers', values, nulls })
    const shape = shapeOf(leaf!, { has_repetition: false, has_definition: true })
    for (let cut = 1; cut < leaf!.body.length; cut += 7) {
      expect(() => decodePage(leaf!.body.subarray(0, -cut), shape)).toThrow(/ends|bounds/)
    }
  }
})

test('another encoding is an error', () => {
  const shape: PageShape = {
    type: 'DOUBLE',
    encoding: 'BYTE_STREAM_SPLIT',
    value_count: 1,
    has_repetition: false,
    has_definition: false,
  }
  expect(() => decodePage(new Uint8Array(8), shape)).toThrow(/DOUBLE .*BYTE_STREAM_SPLIT/)
})
