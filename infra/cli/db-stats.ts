/** `npx booktape db-stats`: tables, partitions, sizes, growth, and what retention would drop. */
import { Command } from 'commander'
import { createPool } from '#core/node/pool.ts'
import { parseRetentionSettings } from '../../jobs/retention/settings.ts'
import {
  type DatabaseStatistics,
  selectStatistics,
  type TableStatistics,
} from '../../jobs/retention/statistics.ts'
import { readStackFile } from '../local/data-dir.ts'
import { openConsoleApi } from './ingestor/client.ts'
import { type ConsoleFlags, withConsoleOptions } from './options.ts'

interface Flags extends ConsoleFlags {
  readonly dataDir: string
  readonly json?: true
}

const HEAD = ['TABLE', 'PARTS', 'MB', 'INDEXES', 'ROWS', 'MB/HOUR', 'FROM', 'TO']
/** Columns of numbers. */
const RIGHT = new Set([1, 2, 3, 4, 5])

export function dbStatsCommand(): Command {
  return withConsoleOptions(new Command('db-stats'))
    .description('sizes, partitions and growth of the tables, and what retention would drop')
    .option('--json', 'the statistics for machines')
    .option(
      '--data-dir <dir>',
      'the folder of the local stack; not used where DATABASE_URL is set',
      '.data',
    )
    .allowExcessArguments(false)
    .action(async ({ server, token, dataDir, json }: Flags) => {
      const found =
        server === undefined
          ? await readStatistics(dataDir)
          : ((await openConsoleApi(server, token).get('/statistics')) as DatabaseStatistics)
      process.stdout.write(json === true ? `${JSON.stringify(found)}\n` : statisticsText(found))
    })
}

async function readStatistics(data_dir: string): Promise<DatabaseStatistics> {
  const { env } = process
  const stack = env['DATABASE_URL'] === undefined ? readStackFile(data_dir) : undefined
  const database_url = env['DATABASE_URL'] ?? stack!.postgres_url
  const settings = parseRetentionSettings({ ...stack?.jobs_settings, ...env })
  const pool = createPool(database_url, 'booktape-db-stats', 1)
  try {
    return await selectStatistics(pool, settings, Date.now())
  } finally {
    await pool.end()
  }
}

export function statisticsText({ database_bytes, tables, retention }: DatabaseStatistics): string {
  const { used_bytes, budget_bytes, budget_left_h, drops } = retention
  const lines = [HEAD, ...tables.map(cellsOf)]
  const widths = HEAD.map((_, i) => Math.max(...lines.map((line) => line[i]!.length)))
  const table = lines.map((line) =>
    line
      .map((cell, i) => (RIGHT.has(i) ? cell.padStart(widths[i]!) : cell.padEnd(widths[i]!)))
      .join('  ')
      .trimEnd(),
  )
  const limit = budget_bytes === 0 ? 'no limit' : `of ${megabytes(budget_bytes)} MB`
  const left =
    budget_left_h === null ? '' : `, used up in ${budget_left_h.toFixed(0)} h at this rate`
  const would = drops.map(
    ({ reason, partition_count, byte_count }) =>
      `${partition_count} partitions, ${megabytes(byte_count)} MB (${reason})`,
  )
  return [
    `The database has ${megabytes(database_bytes)} MB.`,
    ...table,
    `Hourly partitions: ${megabytes(used_bytes)} MB, ${limit}${left}.`,
    `Retention would drop: ${would.length === 0 ? 'nothing' : would.join('; ')}.`,
    '',
  ].join('\n')
}

function cellsOf(table: TableStatistics): readonly string[] {
  const { table_name, partition_count, byte_count, index_bytes, row_count } = table
  const { bytes_per_hour, from, to } = table
  return [
    table_name,
    String(partition_count),
    megabytes(byte_count),
    megabytes(index_bytes),
    row_count.toLocaleString('en-US', { maximumFractionDigits: 0 }),
    bytes_per_hour === null ? '-' : megabytes(bytes_per_hour),
    from?.slice(0, 13) ?? '-',
    to?.slice(0, 13) ?? '-',
  ]
}

function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(1)
}
