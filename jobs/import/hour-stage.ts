/**
 * Stores a file's rows hour by hour. Rows are sent in batches to a temporary table of their hour;
 * one transaction then moves the hour into the raw table. So memory holds a batch, a killed import
 * leaves whole hours, and what was recorded stays: a row with its identity is left out. An hour
 * that had left Postgres comes back from the lake first, so that the archive and the rollups see
 * all of its rows.
 */
import { finished } from 'node:stream/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { join } from 'node:path'
import copyStreams from 'pg-copy-streams'
import type { ObjectStore } from '#core/node/object-store.ts'
import { COPY_HEADER, COPY_TRAILER } from '#core/node/pg-copy/format.ts'
import type { Client, Pool } from '#core/node/pool.ts'
import type { Exchange } from '#core/symbols.ts'
import { RAW_TABLES, type Table } from '#core/tables.ts'
import { fromMillis, HOUR_US, hourStart, type Micros, micros, toIso } from '#core/time.ts'
import { encodeRows } from '../archive/encode-rows.ts'
import { hourWindow } from '../archive/records.ts'
import { ARCHIVE_JOB } from '../archive/run-archive.ts'
import { loadLakeHour, selectLakeHours } from '../restore/lake-hours.ts'
import { selectSymbolIds } from '../restore/load-hour.ts'
import { withLock } from '../runs/run.ts'
import type { Cell, FileKind } from './kind.ts'
import { refuseMixedTrades } from './mixed-trades.ts'
import { rowsOf } from './row-columns.ts'
import { keysEqual, rowsEqual, unrecorded } from './row-identity.ts'

export interface StageOptions {
  readonly pool: Pool
  readonly store: ObjectStore
  /** Holds a file of the lake while its hour comes back. */
  readonly work_dir: string
  readonly signal: AbortSignal
}

export interface StagedFile {
  readonly kind: Pick<FileKind, 'table' | 'identity' | 'trades_are'>
  readonly exchange: Exchange
  readonly symbol_id: number
  /**
   * The source has replaced the file, whose previous version had rows from `first_ts` to `last_ts`.
   * Those that differ or are gone leave the table. They are known by ts_ingest, which equals
   * ts_exchange in imported rows only.
   */
  readonly replaced: Span | undefined
}

interface Span {
  readonly first_ts: Date
  readonly last_ts: Date
}

export interface MergedHour {
  readonly hour: Micros
  /** Rows that the table did not have. */
  readonly added_count: number
  /** Rows of the file's previous version that the table has no more. */
  readonly removed_count: number
  /** False if rows were left out because something was recorded in the hour. */
  readonly is_covered: boolean
}

/** A batch is one COPY: at most this many rows of an hour are in memory. */
const BATCH_ROWS = 8_192
const LOCK_WAIT_MS = 500

export class HourStage {
  readonly #client: Client
  readonly #options: StageOptions
  readonly #file: StagedFile
  readonly #table: Table
  readonly #columns: string
  readonly #waiting = new Map<Micros, (readonly Cell[])[]>()
  readonly #staged = new Set<Micros>()
  /** Whether the rows of an hour that was merged before are all in the table. */
  readonly #merged = new Map<Micros, boolean>()

  /** `client` is used by nobody else until close(). */
  constructor(client: Client, options: StageOptions, file: StagedFile) {
    this.#client = client
    this.#options = options
    this.#file = file
    this.#table = RAW_TABLES[file.kind.table]
    this.#columns = this.#table.columns.map(({ name }) => name).join(', ')
  }

  /** `cells` are those of the table's columns in order, without symbol_id. */
  add(ts_exchange: number, cells: readonly Cell[]): void {
    const hour = hourStart(micros(ts_exchange))
    const rows = this.#waiting.get(hour)
    if (rows === undefined) this.#waiting.set(hour, [cells])
    else rows.push(cells)
  }

  /** Sends full batches. */
  async sendBatches(): Promise<void> {
    for (const [hour, rows] of this.#waiting) {
      if (rows.length >= BATCH_ROWS) await this.#send(hour)
    }
  }

  /** Moves every hour that ended before `ts` into the table, oldest first. */
  async mergeBefore(ts: number): Promise<readonly MergedHour[]> {
    const hours = [...new Set([...this.#waiting.keys(), ...this.#staged])]
      .filter((hour) => hour + HOUR_US <= ts)
      .toSorted((left, right) => left - right)
    const merged: MergedHour[] = []
    for (const hour of hours) merged.push(await this.#merge(hour))
    return merged
  }

  /** Hours of the previous version of which the file has no row. Called last. */
  async mergeGone(): Promise<readonly MergedHour[]> {
    const { replaced } = this.#file
    const merged: MergedHour[] = []
    if (replaced === undefined) return merged
    const first = fromMillis(replaced.first_ts.getTime())
    const last = fromMillis(replaced.last_ts.getTime())
    for (let hour = hourStart(first); hour <= last; hour = micros(hour + HOUR_US)) {
      if (!this.#merged.has(hour)) merged.push(await this.#merge(hour))
    }
    return merged
  }

  /** Drops what is not merged. */
  async close(): Promise<void> {
    await this.#client.query('discard temp')
  }

  async #send(hour: Micros): Promise<void> {
    const rows = this.#waiting.get(hour) ?? []
    this.#waiting.delete(hour)
    const stage = stageOf(hour)
    if (!this.#staged.has(hour)) {
      await this.#client.query(`create temp table ${stage} (like marketdata.${this.#table.name})`)
      this.#staged.add(hour)
    }
    if (rows.length === 0) return
    const sink = this.#client.query(
      copyStreams.from(`copy ${stage} (${this.#columns}) from stdin (format binary)`),
    )
    const done = finished(sink)
    sink.write(COPY_HEADER)
    const columns = rowsOf(this.#table, rows)
    sink.write(encodeRows(this.#table, columns, 0, rows.length, this.#file.symbol_id).bytes)
    sink.end(COPY_TRAILER)
    await done
  }

  async #merge(hour: Micros): Promise<MergedHour> {
    this.#options.signal.throwIfAborted()
    await this.#send(hour)
    await this.#client.query(`analyze ${stageOf(hour)}`)
    const merged = this.#file.replaced
      ? await this.#withArchiveLock(hour, () => this.#inTransaction(hour))
      : await this.#inTransaction(hour)
    this.#staged.delete(hour)
    this.#merged.set(hour, merged.is_covered)
    return merged
  }

  /** An archive run that has read the rows must not record them after they were replaced. */
  async #withArchiveLock<T>(hour: Micros, work: () => Promise<T>): Promise<T> {
    const window = hourWindow({ table_name: this.#table.name, hour })
    for (;;) {
      const result = await withLock(this.#options.pool, ARCHIVE_JOB, window, work)
      if (result.kind === 'done') return result.value
      await sleep(LOCK_WAIT_MS, undefined, { signal: this.#options.signal })
    }
  }

  async #inTransaction(hour: Micros): Promise<MergedHour> {
    const client = this.#client
    const gone = await selectLakeHours(client, { from: hour, to: micros(hour + HOUR_US) })
    // Committed by itself: attaching a partition must not lock the table for as long as the merge.
    await client.query('select marketdata.ensure_hour($1, $2)', [this.#table.name, toIso(hour)])
    await client.query('begin')
    try {
      await client.query("set local work_mem = '64MB'")
      if (gone.length > 0) await this.#bringBack(hour)
      await refuseMixedTrades(client, this.#file, hour, micros(hour + HOUR_US))
      const removed = this.#file.replaced ? await this.#remove(hour) : NONE
      const added = await this.#insert(hour)
      const is_covered =
        this.#file.kind.identity !== 'hours' || (await this.#lacks(stageOf(hour))) === 0
      await this.#logLate([removed, added].filter(({ row_count }) => row_count > 0))
      if (removed.row_count > 0) await this.#markRevised(hour)
      await client.query(`drop table ${stageOf(hour)}`)
      await client.query('commit')
      const counts = { added_count: added.row_count, removed_count: removed.row_count }
      return { hour, ...counts, is_covered }
    } catch (error) {
      await client.query('rollback').catch(() => undefined)
      throw error
    }
  }

  /** All tables of the hour, because rollups need all rows that they are computed from. */
  async #bringBack(hour: Micros): Promise<void> {
    const { store, work_dir } = this.#options
    const client = this.#client
    const symbol_ids = await selectSymbolIds(client)
    const path = join(work_dir, `import-hour-${process.pid}.parquet`)
    const span = { from: hour, to: micros(hour + HOUR_US) }
    for (const table_hour of await selectLakeHours(client, span)) {
      await loadLakeHour(client, store, table_hour, symbol_ids, path)
    }
  }

  async #remove(hour: Micros): Promise<Changed> {
    const { name } = this.#table
    return this.#change(
      `delete from marketdata.${name} t
       where t.symbol_id = $1 and t.ts_exchange >= $2 and t.ts_exchange < $3
         and t.ts_ingest = t.ts_exchange and not exists (
           select from ${stageOf(hour)} s where ${rowsEqual(this.#table)}
         )
       returning ts_exchange`,
      hour,
    )
  }

  /** Of several rows with one key the first of the file stays, as of the recorder's. */
  async #insert(hour: Micros): Promise<Changed> {
    const { name, identity } = this.#table
    const of_hour = this.#merged.get(hour) === true ? 'continued' : 'first'
    // Retention may have dropped the empty partition in the meantime.
    await this.#client.query('select marketdata.ensure_hour($1, $2)', [name, toIso(hour)])
    return this.#change(
      `insert into marketdata.${name} (${this.#columns})
       select ${this.#columns} from ${stageOf(hour)} s
       where s.symbol_id = $1 and s.ts_exchange >= $2 and s.ts_exchange < $3
         and ${unrecorded(name, this.#file.kind.identity, of_hour)}
       order by ${identity.join(', ')}, s.ctid
       on conflict do nothing
       returning ts_exchange`,
      hour,
    )
  }

  async #change(statement: string, hour: Micros): Promise<Changed> {
    const { rows } = await this.#client.query<Changed>(
      `with changed as (${statement})
       select count(*)::int as row_count, min(ts_exchange) as lowest, max(ts_exchange) as greatest
       from changed`,
      [this.#file.symbol_id, toIso(hour), toIso(micros(hour + HOUR_US))],
    )
    return rows[0]!
  }

  /** Number of staged rows that the table does not have. */
  async #lacks(stage: string): Promise<number> {
    const { rows } = await this.#client.query<{ count: number }>(
      `select count(*)::int as count from ${stage} s
       where not exists (
         select from marketdata.${this.#table.name} t where ${keysEqual(this.#table)}
       )`,
    )
    return rows[0]!.count
  }

  /**
   * As the ingestor does for rows below a table's threshold: the archive and rollups look again.
   * The thresholds stay locked until the commit, as ingestor/writer/invalidations.ts explains.
   */
  async #logLate(changes: readonly Changed[]): Promise<void> {
    for (const { lowest, greatest } of changes) {
      await this.#client.query(
        `with threshold as (
           select consumers, threshold from marketdata.invalidation_thresholds
           where table_name = $1 for share
         )
         insert into marketdata.invalidations (consumer, table_name, symbol_id, lowest, greatest)
         select consumer, $1, $2, $3, $4
         from threshold cross join unnest(consumers) as consumer
         where $3 < threshold`,
        [this.#table.name, this.#file.symbol_id, lowest, greatest],
      )
    }
  }

  /** The next version of the hour's file is what Postgres has. */
  async #markRevised(hour: Micros): Promise<void> {
    await this.#client.query(
      `update marketdata.archive a set is_revised = true
       where exchange = $1 and table_name = $2 and hour = $3 and version = (
         select max(version) from marketdata.archive n
         where n.exchange = a.exchange and n.table_name = a.table_name and n.hour = a.hour
       )`,
      [this.#file.exchange, this.#table.name, toIso(hour)],
    )
  }
}

interface Changed {
  readonly row_count: number
  readonly lowest: Date | null
  readonly greatest: Date | null
}

const NONE: Changed = { row_count: 0, lowest: null, greatest: null }

function stageOf(hour: Micros): string {
  return `pg_temp.import_${toIso(hour).slice(0, 13).replaceAll(/[-T]/g, '')}`
}
