/**
 * Opens a day as one consistent view. Rows in Postgres are read in repeatable-read transactions
 * that share one snapshot; archive files never change. Other threads join the view with the result
 * of `share`.
 */
import {
  createObjectStore,
  type ObjectStore,
  type ObjectStoreConfig,
} from '#core/node/object-store.ts'
import { createPool, type Client, type Pool } from '#core/node/pool.ts'
import type { Day } from '#core/time.ts'
import { createArchiveReader } from '../archive/read.ts'
import {
  planDay,
  readsPostgres,
  revisedFiles,
  type DayPlan,
  type RevisedFile,
  type RevisedHour,
} from './day-plan.ts'
import { selectDaySymbols } from './day-symbols.ts'
import { type DayReader, type DaySymbol, FEATURE_CHANNELS, type RowReader } from './events.ts'
import { type LateRows, type Seen, selectLateSince } from './late-rows.ts'
import { digestLedger, selectLedger } from './ledger.ts'
import { createDayReader, openParts } from './reader.ts'

export interface OpenDay {
  readonly symbols: readonly DaySymbol[]
  /** Hours of the day that late rows changed after archiving. */
  readonly revised_hours: readonly RevisedHour[]
  /** Digest of the symbols' gaps in the ledger. */
  readonly ledger_sha256: string
  /** Files read for this day or the day before that are not the first version of their hour. */
  readonly revised_files: readonly RevisedFile[]
  /** Rows that arrived after an earlier view of the day was opened. */
  lateSince(seen: Seen | undefined): Promise<LateRows>
  readonly reader: DayReader & RowReader
  /** What another thread needs to join the view while it is open here. */
  share(): Promise<SharedDay>
  /** Ends the transaction. Call it once others have joined and `reader` is no longer used. */
  release(): Promise<void>
  /**
   * Ends the transaction if `reader` reads archived hours alone. Without this, a build of more than
   * IDLE_LIMIT would lose its connection. Call it before the build, and after `lateSince`.
   */
  releaseIfArchived(): Promise<void>
}

/** Plain data that can be posted to another thread. */
export interface SharedDay {
  readonly date: Day
  readonly plan: DayPlan
  readonly object_store: ObjectStoreConfig
  /** Undefined if nothing is read from Postgres. */
  readonly postgres: { readonly database_url: string; readonly snapshot_id: string } | undefined
}

/** A single statement that takes longer has run into a fault. */
const STATEMENT_LIMIT = '15min'
/** The transaction holds back vacuum, so a build that stops reading must not keep it open. */
const IDLE_LIMIT = '5min'
/** Two days of five tables on several exchanges: 20 KB each with 200 symbols. */
const FOOTERS_MAX = 1_000

/** Opens the view, passes it to `use`, and closes it. */
export async function withDay<T>(
  { pool, store }: { readonly pool: Pool; readonly store: ObjectStore },
  day: Day,
  use: (open: OpenDay) => Promise<T>,
): Promise<T> {
  const client = await pool.connect()
  let is_open = true
  const release = async (): Promise<void> => {
    if (!is_open) return
    is_open = false
    // Everything has been read, so a connection that was lost since then takes nothing with it.
    const is_lost = await client.query('commit').then(
      () => false,
      () => true,
    )
    client.release(is_lost)
  }
  try {
    await begin(client)
    const { plan, revised_hours } = await planDay(client, day)
    const archive = createArchiveReader(store, FOOTERS_MAX)
    const parts = openParts(plan, { client, archive })
    const ledger = await selectLedger(client, day)
    const symbols = await selectDaySymbols(client, parts, day, ledger)
    const result = await use({
      symbols,
      revised_hours,
      ledger_sha256: digestLedger(ledger, symbols),
      revised_files: revisedFiles(plan),
      lateSince: (seen) => selectLateSince(client, day, seen),
      reader: createDayReader(parts, day),
      share: () => share(pool, store, client, day, plan),
      release,
      releaseIfArchived: async () => {
        if (!readsPostgres(plan)) await release()
      },
    })
    await release()
    return result
  } catch (error) {
    // An unfinished COPY cannot be ended cleanly, so its connection is closed.
    if (is_open) client.release(true)
    throw error
  }
}

/** Joins a view from another thread. Its connection closes when the thread ends. */
export async function joinDay(shared: SharedDay): Promise<DayReader> {
  const { date, plan, object_store, postgres } = shared
  const archive = createArchiveReader(createObjectStore(object_store), FOOTERS_MAX)
  const client = postgres && (await joinTransaction(postgres))
  return createDayReader(openParts(plan, { client, archive }), date)
}

async function joinTransaction({
  database_url,
  snapshot_id,
}: NonNullable<SharedDay['postgres']>): Promise<Client> {
  const client = await createPool(database_url, 'booktape-features', 1).connect()
  await begin(client, snapshot_id)
  return client
}

async function share(
  pool: Pool,
  store: ObjectStore,
  client: Client,
  date: Day,
  plan: DayPlan,
): Promise<SharedDay> {
  const object_store = store.config
  if (!readsPostgres(plan)) return { date, plan, object_store, postgres: undefined }
  const { rows } = await client.query<{ id: string }>('select pg_export_snapshot() as id')
  const database_url = pool.options.connectionString
  if (database_url === undefined) throw new Error('The pool has no connection string to share.')
  return { date, plan, object_store, postgres: { database_url, snapshot_id: rows[0]!.id } }
}

/** `snapshot_id` comes from pg_export_snapshot() in another transaction. */
async function begin(client: Client, snapshot_id?: string): Promise<void> {
  await client.query('begin isolation level repeatable read read only')
  if (snapshot_id !== undefined) {
    await client.query(`set transaction snapshot ${client.escapeLiteral(snapshot_id)}`)
  }
  await client.query(`set local statement_timeout = '${STATEMENT_LIMIT}'`)
  await client.query(`set local idle_in_transaction_session_timeout = '${IDLE_LIMIT}'`)
  // Each read releases the locks of its partitions (postgres-part.ts). These locks on the parents
  // keep every partition from being dropped while the view is open.
  for (const channel of FEATURE_CHANNELS) {
    await client.query(`lock table only marketdata.${channel} in access share mode`)
  }
  // The planner thinks a partition without statistics is small, and would sort it instead of
  // reading it in index order.
  for (const way of ['seqscan', 'bitmapscan', 'sort']) {
    await client.query(`set local enable_${way} = off`)
  }
}
