/**
 * Days of which the source has no file, or none that can be read. If nothing was recorded either,
 * the whole span becomes a gap by cause `import`.
 */
import type { ObjectStore } from '#core/node/object-store.ts'
import { type Client, inTransaction, type Pool } from '#core/node/pool.ts'
import { dayRange, type Micros, micros, toIso } from '#core/time.ts'
import { createArchiveReader } from '../archive/read.ts'
import { selectArchivedHours } from '../archive/records.ts'
import { isFactFile, type RawFile, type SourceFile } from './kind.ts'
import { NO_EDGES, writeGaps } from './ledger.ts'

/** Sources publish a day within two days of its end. */
const PUBLISHED_US = 2 * 86_400_000_000

export type MissingDay =
  /** The source may still publish it. */
  | 'early'
  /** It is in the ledger, or has no place there, or rows of it were recorded. */
  | 'settled'

export async function noteMissingDay(
  { pool, store }: { readonly pool: Pool; readonly store: ObjectStore },
  file: SourceFile,
  now_us: number,
): Promise<MissingDay> {
  const days = { from: dayRange(file.from).from, to: dayRange(file.to).from }
  if (days.to + PUBLISHED_US > now_us) return 'early'
  if (isFactFile(file)) return 'settled'
  if (file.kind.silence_us === undefined && !file.kind.ids_are_consecutive) return 'settled'
  const symbol_id = await selectSymbolId(pool, file)
  if (symbol_id === undefined) return 'settled'
  if (await isInLake(pool, store, file, days)) return 'settled'
  await inTransaction(pool, async (client) => {
    if (await hasRows(client, file, symbol_id, days)) return
    const missing = { from_ts: days.from, to_ts: days.to, from_id: null, to_id: null }
    const span = { symbol_id, channel: file.kind.table, from_ts: days.from, to_ts: days.to }
    await writeGaps(client, span, NO_EDGES, [missing], new Date(now_us / 1_000))
  })
  return 'settled'
}

interface Span {
  readonly from: Micros
  readonly to: Micros
}

async function selectSymbolId(pool: Pool, file: SourceFile): Promise<number | undefined> {
  const { rows } = await pool.query<{ id: string }>(
    'select id from marketdata.symbols where exchange = $1 and symbol = $2',
    [file.exchange, file.symbol],
  )
  return rows[0] && Number(rows[0].id)
}

async function hasRows(
  client: Client,
  { kind }: RawFile,
  symbol_id: number,
  { from, to }: Span,
): Promise<boolean> {
  const { rowCount } = await client.query(
    `select from marketdata.${kind.table}
     where symbol_id = $1 and ts_exchange >= $2 and ts_exchange < $3 limit 1`,
    [symbol_id, toIso(from), toIso(to)],
  )
  return rowCount === 1
}

/** Rows of hours that have left Postgres. */
async function isInLake(
  pool: Pool,
  store: ObjectStore,
  { exchange, symbol, kind }: RawFile,
  { from, to }: Span,
): Promise<boolean> {
  const span = { exchange, table_name: kind.table, from, to: micros(to) }
  const reader = createArchiveReader(store)
  for (const hour of await selectArchivedHours(pool, span)) {
    const symbols = await reader.symbols(hour)
    if (symbols.some((extent) => extent.symbol === symbol)) return true
  }
  return false
}
