/** Rows of marketdata.imports: the files that are in the raw tables. */
import type { Client, Pool } from '#core/node/pool.ts'
import { micros, toIso } from '#core/time.ts'
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

/** First and last row of the version that is imported. */
export async function selectSpan(
  client: Client | Pool,
  { path }: SourceFile,
): Promise<{ readonly first_ts: Date; readonly last_ts: Date } | undefined> {
  const { rows } = await client.query<{ first_ts: Date; last_ts: Date }>(
    'select first_ts, last_ts from marketdata.imports where file = $1 and first_ts is not null',
    [path],
  )
  return rows[0]
}

export interface FileRecord {
  readonly symbol_id: number
  readonly table_name: string
  /** Its days [us]. */
  readonly from_ts: number
  readonly to_ts: number
  /** Undefined: it has no row [us]. */
  readonly first_ts: number | undefined
  readonly last_ts: number | undefined
  /** Null where ids do not count. */
  readonly first_id: number | null
  readonly last_id: number | null
  readonly missing_count: number
}

export async function upsertFile(
  client: Client,
  file: SourceFile,
  { from_ts, to_ts, first_ts, last_ts, ...record }: FileRecord,
  facts: FileFacts,
  at: Date,
): Promise<void> {
  const iso = (ts: number | undefined): string | null =>
    ts === undefined ? null : toIso(micros(ts))
  const values: Readonly<Record<string, unknown>> = {
    file: file.path,
    source: file.source,
    kind: file.kind.name,
    ...record,
    from_ts: iso(from_ts),
    to_ts: iso(to_ts),
    first_ts: iso(first_ts),
    last_ts: iso(last_ts),
    ...facts,
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
