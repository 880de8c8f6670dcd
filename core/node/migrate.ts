/**
 * Applies sql/migrations in numeric order, each in its own transaction. An applied file must never
 * change: its sha256 is stored and compared.
 */
import { createHash } from 'node:crypto'
import { readFile, readdir } from 'node:fs/promises'
import { OperatorError } from '../errors.ts'
import { type Client, type Pool, withClient } from './pool.ts'
import { requireSession } from './session-check.ts'

const FOLDER = new URL('../../sql/migrations/', import.meta.url)

/** Returns the names of the migrations it applied. Two programs may call it at the same time. */
export async function migrate(pool: Pool): Promise<readonly string[]> {
  await requireSession(pool)
  return withClient(pool, async (client) => {
    await client.query("select pg_advisory_lock(hashtext('booktape.migrate'))")
    try {
      await createLedger(client)
      const done: string[] = []
      for (const name of await missingMigrations(client)) {
        try {
          await client.query('begin; set local statement_timeout = 0')
          await applyMigration(client, name)
          await client.query('commit')
        } catch (error) {
          await client.query('rollback')
          throw error
        }
        done.push(name)
      }
      return done
    } finally {
      await client.query("select pg_advisory_unlock(hashtext('booktape.migrate'))")
    }
  })
}

/**
 * Applies these migrations in the caller's transaction, or all that are missing. A restore loads
 * rows into the schema that they are from, and migrates them together with it.
 */
export async function migrateWithin(client: Client, names?: readonly string[]): Promise<void> {
  await createLedger(client)
  for (const name of names ?? (await missingMigrations(client))) {
    await applyMigration(client, name)
    // Temporary tables of a migration would only go with the transaction.
    await client.query('discard temp')
  }
}

/** This build's migrations with the sha256 of their files, in order. */
export async function knownMigrations(): Promise<ReadonlyMap<string, string>> {
  const known = new Map<string, string>()
  for (const name of await migrationFiles()) known.set(name, (await readMigration(name)).sha256)
  return known
}

async function createLedger(client: Client): Promise<void> {
  await client.query(`create schema if not exists marketdata;
    create table if not exists marketdata.schema_migrations (
      name text not null,
      sha256 text not null,
      applied_at timestamptz not null default now(),
      constraint schema_migrations_pkey primary key (name)
    );
    comment on table marketdata.schema_migrations is 'Migrations that were applied, with the sha256 of the file.'`)
}

/** Throws `migration_changed` if a file is not what was applied. */
async function missingMigrations(client: Client): Promise<readonly string[]> {
  const { rows } = await client.query<AppliedMigration>(SELECT_APPLIED)
  const applied = new Map(rows.map((row) => [row.name, row.sha256]))
  const missing: string[] = []
  for (const [name, sha256] of await knownMigrations()) {
    const before = applied.get(name)
    if (before === undefined) missing.push(name)
    else if (before !== sha256) {
      throw new OperatorError(
        'migration_changed',
        `Migration ${name} has changed since it was applied.`,
        { hint: 'Restore the file from git. Put the change into a new migration.' },
      )
    }
  }
  return missing
}

async function applyMigration(client: Client, name: string): Promise<void> {
  const { sql, sha256 } = await readMigration(name)
  try {
    await client.query(sql)
    await client.query('insert into marketdata.schema_migrations (name, sha256) values ($1, $2)', [
      name,
      sha256,
    ])
  } catch (cause) {
    throw new OperatorError('migration_failed', `Migration ${name} failed: ${String(cause)}`, {
      cause,
    })
  }
}

/** Names of the migrations that the database lacks: all of them if it has no schema yet. */
export async function pendingMigrations(client: Client): Promise<readonly string[]> {
  return (await compareMigrations(client)).pending
}

export interface MigrationDifferences {
  readonly pending: readonly string[]
  /** Applied, and another file since. */
  readonly changed: readonly string[]
  /** Applied by a build that has more of them. */
  readonly unknown: readonly string[]
}

/** What this build's files and the database have different. Reads only. */
export async function compareMigrations(client: Client): Promise<MigrationDifferences> {
  const files = await migrationFiles()
  const table = await client.query<{ found: boolean }>(
    "select to_regclass('marketdata.schema_migrations') is not null as found",
  )
  if (table.rows[0]?.found !== true) return { pending: files, changed: [], unknown: [] }
  const { rows } = await client.query<AppliedMigration>(SELECT_APPLIED)
  const applied = new Map(rows.map(({ name, sha256 }) => [name, sha256]))
  const changed: string[] = []
  for (const name of files) {
    const sha256 = applied.get(name)
    if (sha256 !== undefined && sha256 !== (await readMigration(name)).sha256) changed.push(name)
  }
  return {
    pending: files.filter((name) => !applied.has(name)),
    changed,
    unknown: [...applied.keys()].filter((name) => !files.includes(name)).toSorted(),
  }
}

interface AppliedMigration {
  readonly name: string
  readonly sha256: string
}

const SELECT_APPLIED = 'select name, sha256 from marketdata.schema_migrations'

async function readMigration(
  name: string,
): Promise<{ readonly sql: string; readonly sha256: string }> {
  const sql = await readFile(new URL(name, FOLDER), 'utf8')
  return { sql, sha256: createHash('sha256').update(sql).digest('hex') }
}

async function migrationFiles(): Promise<readonly string[]> {
  return (await readdir(FOLDER)).filter((name) => name.endsWith('.sql')).toSorted()
}
