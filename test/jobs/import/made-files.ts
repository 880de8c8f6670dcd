/** Files as Binance's archive has them, and an import of them into a database of its own. */
import { join } from 'node:path'
import { parseDay } from '#core/time.ts'
import { listFiles, type Wanted } from '../../../jobs/import/files.ts'
import { createFolderOrigin } from '../../../jobs/import/folder-origin.ts'
import type { FileResult } from '../../../jobs/import/results.ts'
import { type ImportOptions, runImport } from '../../../jobs/import/run-import.ts'
import type { Stand } from '../stand.ts'
import { putFile, zipOf } from '../../../bench/import/zip.ts'

export const DAY_MS = Date.parse('2024-03-29T00:00:00Z')
const HEADER =
  'agg_trade_id,price,quantity,first_trade_id,last_trade_id,transact_time,is_buyer_maker'

export interface Made {
  readonly id: number
  readonly ms: number
  readonly qty?: number
}

export const line = ({ id, ms, qty = 0.5 }: Made): string =>
  `${id},${60_000 + (id % 100) / 10},${qty},${id * 2},${id * 2 + 1},${ms},${id % 2 === 0}`

/** Evenly over the day, so that it is whole. */
export function dayOf(day: number, first_id: number, count = 480): readonly Made[] {
  return Array.from({ length: count }, (_, i) => ({
    id: first_id + i,
    ms: DAY_MS + day * 86_400_000 + Math.floor((i * 86_400_000) / count) + 7,
  }))
}

export const pathOf = (date: string, kind = 'aggTrades', market = 'futures/um'): string =>
  `data/${market}/daily/${kind}/BTCUSDT/BTCUSDT-${kind}-${date}.zip`

export async function putTrades(
  stand: Stand,
  date: string,
  made: readonly Made[],
  options: { readonly header?: boolean; readonly sum?: string; readonly cut?: number } = {},
): Promise<void> {
  const lines = [...(options.header === true ? [HEADER] : []), ...made.map(line)]
  const bytes = zipOf(`BTCUSDT-aggTrades-${date}.csv`, `${lines.join('\n')}\n`)
  const cut = options.cut === undefined ? bytes : bytes.subarray(0, options.cut)
  await putFile(folderOf(stand), pathOf(date), cut, options.sum)
}

export const folderOf = ({ dir }: Pick<Stand, 'dir'>): string => join(dir, 'files')

export const wanted = (from: string, to: string, of: Partial<Wanted> = {}): Wanted => ({
  source: 'binance',
  exchange: 'binance-futures',
  kinds: ['aggTrades'],
  symbols: ['BTCUSDT'],
  from: parseDay(from)!,
  to: parseDay(to)!,
  is_monthly: false,
  ...of,
})

export async function run(
  stand: Pick<Stand, 'pool' | 'store' | 'dir'>,
  of: Wanted,
  options: Partial<ImportOptions> = {},
): Promise<readonly FileResult[]> {
  return runImport({
    pool: stand.pool,
    store: stand.store,
    work_dir: join(stand.dir, 'work'),
    origin: await createFolderOrigin(folderOf(stand)),
    files: listFiles(of),
    is_recheck: false,
    now: Date.now,
    signal: new AbortController().signal,
    ...options,
  })
}

export const findings = (results: readonly FileResult[]): readonly unknown[] =>
  results.map((result) =>
    result.kind === 'imported'
      ? result.facts.finding
      : result.kind === 'failed'
        ? (result.error as { readonly code: string }).code
        : result.kind,
  )

export async function tradesOf({ pool }: Stand): Promise<readonly string[]> {
  const { rows } = await pool.query<{ text: string }>(
    'select row(t.*)::text as text from marketdata.trades t order by ts_exchange, agg_trade_id',
  )
  return rows.map(({ text }) => text)
}

export async function gapsOf({ pool }: Pick<Stand, 'pool'>): Promise<readonly unknown[]> {
  const { rows } = await pool.query(
    `select cause, to_char(from_ts at time zone 'UTC', 'DD HH24:MI') as from_ts,
       to_char(to_ts at time zone 'UTC', 'DD HH24:MI') as to_ts, from_id::int, to_id::int
     from marketdata.gaps where repaired_at is null order by gaps.from_ts, gaps.from_id`,
  )
  return rows
}
