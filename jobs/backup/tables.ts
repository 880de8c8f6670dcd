/**
 * What a backup does with each table of the schema. A test compares the list with the catalog, so
 * that a new table cannot be left out by mistake.
 */
import { ARCHIVED_NAMES } from '#core/archived-tables.ts'

export type TableFate =
  /** In every backup. */
  | { readonly kind: 'state' }
  /** In full backups; the others name the part of the full backup before them. */
  | { readonly kind: 'history' }
  /** In the lake; full backups have the hours that the lake lacks. */
  | { readonly kind: 'lake' }
  /** Not backed up. */
  | { readonly kind: 'left_out'; readonly why: string }

/** In the order in which they are loaded: a row comes after those that it refers to. */
export const TABLE_FATES: Readonly<Record<string, TableFate>> = {
  symbols: { kind: 'state' },
  symbol_history: { kind: 'state' },
  gaps: { kind: 'state' },
  stream_offsets: { kind: 'state' },
  tape_positions: { kind: 'state' },
  ingestors: { kind: 'state' },
  audit: { kind: 'state' },
  job_runs: { kind: 'state' },
  archive: { kind: 'state' },
  invalidation_thresholds: { kind: 'state' },
  invalidations: { kind: 'state' },
  rollup_watermarks: { kind: 'state' },
  orderbook_topn_watermarks: { kind: 'state' },
  conflicts: { kind: 'state' },
  imports: { kind: 'state' },
  fact_days: { kind: 'state' },
  lake_tables: { kind: 'state' },
  lake_days: { kind: 'state' },
  prices: { kind: 'history' },
  funding_rates: { kind: 'history' },
  open_interest: { kind: 'history' },
  book_depth: { kind: 'history' },
  klines: { kind: 'history' },
  ...Object.fromEntries(ARCHIVED_NAMES.map((name) => [name, { kind: 'lake' }] as const)),
  signals: { kind: 'left_out', why: 'the job computes them again; past days are in a dataset' },
  signal_progress: { kind: 'left_out', why: 'it says how far signals are in this database' },
  webhook_deliveries: { kind: 'left_out', why: 'a restored database sends only new events' },
  clusters: { kind: 'left_out', why: 'computed from trades, when somebody asks for it' },
  cluster_versions: {
    kind: 'left_out',
    why: 'says which clusters changed; a restored database has none',
  },
  cluster_watch: { kind: 'left_out', why: 'who reads now watches again within minutes' },
  cluster_epoch: { kind: 'left_out', why: 'a restored database has an epoch of its own' },
  validation_reports: { kind: 'left_out', why: 'the jobs check again within five minutes' },
  console_history: { kind: 'left_out', why: "lines of the console's last hour" },
  live_epoch: { kind: 'left_out', why: 'a restored database has a numbering of its own' },
  schema_migrations: { kind: 'left_out', why: 'the manifest names the migrations' },
  restores: { kind: 'left_out', why: 'it says what was restored into this database' },
}

export function tablesOf(kind: TableFate['kind']): readonly string[] {
  return Object.keys(TABLE_FATES).filter((name) => TABLE_FATES[name]!.kind === kind)
}
