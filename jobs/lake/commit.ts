/**
 * Adds files to a table of the lake, as snapshots. A file replaces the one with the same slot: an
 * hour of an exchange, or a day of a dataset.
 *
 * Invariants
 * 1. A commit becomes visible in one write, the pointer's. Before it, nobody knows its files; a
 *    killed commit leaves files that no metadata names, and expire.ts deletes them.
 * 2. A commit is computed from the metadata that it replaces. If another writer was first, it is
 *    computed again.
 * 3. Committing what the table has already changes nothing.
 * 4. A snapshot that adds is an `append`; one that also takes files out is an `overwrite`.
 */
import { randomInt, randomUUID } from 'node:crypto'
import { lakeTablePrefix } from '#core/object-keys.ts'
import {
  ADDED,
  type DataFile,
  DELETED,
  type Entry,
  EXISTING,
  liveCount,
  type ManifestFile,
  mayHold,
} from './format/manifest.ts'
import {
  currentSnapshot,
  emptyMetadata,
  type Snapshot,
  type TableMetadata,
  withPrevious,
  withSchema,
  withSnapshots,
} from './format/metadata.ts'
import type { LakeTable, Partition } from './format/table.ts'
import { FULL_FILES, manifestsToMerge } from './merge.ts'
import { metadataPath } from './metadata-path.ts'
import { openPointer, type Services, type Version } from './pointer.ts'
import { type SnapshotKey, SnapshotFiles } from './snapshot-files.ts'
import { forgetMetadata, tableBusy, TRIES } from './update-metadata.ts'

export interface WantedFile {
  /** What the file is of. Another file of the same slot gives way. */
  readonly slot: string
  /** s3://bucket/key */
  readonly path: string
  readonly partition: Partition
  /** Of the same slot, the newest counts; undefined: whichever is wanted counts. */
  readonly age: number | undefined
  /** Nothing has the slot from now on: the file itself is not added. */
  readonly is_empty: boolean
  describe(): Promise<DataFile>
}

/** What one snapshot adds and takes out. */
export interface Change {
  /** For people, such as 2026-11-20T13. */
  readonly what: string
  readonly files: readonly WantedFile[]
  /** The table is to have no other files than these. */
  readonly is_all: boolean
}

export interface CommitOptions extends Services {
  readonly table: LakeTable
  /** Milliseconds since 1970. */
  readonly now: () => number
  readonly signal: AbortSignal
  /** Asked for after the table was read, so that no newer state is overwritten by an older one. */
  readonly changes: () => Promise<readonly Change[]>
}

export interface CommitResult {
  readonly snapshots: readonly Snapshot[]
  readonly added_files: number
  readonly added_rows: number
  readonly removed_files: number
}

const FOOTERS_AT_ONCE = 8
/** Ids are written as JSON numbers. */
const ID_MAX = 2 ** 48 - 1

/** Errors: `lake_busy` if other writers commit all the time. */
export async function commitFiles(options: CommitOptions): Promise<CommitResult> {
  const { table, store, signal } = options
  const pointer = await openPointer(options, table)
  const described = new Map<string, DataFile>()
  for (let attempt = 0; attempt < TRIES; attempt++) {
    signal.throwIfAborted()
    const current = await pointer.current()
    const files = new SnapshotFiles(store, table)
    const before = withSchema(current?.metadata ?? newMetadata(options, files), table)
    const state = new TableState(files, before, await files.currentManifests(before))
    for (const change of await options.changes()) {
      signal.throwIfAborted()
      await applyChange(options, state, change, described)
    }
    if (state.snapshots.length === 0) return state.result
    const metadata = withSnapshots(replacing(options, before, current?.version), state.snapshots)
    if ((await pointer.advance(current?.version, metadata)) === undefined) continue
    await forgetMetadata(files, before, metadata)
    return state.result
  }
  throw tableBusy(table)
}

function newMetadata({ table, now }: CommitOptions, files: SnapshotFiles): TableMetadata {
  const location = files.path(lakeTablePrefix(table.namespace, table.name))
  return emptyMetadata(table, location, randomUUID(), now())
}

function replacing(
  { store, table }: CommitOptions,
  before: TableMetadata,
  version: Version | undefined,
): TableMetadata {
  return version === undefined ? before : withPrevious(before, metadataPath(store, table, version))
}

/** The table as it is after the changes so far. */
class TableState {
  readonly files: SnapshotFiles
  readonly snapshots: Snapshot[] = []
  result: CommitResult
  manifests: readonly ManifestFile[]
  #last: Snapshot | undefined
  readonly #before: TableMetadata

  constructor(files: SnapshotFiles, before: TableMetadata, manifests: readonly ManifestFile[]) {
    this.files = files
    this.manifests = manifests
    this.#before = before
    this.#last = currentSnapshot(before)
    this.result = { snapshots: this.snapshots, added_files: 0, added_rows: 0, removed_files: 0 }
  }

  next(): SnapshotKey {
    return {
      id: randomInt(1, ID_MAX),
      parent_id: this.#last?.['snapshot-id'] ?? null,
      sequence:
        Math.max(this.#last?.['sequence-number'] ?? 0, this.#before['last-sequence-number']) + 1,
      schema_id: this.#before['current-schema-id'],
    }
  }

  async add(
    key: SnapshotKey,
    change: Pick<Change, 'what'>,
    manifests: readonly ManifestFile[],
    { added, removed }: Difference,
    now_ms: number,
  ): Promise<void> {
    const list = await this.files.writeList(key, manifests)
    const last_ms = this.#last?.['timestamp-ms'] ?? 0
    const snapshot: Snapshot = {
      'snapshot-id': key.id,
      ...(key.parent_id === null ? {} : { 'parent-snapshot-id': key.parent_id }),
      'sequence-number': key.sequence,
      'timestamp-ms': Math.max(now_ms, this.#before['last-updated-ms'], last_ms + 1),
      'manifest-list': list,
      summary: summaryOf(change.what, added, removed, this.#last?.summary),
      'schema-id': key.schema_id,
    }
    this.snapshots.push(snapshot)
    this.#last = snapshot
    this.manifests = manifests
    this.result = {
      snapshots: this.snapshots,
      added_files: this.result.added_files + added.length,
      added_rows: this.result.added_rows + sum(added, 'record_count'),
      removed_files: this.result.removed_files + removed.length,
    }
  }
}

interface Difference {
  readonly added: readonly DataFile[]
  readonly removed: readonly DataFile[]
}

async function applyChange(
  options: CommitOptions,
  state: TableState,
  change: Change,
  described: Map<string, DataFile>,
): Promise<void> {
  const { missing, outdated } = await compare(options.table, state, change)
  if (missing.length === 0 && outdated.size === 0) return
  const added = await describeAll(missing, described, options.signal)
  const removed: DataFile[] = []
  const key = state.next()
  const writer = new ManifestWriter(options.table, state.files, key)
  for (const manifest of state.manifests) {
    if (liveCount(manifest) === 0) continue
    const gone = outdated.get(manifest.manifest_path)
    if (gone === undefined) writer.keep(manifest)
    else {
      const entries = await state.files.entriesOf(manifest)
      writer.add(entries.flatMap((entry) => carried(entry, gone, key, removed)))
    }
  }
  if (added.length > 0) writer.add(added.map((file) => addedEntry(file, key)))
  await state.add(key, change, await writer.finish(), { added, removed }, options.now())
}

/** The entry in a manifest of this snapshot. */
function carried(
  entry: Entry,
  gone: ReadonlySet<string>,
  { id }: SnapshotKey,
  removed: DataFile[],
): readonly Entry[] {
  if (entry.status === DELETED) return []
  if (!gone.has(entry.data_file.file_path)) return [{ ...entry, status: EXISTING }]
  removed.push(entry.data_file)
  return [{ ...entry, status: DELETED, snapshot_id: id }]
}

function addedEntry(data_file: DataFile, { id, sequence }: SnapshotKey): Entry {
  return {
    status: ADDED,
    snapshot_id: id,
    sequence_number: sequence,
    file_sequence_number: sequence,
    data_file,
  }
}

interface Compared {
  readonly missing: readonly WantedFile[]
  /** Paths of files to take out, by manifest. */
  readonly outdated: ReadonlyMap<string, ReadonlySet<string>>
}

async function compare(
  table: LakeTable,
  state: TableState,
  { files, is_all }: Change,
): Promise<Compared> {
  const wanted = new Map(files.map((file) => [file.slot, file]))
  const missing = new Map([...wanted].filter(([, { is_empty }]) => !is_empty))
  const outdated = new Map<string, ReadonlySet<string>>()
  for (const manifest of state.manifests) {
    if (!is_all && !files.some(({ partition }) => mayHold(table, manifest, partition))) continue
    const gone = new Set<string>()
    for (const { status, data_file } of await state.files.entriesOf(manifest)) {
      if (status === DELETED) continue
      const slot = slotOf(data_file.file_path)
      const file = wanted.get(slot)
      if (file === undefined) {
        if (is_all) gone.add(data_file.file_path)
      } else if (file.is_empty) gone.add(data_file.file_path)
      else if (file.path === data_file.file_path || isOlder(file, data_file.file_path)) {
        missing.delete(slot)
      } else gone.add(data_file.file_path)
    }
    if (gone.size > 0) outdated.set(manifest.manifest_path, gone)
  }
  return { missing: [...missing.values()], outdated }
}

/** What the file is of: its path without the version of the hour, or without the build. */
export function slotOf(path: string): string {
  return path.replace(
    /(?:(?<=hour=\d\d)(?:\.v\d+)?|(?<=date=[^/]+\/)(?:build=[^/]+\/)?[^/=]+)\.parquet$/,
    '',
  )
}

/** Version of an archived hour. */
export function ageOf(path: string): number {
  return Number(/\.v(\d+)\.parquet$/.exec(path)?.[1] ?? 1)
}

function isOlder({ age }: WantedFile, path: string): boolean {
  return age !== undefined && age < ageOf(path)
}

/** Collects the manifests of a snapshot, merges small ones, and writes those that are new. */
class ManifestWriter {
  readonly #table: LakeTable
  readonly #files: SnapshotFiles
  readonly #key: SnapshotKey
  readonly #parts: (ManifestFile | readonly Entry[])[] = []

  constructor(table: LakeTable, files: SnapshotFiles, key: SnapshotKey) {
    this.#table = table
    this.#files = files
    this.#key = key
  }

  keep(manifest: ManifestFile): void {
    this.#parts.push(manifest)
  }

  add(entries: readonly Entry[]): void {
    if (entries.length > 0) this.#parts.push(entries)
  }

  async finish(): Promise<readonly ManifestFile[]> {
    for (;;) {
      const places = manifestsToMerge(this.#parts.map(fileCount))
      if (places === undefined) break
      const merged: Entry[] = []
      for (const place of places) merged.push(...(await this.#entriesOf(this.#parts[place]!)))
      this.#parts[places[0]!] = merged
      for (const place of places.slice(1).toReversed()) this.#parts.splice(place, 1)
    }
    const manifests: ManifestFile[] = []
    for (const part of this.#parts) {
      if (!isEntries(part)) manifests.push(part)
      else
        for (const entries of cut(part))
          manifests.push(await this.#write(manifests.length, entries))
    }
    return manifests
  }

  #write(index: number, entries: readonly Entry[]): Promise<ManifestFile> {
    return this.#files.writeManifest(this.#table, this.#key, index, entries)
  }

  async #entriesOf(part: ManifestFile | readonly Entry[]): Promise<readonly Entry[]> {
    if (isEntries(part)) return part
    const entries = await this.#files.entriesOf(part)
    return entries.flatMap((entry) =>
      entry.status === DELETED ? [] : [{ ...entry, status: EXISTING }],
    )
  }
}

/** In parts of at most as many files as a full manifest has. New files come in order of time. */
function cut(entries: readonly Entry[]): readonly (readonly Entry[])[] {
  const parts: (readonly Entry[])[] = []
  for (let from = 0; from < entries.length; from += FULL_FILES) {
    parts.push(entries.slice(from, from + FULL_FILES))
  }
  return parts
}

function isEntries(part: ManifestFile | readonly Entry[]): part is readonly Entry[] {
  return Array.isArray(part)
}

function fileCount(part: ManifestFile | readonly Entry[]): number {
  if (!isEntries(part)) return liveCount(part)
  return part.filter(({ status }) => status !== DELETED).length
}

/** Footers that were read for an earlier try are known. */
async function describeAll(
  files: readonly WantedFile[],
  described: Map<string, DataFile>,
  signal: AbortSignal,
): Promise<readonly DataFile[]> {
  const waiting = files.filter(({ path }) => !described.has(path)).values()
  const work = async (): Promise<void> => {
    for (const file of waiting) {
      signal.throwIfAborted()
      described.set(file.path, await file.describe())
    }
  }
  await Promise.all(Array.from({ length: FOOTERS_AT_ONCE }, work))
  return files.map(({ path }) => described.get(path)!)
}

function sum(files: readonly DataFile[], of: 'record_count' | 'file_size_in_bytes'): number {
  return files.reduce((total, file) => total + file[of], 0)
}

function summaryOf(
  what: string,
  added: readonly DataFile[],
  removed: readonly DataFile[],
  before: Readonly<Record<string, string>> | undefined,
): Readonly<Record<string, string>> {
  const counts = (files: readonly DataFile[]): readonly number[] => [
    files.length,
    sum(files, 'record_count'),
    sum(files, 'file_size_in_bytes'),
  ]
  const [added_counts, removed_counts] = [counts(added), counts(removed)]
  const named = (names: readonly string[], of: readonly number[]): Record<string, string> =>
    Object.fromEntries(names.flatMap((name, i) => (of[i] === 0 ? [] : [[name, String(of[i])]])))
  const totals = ['total-data-files', 'total-records', 'total-files-size']
  const total = totals.map(
    (name, i) => Number(before?.[name] ?? 0) + added_counts[i]! - removed_counts[i]!,
  )
  return {
    operation: removed.length === 0 ? 'append' : added.length === 0 ? 'delete' : 'overwrite',
    'booktape.of': what,
    ...named(['added-data-files', 'added-records', 'added-files-size'], added_counts),
    ...named(['deleted-data-files', 'deleted-records', 'removed-files-size'], removed_counts),
    ...Object.fromEntries(totals.map((name, i) => [name, String(total[i])])),
    'total-delete-files': '0',
  }
}
