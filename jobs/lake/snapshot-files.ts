/** Reads and writes manifests and manifest lists in the store, each only once. */
import type { ObjectStore } from '#core/node/object-store.ts'
import { OperatorError } from '#core/errors.ts'
import { lakeMetadataPrefix } from '#core/object-keys.ts'
import {
  decodeManifest,
  decodeManifestList,
  DELETED,
  describeManifest,
  encodeManifest,
  encodeManifestList,
  type Entry,
  type ManifestFile,
} from './format/manifest.ts'
import {
  currentSnapshot,
  schemaJson,
  type Snapshot,
  type TableMetadata,
} from './format/metadata.ts'
import type { LakeTable, TableName } from './format/table.ts'

export interface SnapshotKey {
  readonly id: number
  readonly parent_id: number | null
  readonly sequence: number
  readonly schema_id: number
}

const AVRO_TYPE = 'avro/binary'

export class SnapshotFiles {
  readonly #store: ObjectStore
  readonly #prefix: string
  readonly #entries = new Map<string, readonly Entry[]>()

  constructor(store: ObjectStore, table: TableName) {
    this.#store = store
    this.#prefix = lakeMetadataPrefix(table.namespace, table.name)
  }

  /** s3://bucket/key */
  path(key: string): string {
    return `s3://${this.#store.config.bucket}/${key}`
  }

  keyOf(path: string): string {
    return path.slice(this.path('').length)
  }

  async manifestsOf(snapshot: Snapshot): Promise<readonly ManifestFile[]> {
    return decodeManifestList(await this.#read(snapshot['manifest-list']))
  }

  /** Of the current snapshot. */
  async currentManifests(metadata: TableMetadata): Promise<readonly ManifestFile[]> {
    const snapshot = currentSnapshot(metadata)
    return snapshot === undefined ? [] : this.manifestsOf(snapshot)
  }

  async entriesOf({ manifest_path }: ManifestFile): Promise<readonly Entry[]> {
    const known = this.#entries.get(manifest_path)
    if (known !== undefined) return known
    const entries = decodeManifest(await this.#read(manifest_path))
    this.#entries.set(manifest_path, entries)
    return entries
  }

  /** Paths of the files that any of the snapshots has. */
  async pathsOf(snapshots: readonly Snapshot[]): Promise<ReadonlySet<string>> {
    const manifests = new Map<string, ManifestFile>()
    for (const snapshot of snapshots) {
      for (const manifest of await this.manifestsOf(snapshot)) {
        manifests.set(manifest.manifest_path, manifest)
      }
    }
    const paths = new Set<string>()
    for (const manifest of manifests.values()) {
      for (const { status, data_file } of await this.entriesOf(manifest)) {
        if (status !== DELETED) paths.add(data_file.file_path)
      }
    }
    return paths
  }

  async writeManifest(
    table: LakeTable,
    snapshot: SnapshotKey,
    index: number,
    entries: readonly Entry[],
  ): Promise<ManifestFile> {
    const key = `${this.#prefix}${snapshot.id}-m${index}.avro`
    const schema = schemaJson(table, snapshot.schema_id)
    const bytes = encodeManifest(table, schema, entries)
    await this.#store.put(key, bytes, AVRO_TYPE)
    const place = { path: this.path(key), byte_count: bytes.length }
    this.#entries.set(place.path, entries)
    return describeManifest(table, place, snapshot, entries)
  }

  /** Returns the list's path. */
  async writeList(snapshot: SnapshotKey, manifests: readonly ManifestFile[]): Promise<string> {
    const key = `${this.#prefix}snap-${snapshot.id}.avro`
    await this.#store.put(key, encodeManifestList(snapshot, manifests), AVRO_TYPE)
    return this.path(key)
  }

  async delete(path: string): Promise<void> {
    await this.#store.delete(this.keyOf(path))
  }

  async #read(path: string): Promise<Uint8Array> {
    const bytes = await this.#store.get(this.keyOf(path))
    if (bytes !== undefined) return bytes
    throw new OperatorError('lake_damaged', `${path} does not exist.`, {
      hint: 'Restore the object, or make the table anew with `npx booktape lake rebuild`.',
    })
  }
}
