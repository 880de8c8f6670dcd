/**
 * A Parquet file of nautilus_trader's catalogue (nautechsystems/nautilus_trader,
 * crates/serialization/src/arrow): fixed-point numbers of 16 bytes with 16 decimals (its builds
 * with high precision, the standard on Linux and macOS), times in nanoseconds, the instrument and
 * its precisions in the file's metadata. Snappy and PLAIN, which its own reader is built for.
 */
import { open } from 'node:fs/promises'
import type { ColumnChunk, ParquetType, RowGroup, SchemaElement } from 'hyparquet'
import { ByteWriter } from 'hyparquet-writer'
import { writeMetadata } from 'hyparquet-writer/src/metadata.js'
import { decimalOf } from '#core/decimals.ts'
import { CREATED_BY } from '../../parquet/identity.ts'
import { plainWords, type Leaf } from '../../parquet/leaf.ts'
import { encodeChunk } from '../../parquet/table-file.ts'

export type NautilusColumn =
  | { readonly type: 'fixed' | 'nanos' | 'u64' | 'u8'; readonly values: Float64Array }
  | { readonly type: 'text'; readonly values: readonly string[] }

export type NautilusRows = Readonly<Record<string, NautilusColumn>>

export interface NautilusFile {
  /** Appends rows. `nanos` are given in microseconds. */
  write(rows: NautilusRows): Promise<void>
  /** Writes the footer with this metadata. */
  finish(metadata: Readonly<Record<string, string>>): Promise<void>
  /** Call after finish(), or to abandon the file. */
  close(): Promise<void>
}

const MAGIC = Buffer.from('PAR1')
const CODEC = 'snappy'
const FIXED_BYTES = 16
const FIXED_DIGITS = 16
const WORD = 64n
const LOW = (1n << WORD) - 1n
const POWERS = Array.from({ length: FIXED_DIGITS + 1 }, (_, digits) => 10n ** BigInt(digits))

export async function createNautilusFile(
  path: string,
  columns: Readonly<Record<string, NautilusColumn['type']>>,
): Promise<NautilusFile> {
  const file = await open(path, 'w')
  await file.writeFile(MAGIC)
  const row_groups: RowGroup[] = []
  let offset = MAGIC.length
  return {
    async write(rows) {
      const begin = offset
      const chunks: ColumnChunk[] = []
      const parts: Uint8Array[] = []
      for (const name of Object.keys(columns)) {
        const chunk = encodeChunk(leafOf(rows[name]!), [name], CODEC, offset)
        chunks.push(chunk.column)
        parts.push(...chunk.parts)
        offset += chunk.byte_count
      }
      await file.writeFile(Buffer.concat(parts))
      row_groups.push({
        columns: chunks,
        num_rows: BigInt(Object.values(rows)[0]!.values.length),
        total_byte_size: chunks.reduce(
          (sum, { meta_data }) => sum + meta_data!.total_uncompressed_size,
          0n,
        ),
        total_compressed_size: BigInt(offset - begin),
        file_offset: BigInt(begin),
      })
    },
    async finish(metadata) {
      const footer = new ByteWriter()
      const names = Object.keys(columns)
      writeMetadata(footer, {
        version: 1,
        created_by: CREATED_BY,
        schema: [
          { name: 'schema', num_children: names.length },
          ...names.map((name) => elementOf(name, columns[name]!)),
        ],
        num_rows: row_groups.reduce((sum, group) => sum + group.num_rows, 0n),
        row_groups,
        metadata_length: 0,
        key_value_metadata: Object.entries(metadata).map(([key, value]) => ({ key, value })),
      })
      await file.writeFile(Buffer.concat([footer.getBytes(), MAGIC]))
    },
    close: () => file.close(),
  }
}

function elementOf(name: string, type: NautilusColumn['type']): SchemaElement {
  const common = { name, repetition_type: 'REQUIRED' } as const
  switch (type) {
    case 'fixed':
      return { ...common, type: 'FIXED_LEN_BYTE_ARRAY', type_length: FIXED_BYTES }
    case 'nanos':
    case 'u64':
      // hyparquet-writer writes the width of a logical integer as another type than the format's.
      return { ...common, type: 'INT64', converted_type: 'UINT_64' }
    case 'u8':
      return { ...common, type: 'INT32', converted_type: 'UINT_8' }
    case 'text':
      return {
        ...common,
        type: 'BYTE_ARRAY',
        converted_type: 'UTF8',
        logical_type: { type: 'STRING' },
      }
  }
}

function leafOf(column: NautilusColumn): Leaf {
  const { type, values } = column
  const value_count = values.length
  const common = { encoding: 'PLAIN', dictionary: undefined, value_count } as const
  const leaf = (parquet: ParquetType, body: Uint8Array, bounds: object = {}): Leaf => {
    return { ...common, type: parquet, body, statistics: { null_count: 0n, ...bounds } }
  }
  if (type === 'text') {
    return leaf('BYTE_ARRAY', plainWords(values, values.keys()))
  }
  if (type === 'fixed') return leaf('FIXED_LEN_BYTE_ARRAY', fixedBytes(values))
  if (type === 'u8') return leaf('INT32', new Uint8Array(Int32Array.from(values).buffer))
  const scale = type === 'nanos' ? 1_000n : 1n
  const whole = BigInt64Array.from(values, (value) => BigInt(value) * scale)
  return leaf('INT64', new Uint8Array(whole.buffer), boundsOf(whole))
}

/** Its readers find a file's first and last time in them. */
function boundsOf(values: BigInt64Array): object {
  let [min_value, max_value] = [values[0]!, values[0]!]
  for (const value of values) {
    if (value < min_value) min_value = value
    if (value > max_value) max_value = value
  }
  return { min_value, max_value }
}

/** The decimal times 10^16 as a signed integer of 128 bits, little-endian. */
function fixedBytes(values: Float64Array): Uint8Array {
  const bytes = new Uint8Array(values.length * FIXED_BYTES)
  const view = new DataView(bytes.buffer)
  for (const [row, value] of values.entries()) {
    const { units, digits } = decimalOf(value)
    const power = POWERS[FIXED_DIGITS - digits]
    if (power === undefined) throw new Error(`${value} has more than ${FIXED_DIGITS} decimals.`)
    const raw = BigInt(units) * power
    view.setBigUint64(row * FIXED_BYTES, raw & LOW, true)
    view.setBigInt64(row * FIXED_BYTES + 8, raw >> WORD, true)
  }
  return bytes
}
