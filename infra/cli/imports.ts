/** `npx booktape imports`: the files that were imported, and where the rows of a day are from. */
import { Command } from 'commander'
import type { Pool } from '#core/node/pool.ts'
import { DATA_DIR_OPTION, withDatabase } from './services.ts'

interface Flags {
  readonly symbols?: string
  readonly dataDir: string
}

export function importsCommand(): Command {
  return new Command('imports')
    .description('list the files that were imported: days, symbol, kind, source, rows, finding')
    .option('--symbols <symbols>', 'comma list; default: all')
    .option(...DATA_DIR_OPTION)
    .allowExcessArguments(false)
    .action(({ symbols, dataDir }: Flags) =>
      withDatabase(dataDir, (pool) => list(pool, symbols?.split(',') ?? null)),
    )
}

interface ImportRow {
  readonly file: string
  readonly from_day: string
  readonly exchange: string
  readonly symbol: string
  readonly table_name: string
  readonly version: number
  readonly row_count: string
  readonly finding: string | null
}

async function list(pool: Pool, symbols: readonly string[] | null): Promise<void> {
  const { rows } = await pool.query<ImportRow>(
    `select i.file, to_char(i.from_ts at time zone 'UTC', 'YYYY-MM-DD') as from_day, s.exchange,
       s.symbol, i.table_name, i.version, i.added_count - i.removed_count as row_count, i.finding
     from marketdata.imports i join marketdata.symbols s on s.id = i.symbol_id
     where $1::text[] is null or s.symbol = any ($1)
     order by i.from_ts, s.exchange, s.symbol, i.file`,
    [symbols],
  )
  if (rows.length === 0) process.stdout.write('Nothing was imported.\n')
  for (const { file, from_day, exchange, symbol, table_name, version, ...row } of rows) {
    const state = row.finding === null ? 'whole' : `NOT WHOLE: ${row.finding}`
    const of = `${from_day} ${exchange} ${symbol} ${table_name}`
    process.stdout.write(`${of}: ${row.row_count} rows of ${file}, version ${version}: ${state}\n`)
  }
}
