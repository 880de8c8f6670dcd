/** `npm run soak:books -- --symbols 200`: one line of JSON, and exit code 1 on any complaint. */
import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Command } from 'commander'
import { prepareDatabase } from '../../../infra/local/database.ts'
import { wholeNumber } from '../../../infra/cli/options.ts'
import { freePort } from '../../../infra/local/ports.ts'
import { FragilePostgres } from '../postgres.ts'
import { runBooks } from './run.ts'

interface Flags {
  readonly symbols: number
  readonly seconds: number
  readonly eventsPerS: number
  readonly seed: number
}

/** With 200 books about four per second are lost; the weight limit allows that for a minute. */
const DROP_SHARE = 0.002
const SNAPSHOT_S = 60

await new Command('soak:books')
  .description(
    'keep the books of a simulated exchange through faults and a kill -9, and check them',
  )
  .option(
    '--symbols <count>',
    'books; 200 need two rounds of the weight limit, over a minute each',
    wholeNumber(1, 200),
    200,
  )
  .option(
    '--seconds <seconds>',
    'how long frames are dropped, duplicated, delayed and corrupted',
    wholeNumber(1, 3_600),
    20,
  )
  .option(
    '--events-per-s <rate>',
    'quotes and trades a second over all symbols, which make the depth',
    wholeNumber(10, 100_000),
    4_000,
  )
  .option('--seed <seed>', 'of the market and the faults', wholeNumber(0, 2 ** 32), 7)
  .action(async ({ symbols: symbol_count, seconds, eventsPerS: events_per_s, seed }: Flags) => {
    const dir = mkdtempSync(join(tmpdir(), 'booktape-books-'))
    // Postgres may run as another user.
    chmodSync(dir, 0o755)
    const postgres = new FragilePostgres(join(dir, 'postgres'), await freePort())
    const started = performance.now()
    // The ingestor exits with this process; Postgres does not, so it is killed here.
    process.once('exit', () => postgres.abandon())
    for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => process.exit(1))
    try {
      await postgres.start()
      const { owner_url } = await prepareDatabase(postgres.url, 'books-books-books')
      const report = await runBooks({
        database_url: owner_url,
        dir,
        seed,
        symbol_count,
        events_per_s,
        fault_ms: seconds * 1_000,
        drop_share: DROP_SHARE,
        snapshot_s: SNAPSHOT_S,
        onProgress: (what) => {
          process.stderr.write(`${((performance.now() - started) / 1_000).toFixed(1)} s: ${what}\n`)
        },
      })
      process.stdout.write(`${JSON.stringify(report)}\n`)
      process.exitCode = report.complaints.length === 0 ? 0 : 1
    } finally {
      await postgres.stop()
      rmSync(dir, { recursive: true, force: true })
    }
  })
  .parseAsync()
