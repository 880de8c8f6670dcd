/** `npx booktape migrate`: brings a database to the schema of this build. */
import { Command } from 'commander'
import { OperatorError } from '#core/errors.ts'
import { migrate } from '#core/node/migrate.ts'
import { createPool } from '#core/node/pool.ts'

export function migrateCommand(): Command {
  return new Command('migrate')
    .description('apply the migrations that the database named by DATABASE_URL lacks')
    .allowExcessArguments(false)
    .action(async () => {
      const database_url = process.env['DATABASE_URL']
      if (database_url === undefined || !URL.canParse(database_url)) {
        throw new OperatorError('no_database_url', 'DATABASE_URL is not set to a URL.', {
          hint: 'Give it as postgres://user:password@host:5432/database. `npm start` migrates its own database.',
        })
      }
      const pool = createPool(database_url, 'booktape-migrate', 1)
      try {
        const applied = await migrate(pool)
        process.stdout.write(
          applied.length === 0 ? 'Nothing to do: the schema is up to date.\n' : `Applied ${applied.join(', ')}.\n`,
        )
      } finally {
        await pool.end()
      }
    })
}
