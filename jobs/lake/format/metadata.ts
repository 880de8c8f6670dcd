/**
 * metadata.json of a table: its schema, snapshots and tags. Every commit writes a new one. Source:
 * the Iceberg table specification, version 2, appendix C.
 *
 * Invariants
 * 1. A snapshot never changes: its id means the same files as long as the metadata lists it.
 * 2. Only `expire` removes snapshots, and it keeps the current one and those that tags name.
 */
import {
  type Field,
  FIRST_PARTITION_ID,
  type LakeTable,
  partitionFields,
  type StructType,
} from './table.ts'

/** A table of ours has one partition spec and one order. */
const FIRST_SCHEMA_ID = 0
export const SPEC_ID = 0
export const SORT_ORDER_ID = 1
/** How many older metadata files stay for readers that have just found one. */
export const METADATA_KEPT = 20
const MAIN = 'main'

export interface Snapshot {
  readonly 'snapshot-id': number
  readonly 'parent-snapshot-id'?: number
  readonly 'sequence-number': number
  readonly 'timestamp-ms': number
  readonly 'manifest-list': string
  readonly summary: Readonly<Record<string, string>>
  readonly 'schema-id': number
}

interface Ref {
  readonly 'snapshot-id': number
  readonly type: 'branch' | 'tag'
}

export interface TableMetadata {
  readonly 'format-version': 2
  readonly 'table-uuid': string
  readonly location: string
  readonly 'last-sequence-number': number
  readonly 'last-updated-ms': number
  readonly 'last-column-id': number
  readonly 'current-schema-id': number
  readonly schemas: readonly SchemaJson[]
  readonly 'default-spec-id': number
  readonly 'partition-specs': readonly unknown[]
  readonly 'last-partition-id': number
  readonly 'default-sort-order-id': number
  readonly 'sort-orders': readonly unknown[]
  readonly properties: Readonly<Record<string, string>>
  readonly 'current-snapshot-id': number
  readonly snapshots: readonly Snapshot[]
  readonly 'snapshot-log': readonly LogEntry[]
  readonly 'metadata-log': readonly MetadataLogEntry[]
  readonly refs: Readonly<Record<string, Ref>>
}

interface LogEntry {
  readonly 'timestamp-ms': number
  readonly 'snapshot-id': number
}

export interface MetadataLogEntry {
  readonly 'timestamp-ms': number
  readonly 'metadata-file': string
}

const NO_SNAPSHOT = -1

export interface SchemaJson extends StructType {
  readonly 'schema-id': number
}

export function schemaJson({ fields }: LakeTable, schema_id: number): SchemaJson {
  return { type: 'struct', 'schema-id': schema_id, fields }
}

/** The metadata with the table's columns as the current schema, which new columns change. */
export function withSchema(metadata: TableMetadata, table: LakeTable): TableMetadata {
  const current = metadata.schemas.find(
    (schema) => schema['schema-id'] === metadata['current-schema-id'],
  )
  if (JSON.stringify(current?.fields) === JSON.stringify(table.fields)) return metadata
  const schema_id = Math.max(...metadata.schemas.map((schema) => schema['schema-id'])) + 1
  return {
    ...metadata,
    'last-column-id': Math.max(metadata['last-column-id'], lastColumnId(table)),
    'current-schema-id': schema_id,
    schemas: [...metadata.schemas, schemaJson(table, schema_id)],
    properties: { ...metadata.properties, ...nameMappingOf(table) },
  }
}

/** A table without a snapshot. `location`: s3://bucket/lake/raw/trades */
export function emptyMetadata(
  table: LakeTable,
  location: string,
  uuid: string,
  now_ms: number,
): TableMetadata {
  const spec = partitionFields(table)
  return {
    'format-version': 2,
    'table-uuid': uuid,
    location,
    'last-sequence-number': 0,
    'last-updated-ms': now_ms,
    'last-column-id': lastColumnId(table),
    'current-schema-id': FIRST_SCHEMA_ID,
    schemas: [schemaJson(table, FIRST_SCHEMA_ID)],
    'default-spec-id': SPEC_ID,
    'partition-specs': [{ 'spec-id': SPEC_ID, fields: spec }],
    'last-partition-id': FIRST_PARTITION_ID - 1 + spec.length,
    'default-sort-order-id': SORT_ORDER_ID,
    'sort-orders': [
      {
        'order-id': SORT_ORDER_ID,
        fields: table.sorted_by.map(({ id }) => ({
          transform: 'identity',
          'source-id': id,
          direction: 'asc',
          'null-order': 'nulls-last',
        })),
      },
    ],
    properties: {
      ...nameMappingOf(table),
      'write.metadata.previous-versions-max': String(METADATA_KEPT),
    },
    'current-snapshot-id': NO_SNAPSHOT,
    snapshots: [],
    'snapshot-log': [],
    'metadata-log': [],
    refs: {},
  }
}

export function currentSnapshot(metadata: TableMetadata): Snapshot | undefined {
  return metadata.snapshots.find(
    (snapshot) => snapshot['snapshot-id'] === metadata['current-snapshot-id'],
  )
}

/** The metadata with these snapshots after the others; the last one is the current one. */
export function withSnapshots(metadata: TableMetadata, added: readonly Snapshot[]): TableMetadata {
  const last = added.at(-1)!
  return {
    ...metadata,
    'last-sequence-number': last['sequence-number'],
    'last-updated-ms': last['timestamp-ms'],
    'current-snapshot-id': last['snapshot-id'],
    snapshots: [...metadata.snapshots, ...added],
    'snapshot-log': [
      ...metadata['snapshot-log'],
      ...added.map((snapshot) => ({
        'timestamp-ms': snapshot['timestamp-ms'],
        'snapshot-id': snapshot['snapshot-id'],
      })),
    ],
    refs: { ...metadata.refs, [MAIN]: { 'snapshot-id': last['snapshot-id'], type: 'branch' } },
  }
}

/** Notes the metadata file that this one replaces. */
export function withPrevious(metadata: TableMetadata, file: string): TableMetadata {
  const entry = { 'timestamp-ms': metadata['last-updated-ms'], 'metadata-file': file }
  return {
    ...metadata,
    'metadata-log': [...metadata['metadata-log'], entry].slice(-METADATA_KEPT),
  }
}

/** Undefined `snapshot_id`: removes the tag. */
export function withTag(
  metadata: TableMetadata,
  tag: string,
  snapshot_id: number | undefined,
  now_ms: number,
): TableMetadata {
  const refs = Object.fromEntries(Object.entries(metadata.refs).filter(([name]) => name !== tag))
  const added =
    snapshot_id === undefined ? {} : { 'snapshot-id': snapshot_id, type: 'tag' as const }
  return {
    ...metadata,
    'last-updated-ms': Math.max(now_ms, metadata['last-updated-ms']),
    refs: snapshot_id === undefined ? refs : { ...refs, [tag]: added as Ref },
  }
}

export function tagsOf(metadata: TableMetadata): ReadonlyMap<string, number> {
  const tags = Object.entries(metadata.refs).filter(([, { type }]) => type === 'tag')
  return new Map(tags.map(([name, ref]) => [name, ref['snapshot-id']]))
}

/**
 * The snapshots to keep: the current one, tagged ones, and those that were current after
 * `since_ms`. A snapshot is current until the next one is committed.
 */
export function keptSnapshots(metadata: TableMetadata, since_ms: number): readonly Snapshot[] {
  const named = new Set(Object.values(metadata.refs).map((ref) => ref['snapshot-id']))
  return metadata.snapshots.filter((snapshot, i) => {
    const next = metadata.snapshots[i + 1]
    return (
      named.has(snapshot['snapshot-id']) || next === undefined || next['timestamp-ms'] > since_ms
    )
  })
}

export function withOnly(
  metadata: TableMetadata,
  kept: readonly Snapshot[],
  now_ms: number,
): TableMetadata {
  const ids = new Set(kept.map((snapshot) => snapshot['snapshot-id']))
  const log = metadata['snapshot-log']
  // A log with a hole would name a wrong snapshot for a time in the hole.
  const first = log.findLastIndex((entry) => !ids.has(entry['snapshot-id'])) + 1
  return {
    ...metadata,
    'last-updated-ms': Math.max(now_ms, metadata['last-updated-ms']),
    snapshots: kept,
    'snapshot-log': log.slice(first),
  }
}

function lastColumnId({ fields }: LakeTable): number {
  return Math.max(...fields.flatMap(idsOf))
}

/** Files of before the field ids are read by the names of their columns. */
function nameMappingOf({ fields }: LakeTable): Readonly<Record<string, string>> {
  return { 'schema.name-mapping.default': JSON.stringify(fields.map(nameMapping)) }
}

function idsOf({ id, type }: Field): readonly number[] {
  if (typeof type === 'string') return [id]
  return [id, type['element-id'], ...type.element.fields.flatMap(idsOf)]
}

function nameMapping({ id, name, type }: Field): unknown {
  if (typeof type === 'string') return { 'field-id': id, names: [name] }
  const element = {
    'field-id': type['element-id'],
    names: ['element'],
    fields: type.element.fields.map(nameMapping),
  }
  return { 'field-id': id, names: [name], fields: [element] }
}
