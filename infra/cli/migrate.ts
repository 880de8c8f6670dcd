/** `npx booktape migrate`: brings a database to this build's schema. */
import { Command } from 'commander'
import { migrate } from '#core/node/migrate.ts'
import { createPool } from '#core/node/pool.ts'
import { databaseUrl } from './options.ts'

export function migrateCommand(): Command {
  return new Command('migrate')
    .description('apply the missing migrations to the database at DATABASE_URL')
    .allowExcessArguments(false)
    .action(async () => {
      const pool = createPool(databaseUrl(), 'booktape-migrate', 1)
      try {
        const applied = await migrate(pool)
        process.stdout.write(
          applied.length === 0
            ? 'Nothing to do: the schema is up to date.\n'
            : `Applied ${applied.join(', ')}.\n`,
        )
      } finally {
        await pool.end()
      }
    })
}
