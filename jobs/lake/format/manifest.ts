/**
 * Manifests and manifest lists: which files a snapshot has. Source: the Iceberg table
 * specification, version 2, "Manifests" and "Manifest Lists"; the numbers are its field ids.
 */
import { type AvroField, type AvroRecord, type AvroType, decodeAvro, encodeAvro } from './avro.ts'
import { type LakeTable, type Partition, partitionFields } from './table.ts'
import { type SchemaJson, SPEC_ID } from './metadata.ts'

/** Values by field id. */
export interface IdCount {
  readonly key: number
  readonly value: number
}
export interface IdBound {
  readonly key: number
  readonly value: Uint8Array
}

export interface DataFile {
  readonly content: 0
  readonly file_path: string
  readonly file_format: 'PARQUET'
  readonly partition: Partition
  readonly record_count: number
  readonly file_size_in_bytes: number
  readonly column_sizes: readonly IdCount[]
  readonly value_counts: readonly IdCount[]
  readonly null_value_counts: readonly IdCount[]
  readonly lower_bounds: readonly IdBound[]
  readonly upper_bounds: readonly IdBound[]
  /** Where row groups begin. */
  readonly split_offsets: readonly number[]
  readonly sort_order_id: number
}

export const EXISTING = 0
export const ADDED = 1
export const DELETED = 2

export interface Entry {
  readonly status: typeof EXISTING | typeof ADDED | typeof DELETED
  /** The snapshot that added the file, or that deleted it. */
  readonly snapshot_id: number
  readonly sequence_number: number
  readonly file_sequence_number: number
  readonly data_file: DataFile
}

export interface PartitionSummary {
  readonly contains_null: false
  readonly contains_nan: null
  readonly lower_bound: Uint8Array
  readonly upper_bound: Uint8Array
}

/** A manifest, as a manifest list names it. */
export interface ManifestFile {
  readonly manifest_path: string
  readonly manifest_length: number
  readonly partition_spec_id: number
  readonly content: 0
  readonly sequence_number: number
  readonly min_sequence_number: number
  readonly added_snapshot_id: number
  readonly added_files_count: number
  readonly existing_files_count: number
  readonly deleted_files_count: number
  readonly added_rows_count: number
  readonly existing_rows_count: number
  readonly deleted_rows_count: number
  /** In the order of the partition's fields. */
  readonly partitions: readonly PartitionSummary[]
}

export function liveCount(manifest: ManifestFile): number {
  return manifest.added_files_count + manifest.existing_files_count
}

const field = (id: number, name: string, type: AvroType): AvroField => ({
  name,
  type,
  'field-id': id,
})
const optional = (id: number, name: string, type: AvroType): AvroField => ({
  name,
  type: ['null', type],
  default: null,
  'field-id': id,
})
const mapOf = (id: number, name: string, key: number, value: number, type: AvroType): AvroField =>
  optional(id, name, {
    type: 'array',
    logicalType: 'map',
    items: {
      type: 'record',
      name: `k${key}_v${value}`,
      fields: [field(key, 'key', 'int'), field(value, 'value', type)],
    },
  })

function entrySchema(table: LakeTable): AvroRecord {
  const partition: AvroRecord = {
    type: 'record',
    name: 'r102',
    fields: partitionFields(table).map(({ name, transform, 'field-id': id }) =>
      optional(id, name, transform === 'day' ? { type: 'int', logicalType: 'date' } : 'string'),
    ),
  }
  const data_file: AvroRecord = {
    type: 'record',
    name: 'r2',
    fields: [
      field(134, 'content', 'int'),
      field(100, 'file_path', 'string'),
      field(101, 'file_format', 'string'),
      field(102, 'partition', partition),
      field(103, 'record_count', 'long'),
      field(104, 'file_size_in_bytes', 'long'),
      mapOf(108, 'column_sizes', 117, 118, 'long'),
      mapOf(109, 'value_counts', 119, 120, 'long'),
      mapOf(110, 'null_value_counts', 121, 122, 'long'),
      mapOf(125, 'lower_bounds', 126, 127, 'bytes'),
      mapOf(128, 'upper_bounds', 129, 130, 'bytes'),
      optional(132, 'split_offsets', { type: 'array', items: 'long', 'element-id': 133 }),
      optional(140, 'sort_order_id', 'int'),
    ],
  }
  return {
    type: 'record',
    name: 'manifest_entry',
    fields: [
      field(0, 'status', 'int'),
      optional(1, 'snapshot_id', 'long'),
      optional(3, 'sequence_number', 'long'),
      optional(4, 'file_sequence_number', 'long'),
      field(2, 'data_file', data_file),
    ],
  }
}

const SUMMARY: AvroRecord = {
  type: 'record',
  name: 'r508',
  fields: [
    field(509, 'contains_null', 'boolean'),
    optional(518, 'contains_nan', 'boolean'),
    optional(510, 'lower_bound', 'bytes'),
    optional(511, 'upper_bound', 'bytes'),
  ],
}

const LIST_SCHEMA: AvroRecord = {
  type: 'record',
  name: 'manifest_file',
  fields: [
    field(500, 'manifest_path', 'string'),
    field(501, 'manifest_length', 'long'),
    field(502, 'partition_spec_id', 'int'),
    field(517, 'content', 'int'),
    field(515, 'sequence_number', 'long'),
    field(516, 'min_sequence_number', 'long'),
    field(503, 'added_snapshot_id', 'long'),
    field(504, 'added_files_count', 'int'),
    field(505, 'existing_files_count', 'int'),
    field(506, 'deleted_files_count', 'int'),
    field(512, 'added_rows_count', 'long'),
    field(513, 'existing_rows_count', 'long'),
    field(514, 'deleted_rows_count', 'long'),
    optional(507, 'partitions', { type: 'array', items: SUMMARY, 'element-id': 508 }),
  ],
}

export function encodeManifest(
  table: LakeTable,
  schema: SchemaJson,
  entries: readonly Entry[],
): Buffer {
  const spec = partitionFields(table)
  const metadata = {
    schema: JSON.stringify(schema),
    'schema-id': String(schema['schema-id']),
    'partition-spec': JSON.stringify(spec),
    'partition-spec-id': String(SPEC_ID),
    'format-version': '2',
    content: 'data',
  }
  return encodeAvro(entrySchema(table), metadata, entries as readonly Plain<Entry>[])
}

/** The cast holds because only manifests of this file's schema are read: the lake's own. */
export function decodeManifest(bytes: Uint8Array): readonly Entry[] {
  return decodeAvro(bytes) as unknown as readonly Entry[]
}

export function encodeManifestList(
  snapshot: { readonly id: number; readonly parent_id: number | null; readonly sequence: number },
  manifests: readonly ManifestFile[],
): Buffer {
  const metadata = {
    'snapshot-id': String(snapshot.id),
    'parent-snapshot-id': String(snapshot.parent_id),
    'sequence-number': String(snapshot.sequence),
    'format-version': '2',
  }
  return encodeAvro(LIST_SCHEMA, metadata, manifests as readonly Plain<ManifestFile>[])
}

/** The cast holds as in decodeManifest. */
export function decodeManifestList(bytes: Uint8Array): readonly ManifestFile[] {
  return decodeAvro(bytes) as unknown as readonly ManifestFile[]
}

/** The same fields as a type, which unlike an interface fits an index signature. */
type Plain<T> = { [Name in keyof T]: T[Name] } & { readonly [name: string]: never }

/** Counts and partition bounds of a manifest's entries, for the manifest list. */
export function describeManifest(
  table: LakeTable,
  place: { readonly path: string; readonly byte_count: number },
  snapshot: { readonly id: number; readonly sequence: number },
  entries: readonly Entry[],
): ManifestFile {
  const of = (status: Entry['status']): readonly Entry[] =>
    entries.filter((entry) => entry.status === status)
  const rows = (some: readonly Entry[]): number =>
    some.reduce((sum, { data_file }) => sum + data_file.record_count, 0)
  const [added, existing, deleted] = [of(ADDED), of(EXISTING), of(DELETED)]
  return {
    manifest_path: place.path,
    manifest_length: place.byte_count,
    partition_spec_id: SPEC_ID,
    content: 0,
    sequence_number: snapshot.sequence,
    min_sequence_number: Math.min(
      snapshot.sequence,
      ...entries.filter(({ status }) => status !== DELETED).map((entry) => entry.sequence_number),
    ),
    added_snapshot_id: snapshot.id,
    added_files_count: added.length,
    existing_files_count: existing.length,
    deleted_files_count: deleted.length,
    added_rows_count: rows(added),
    existing_rows_count: rows(existing),
    deleted_rows_count: rows(deleted),
    partitions: partitionFields(table).map(({ name, transform }) => {
      const values = entries.map(({ data_file }) => data_file.partition[name]!)
      const lowest = values.reduce((least, value) => (value < least ? value : least))
      const highest = values.reduce((most, value) => (value > most ? value : most))
      const bytes = transform === 'day' ? dayBytes : textBytes
      return {
        contains_null: false,
        contains_nan: null,
        lower_bound: bytes(lowest),
        upper_bound: bytes(highest),
      }
    }),
  }
}

/** True if the manifest may have files of the partition. */
export function mayHold(table: LakeTable, manifest: ManifestFile, partition: Partition): boolean {
  return partitionFields(table).every(({ name, transform }, i) => {
    const { lower_bound, upper_bound } = manifest.partitions[i]!
    const value = partition[name]!
    if (transform === 'day') {
      return dayOfBytes(lower_bound) <= Number(value) && Number(value) <= dayOfBytes(upper_bound)
    }
    const bytes = textBytes(value)
    return Buffer.compare(lower_bound, bytes) <= 0 && Buffer.compare(bytes, upper_bound) <= 0
  })
}

function dayBytes(day: string | number): Uint8Array {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32LE(Number(day))
  return bytes
}

function dayOfBytes(bytes: Uint8Array): number {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getInt32(0, true)
}

function textBytes(text: string | number): Uint8Array {
  return Buffer.from(String(text))
}
