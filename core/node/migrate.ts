/**
 * Applies sql/migrations in the order of their numbers, each in a transaction of its own.
 * An applied file must never change: its sha256 is kept and compared.
 */
import { createHash } from 'node:crypto'
import { readFile, readdir } from 'node:fs/promises'
import { OperatorError } from '../errors.ts'
import { type Pool, withClient } from './pool.ts'

const FOLDER = new URL('../../sql/migrations/', import.meta.url)

/** Returns the names of the migrations that this call applied. Safe to run from two programs at once. */
export async function migrate(pool: Pool): Promise<readonly string[]> {
  const files = (await readdir(FOLDER)).filter((name) => name.endsWith('.sql')).toSorted()
  return withClient(pool, async (client) => {
    await client.query("select pg_advisory_lock(hashtext('booktape.migrate'))")
    try {
      await client.query(`create schema if not exists marketdata;
        create table if not exists marketdata.schema_migrations (
          name text not null,
          sha256 text not null,
          applied_at timestamptz not null default now(),
          constraint schema_migrations_pkey primary key (name)
        )`)
      const { rows } = await client.query<{ name: string; sha256: string }>(
        'select name, sha256 from marketdata.schema_migrations',
      )
      const applied = new Map(rows.map((row) => [row.name, row.sha256]))
      const done: string[] = []
      for (const name of files) {
        const sql = await readFile(new URL(name, FOLDER), 'utf8')
        const sha256 = createHash('sha256').update(sql).digest('hex')
        const before = applied.get(name)
        if (before === sha256) continue
        if (before !== undefined) {
          throw new OperatorError('migration_changed', `Migration ${name} is not the file that was applied.`, {
            hint: 'Restore the file from git and put the change into a new migration.',
          })
        }
        try {
          await client.query('begin')
          await client.query(sql)
          await client.query('insert into marketdata.schema_migrations (name, sha256) values ($1, $2)', [
            name,
            sha256,
          ])
          await client.query('commit')
        } catch (cause) {
          await client.query('rollback')
          throw new OperatorError('migration_failed', `Migration ${name} failed: ${String(cause)}`, { cause })
        }
        done.push(name)
      }
      return done
    } finally {
      await client.query("select pg_advisory_unlock(hashtext('booktape.migrate'))")
    }
  })
}
