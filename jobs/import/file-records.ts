/** Rows of marketdata.imports: the files that are in the raw tables. */
import type { Client, Pool } from '#core/node/pool.ts'
import { micros, toIso } from '#core/time.ts'
import type { ImportedFile } from './ledger.ts'
import type { SourceFile } from './kind.ts'

export interface FileFacts {
  readonly sha256: string
  readonly byte_count: number
  readonly line_count: number
  readonly added_count: number
  readonly removed_count: number
  readonly known_count: number
  readonly repeated_count: number
  readonly void_count: number
  readonly rejected_count: number
  /** Null: the file is whole. */
  readonly finding: string | null
}

export async function selectSha256(pool: Pool, { path }: SourceFile): Promise<string | undefined> {
  const { rows } = await pool.query<{ sha256: string }>(
    'select sha256 from marketdata.imports where file = $1',
    [path],
  )
  return rows[0]?.sha256
}

/** `missing_count` is the number of gaps that the file leaves. */
export async function upsertFile(
  client: Client,
  file: SourceFile,
  imported: ImportedFile,
  facts: FileFacts,
  missing_count: number,
  at: Date,
): Promise<void> {
  const { symbol_id, channel, from_ts, to_ts, first, last, ids_are_consecutive } = imported
  const iso = (ts: number | undefined): string | null =>
    ts === undefined ? null : toIso(micros(ts))
  const values: Readonly<Record<string, unknown>> = {
    file: file.path,
    source: file.source,
    kind: file.kind.name,
    symbol_id,
    table_name: channel,
    from_ts: iso(from_ts),
    to_ts: iso(to_ts),
    ...facts,
    first_ts: iso(first?.ts),
    last_ts: iso(last?.ts),
    first_id: ids_are_consecutive ? (first?.id ?? null) : null,
    last_id: ids_are_consecutive ? (last?.id ?? null) : null,
    missing_count,
    imported_at: at,
  }
  const names = Object.keys(values)
  const changes = names.map((name) =>
    SUMMED.has(name) ? `${name} = i.${name} + excluded.${name}` : `${name} = excluded.${name}`,
  )
  await client.query(
    `insert into marketdata.imports as i (${names.join(', ')})
     values (${names.map((_, i) => `$${i + 1}`).join(', ')})
     on conflict (file) do update set ${changes.join(', ')},
       version = i.version + 1, built_at = null`,
    Object.values(values),
  )
}

const SUMMED: ReadonlySet<string> = new Set(['added_count', 'removed_count'])
