/**
 * Opens a day as one consistent view: whatever of it lies in Postgres is read in repeatable-read
 * transactions that see the same rows, and the files of the archive never change. Threads join
 * the view by what `share` gives them.
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
  /** Hours of the day that late rows changed after they had been archived. */
  readonly revised_hours: readonly RevisedHour[]
  /** Of what the ledger says of the symbols. */
  readonly ledger_sha256: string
  /** Files that are read, of the day before as well, which are not their hours' first versions. */
  readonly revised_files: readonly RevisedFile[]
  /** Rows that came to the day since an earlier view of it. */
  lateSince(seen: Seen | undefined): Promise<LateRows>
  readonly reader: DayReader & RowReader
  /** What another thread needs to join the view, for as long as it is open here. */
  share(): Promise<SharedDay>
  /** Lets go of Postgres: others have joined, and nothing more is read through `reader`. */
  release(): Promise<void>
}

/** Goes from thread to thread as it is. */
export interface SharedDay {
  readonly date: Day
  readonly plan: DayPlan
  readonly object_store: ObjectStoreConfig
  /** Undefined where nothing lies in Postgres. */
  readonly postgres: { readonly database_url: string; readonly snapshot_id: string } | undefined
}

/** A single statement that takes longer than this has met something that is broken. */
const STATEMENT_LIMIT = '15min'
/** The transaction holds back vacuum: a build that stops asking must let go of it. */
const IDLE_LIMIT = '5min'
/** Two days of five tables and some exchanges: 20 KB each with 200 symbols. */
const FOOTERS_MAX = 1_000

/** Opens the view, hands it to `use`, and closes it. */
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
    await client.query('commit')
    client.release()
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
    })
    await release()
    return result
  } catch (error) {
    // A COPY that was left in the middle cannot be ended politely: its connection goes.
    if (is_open) client.release(true)
    throw error
  }
}

/** Joins a view from another thread, with connections of its own, which end with the thread. */
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
  if (database_url === undefined) throw new Error('A pool without a connection string is not ours.')
  return { date, plan, object_store, postgres: { database_url, snapshot_id: rows[0]!.id } }
}

/** `snapshot_id` is the server's own word for another transaction's view. */
async function begin(client: Client, snapshot_id?: string): Promise<void> {
  await client.query('begin isolation level repeatable read read only')
  if (snapshot_id !== undefined) {
    await client.query(`set transaction snapshot ${client.escapeLiteral(snapshot_id)}`)
  }
  await client.query(`set local statement_timeout = '${STATEMENT_LIMIT}'`)
  await client.query(`set local idle_in_transaction_session_timeout = '${IDLE_LIMIT}'`)
  // Each read gives the locks of its partitions back (postgres-part.ts). These keep all of them
  // from
  // being dropped for as long as the view is open.
  for (const channel of FEATURE_CHANNELS) {
    await client.query(`lock table only marketdata.${channel} in access share mode`)
  }
  // A partition without statistics looks small enough to be sorted. It is read in index order.
  for (const way of ['seqscan', 'bitmapscan', 'sort']) {
    await client.query(`set local enable_${way} = off`)
  }
}
