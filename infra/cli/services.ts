/** Postgres, the object store and a work folder for commands: of the environment, or of a stack. */
import { join } from 'node:path'
import { describeError, OperatorError } from '#core/errors.ts'
import {
  createObjectStore,
  type ObjectStore,
  type ObjectStoreConfig,
} from '#core/node/object-store.ts'
import { createPool, type Pool } from '#core/node/pool.ts'
import { requireSession } from '#core/node/session-check.ts'
import { parseConfig } from '../../jobs/config.ts'
import { readStackFile, type StackFile } from '../local/data-dir.ts'
import { databaseUrl } from './options.ts'

export const DATA_DIR_OPTION = [
  '--data-dir <dir>',
  'folder of the local stack; ignored if DATABASE_URL is set',
  '.data',
] as const
const POOL_SIZE = 3

export interface Services {
  readonly pool: Pool
  readonly store: ObjectStore
  readonly work_dir: string
  /** The settings of the local stack's jobs daemon, overridden by the environment. */
  readonly env: Readonly<Record<string, string | undefined>>
}

/** Uses the services of the environment if DATABASE_URL is set, else those of the local stack. */
export async function withServices(
  data_dir: string,
  use: (services: Services) => Promise<void>,
  database: 'migrated' | 'any' = 'migrated',
): Promise<void> {
  const work_dir = join(data_dir, 'work')
  const { env } = process
  const { database_url, object_store, jobs_settings } =
    env['DATABASE_URL'] === undefined
      ? fromStackFile(data_dir)
      : { ...parseConfig({ WORK_DIR: work_dir, ...env }), jobs_settings: {} }
  const pool = createPool(database_url, 'booktape-cli', POOL_SIZE)
  const store = createObjectStore(object_store)
  try {
    await checkDatabase(pool, database)
    const settings = { ...jobs_settings, ...env }
    await use({ pool, store, work_dir: env['WORK_DIR'] ?? work_dir, env: settings })
  } finally {
    store.close()
    await pool.end()
  }
}

/** Uses the database of the environment if DATABASE_URL is set, else that of the local stack. */
export async function withDatabase(
  data_dir: string,
  use: (pool: Pool) => Promise<void>,
): Promise<void> {
  const is_local = process.env['DATABASE_URL'] === undefined
  const url = is_local ? readStackFile(data_dir).postgres_url : databaseUrl()
  const pool = createPool(url, 'booktape-cli', POOL_SIZE)
  try {
    await checkDatabase(pool, 'migrated')
    await use(pool)
  } finally {
    await pool.end()
  }
}

function fromStackFile(data_dir: string): {
  readonly database_url: string
  readonly object_store: ObjectStoreConfig
  readonly jobs_settings: StackFile['jobs_settings']
} {
  const { postgres_url, object_store, jobs_settings } = readStackFile(data_dir)
  return { database_url: postgres_url, object_store, jobs_settings }
}

async function checkDatabase(pool: Pool, database: 'migrated' | 'any'): Promise<void> {
  let is_migrated: boolean
  try {
    const { rows } = await pool.query<{ found: boolean }>(
      "select to_regclass('marketdata.job_runs') is not null as found",
    )
    is_migrated = rows[0]!.found
  } catch (cause) {
    const message = `Cannot connect to Postgres: ${describeError(cause)}.`
    throw new OperatorError('postgres_unreachable', message, {
      hint: 'Check DATABASE_URL, or start the local stack with `npm start`.',
      retryable: true,
      cause,
    })
  }
  await requireSession(pool)
  if (!is_migrated && database === 'migrated') {
    throw new OperatorError('not_migrated', 'The database has no table marketdata.job_runs.', {
      hint: 'Check DATABASE_URL, or create the tables with `npx booktape migrate`.',
    })
  }
}
