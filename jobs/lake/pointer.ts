/**
 * Which metadata file of a table is the current one, and how a writer replaces it. Of two writers
 * that saw the same version, one wins and the other one is told so.
 *
 * The files are v1.metadata.json, v2 ... Where the store can refuse to overwrite an object, the
 * winner is who adds the next one. Other stores have a row of marketdata.lake_tables. A writer puts
 * its metadata under a name of its own, the row decides, and only the winner writes the numbered
 * file. version-hint.text has the number; it is written last, so it may be behind but is never
 * ahead.
 */
import { randomBytes } from 'node:crypto'
import { OperatorError } from '#core/errors.ts'
import type { ObjectStore } from '#core/node/object-store.ts'
import type { Pool } from '#core/node/pool.ts'
import {
  LAKE_HINT_FILE,
  LAKE_PREFIX,
  lakeMetadataFile,
  lakeMetadataPrefix,
} from '#core/object-keys.ts'
import type { TableMetadata } from './format/metadata.ts'
import { type TableName, tableName } from './format/table.ts'

export interface Services {
  readonly pool: Pool
  readonly store: ObjectStore
}

export interface Current {
  readonly version: Version
  readonly metadata: TableMetadata
}

export interface Version {
  readonly number: number
  /** Of the file that was committed: v12.metadata.json or v12-5f3a90c1.metadata.json. */
  readonly name: string
}

export interface Pointer {
  /** Undefined: the table does not exist yet. */
  current(): Promise<Current | undefined>
  /** Undefined: another writer was first, and nothing has changed. */
  advance(from: Version | undefined, metadata: TableMetadata): Promise<Version | undefined>
}

const JSON_TYPE = 'application/json'
/** An object that exists, so that adding it tells whether the store refuses to. */
const PROBE_KEY = `${LAKE_PREFIX}if-none-match`

export async function openPointer(services: Services, table: TableName): Promise<Pointer> {
  const files = new MetadataFiles(services.store, table)
  const by_row = new RowPointer(services, table, files)
  const is_by_row =
    (await by_row.row()) !== undefined || !(await refusesToOverwrite(services.store))
  return is_by_row ? by_row : new ObjectPointer(services, files)
}

const answers = new WeakMap<ObjectStore, boolean>()

/** Asks the store, because not every store that takes the header heeds it. */
async function refusesToOverwrite(store: ObjectStore): Promise<boolean> {
  const known = answers.get(store)
  if (known !== undefined) return known
  const first = await store.putIfAbsent(PROBE_KEY, '', 'text/plain')
  const second = first === 'added' ? await store.putIfAbsent(PROBE_KEY, '', 'text/plain') : first
  answers.set(store, second === 'exists')
  return second === 'exists'
}

class MetadataFiles {
  readonly #store: ObjectStore
  readonly #prefix: string

  constructor(store: ObjectStore, { namespace, name }: TableName) {
    this.#store = store
    this.#prefix = lakeMetadataPrefix(namespace, name)
  }

  key(version_name: string): string {
    return `${this.#prefix}${lakeMetadataFile(version_name)}`
  }

  async hint(): Promise<Version | undefined> {
    const bytes = await this.#store.get(`${this.#prefix}${LAKE_HINT_FILE}`)
    if (bytes === undefined) return undefined
    const name = Buffer.from(bytes).toString('utf8').trim()
    if (!/^\d{1,15}$/.test(name)) {
      throw broken(`${this.#prefix}${LAKE_HINT_FILE}`, `it says "${name}"`)
    }
    return numbered(Number(name))
  }

  async writeHint({ number }: Version): Promise<void> {
    await this.#store.put(`${this.#prefix}${LAKE_HINT_FILE}`, String(number), 'text/plain')
  }

  async text(version_name: string): Promise<string | undefined> {
    const bytes = await this.#store.get(this.key(version_name))
    return bytes === undefined ? undefined : Buffer.from(bytes).toString('utf8')
  }

  async read(version_name: string): Promise<TableMetadata | undefined> {
    const text = await this.text(version_name)
    return text === undefined ? undefined : (JSON.parse(text) as TableMetadata)
  }

  async readNamed({ name }: Version): Promise<TableMetadata> {
    const metadata = await this.read(name)
    if (metadata === undefined) throw broken(this.key(name), 'it does not exist')
    return metadata
  }
}

/** The store refuses to overwrite an object. */
class ObjectPointer implements Pointer {
  readonly #store: ObjectStore
  readonly #files: MetadataFiles

  constructor({ store }: Services, files: MetadataFiles) {
    this.#store = store
    this.#files = files
  }

  async current(): Promise<Current | undefined> {
    const hint = await this.#files.hint()
    const found = await this.#newest(hint)
    if (found === undefined) return undefined
    if (found.version.number !== hint?.number) await this.#files.writeHint(found.version)
    return found
  }

  async advance(from: Version | undefined, metadata: TableMetadata): Promise<Version | undefined> {
    const version = numbered((from?.number ?? 0) + 1)
    const key = this.#files.key(version.name)
    const text = JSON.stringify(metadata)
    const answer = await this.#store.putIfAbsent(key, text, JSON_TYPE)
    if (answer === 'unsupported') throw broken(key, 'the store no longer refuses to overwrite')
    // The client repeats a request whose answer was lost, so the object may be our own.
    if (answer === 'exists' && (await this.#files.text(version.name)) !== text) return undefined
    // If this writer slept while others committed, old metadata was deleted, and the name was free.
    if (((await this.#files.hint())?.number ?? 0) > version.number) {
      await this.#store.delete(key)
      return undefined
    }
    // Another writer may go on at once. The last one to write the hint sees what others added.
    for (let at = version; ;) {
      await this.#files.writeHint(at)
      const newest = await this.#newest(at)
      if (newest === undefined || newest.version.number === at.number) return version
      at = newest.version
    }
  }

  /** A killed writer may have left the hint behind. */
  async #newest(hint: Version | undefined): Promise<Current | undefined> {
    let found: Current | undefined
    for (let number = (hint?.number ?? 0) + 1; ; number++) {
      const metadata = await this.#files.read(String(number))
      if (metadata === undefined) break
      found = { version: numbered(number), metadata }
    }
    if (found !== undefined || hint === undefined) return found
    return { version: hint, metadata: await this.#files.readNamed(hint) }
  }
}

function numbered(number: number): Version {
  return { number, name: String(number) }
}

/** A row of marketdata.lake_tables decides. */
class RowPointer implements Pointer {
  readonly #pool: Pool
  readonly #store: ObjectStore
  readonly #files: MetadataFiles
  readonly #name: string

  constructor({ pool, store }: Services, table: TableName, files: MetadataFiles) {
    this.#pool = pool
    this.#store = store
    this.#files = files
    this.#name = tableName(table)
  }

  async current(): Promise<Current | undefined> {
    const row = await this.row()
    const hint = await this.#files.hint()
    // The hint is ahead only of a row that was restored from a backup.
    if (hint !== undefined && hint.number > (row?.number ?? 0)) {
      return { version: hint, metadata: await this.#files.readNamed(hint) }
    }
    if (row === undefined) return undefined
    const metadata = await this.#files.readNamed(row)
    // The writer was killed before it had written what readers look for.
    if (hint?.number !== row.number) await this.#publish(row, metadata)
    return { version: row, metadata }
  }

  async advance(from: Version | undefined, metadata: TableMetadata): Promise<Version | undefined> {
    const number = (from?.number ?? 0) + 1
    const version = { number, name: `${number}-${randomBytes(4).toString('hex')}` }
    await this.#store.put(this.#files.key(version.name), JSON.stringify(metadata), JSON_TYPE)
    const { rowCount } = await this.#pool.query(
      `insert into marketdata.lake_tables (name, version, version_name) values ($1, $2, $3)
       on conflict (name) do update
       set version = excluded.version, version_name = excluded.version_name, committed_at = now()
       where lake_tables.version < excluded.version`,
      [this.#name, version.number, version.name],
    )
    if (rowCount === 0) {
      await this.#store.delete(this.#files.key(version.name))
      return undefined
    }
    await this.#publish(version, metadata)
    return version
  }

  /** Another writer may go on at once. The last one to write the hint sees what others added. */
  async #publish(committed: Version, of_version: TableMetadata): Promise<void> {
    let [at, metadata] = [committed, of_version]
    for (;;) {
      const key = this.#files.key(numbered(at.number).name)
      await this.#store.put(key, JSON.stringify(metadata), JSON_TYPE)
      await this.#files.writeHint(at)
      const row = await this.row()
      if (row === undefined || row.number <= at.number) return
      at = row
      metadata = await this.#files.readNamed(row)
    }
  }

  async row(): Promise<Version | undefined> {
    const { rows } = await this.#pool.query<{ number: string; name: string }>(
      'select version as number, version_name as name from marketdata.lake_tables where name = $1',
      [this.#name],
    )
    const [row] = rows
    return row && { number: Number(row.number), name: row.name }
  }
}

function broken(key: string, found: string): OperatorError {
  return new OperatorError('lake_damaged', `${key} cannot be used: ${found}.`, {
    hint: 'Restore the object. If it is lost, `npx booktape lake rebuild` makes the table anew.',
  })
}
