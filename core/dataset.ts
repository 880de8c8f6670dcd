/**
 * The shape of a published dataset's manifest.json and latest.json: written by jobs, served by
 * the edge. But for `complete` and `inputs`, nothing in a manifest depends on when it was built, so a rebuild
 * has the same bytes.
 */
import type { Exchange } from './symbols.ts'
import type { Channel, GapCause } from './market.ts'

export interface DatasetFile {
  readonly name: string
  readonly format: 'parquet' | 'arrow' | 'csv.gz'
  readonly bytes: number
  readonly sha256: string
  readonly row_count: number
}

export interface DatasetColumn {
  readonly name: string
  readonly type: string
  readonly unit: string
  readonly description: string
  readonly formula: string
  readonly source: string
  /** When the value is null. */
  readonly null_rule: string
}

export interface GapNote {
  readonly channel: Channel
  readonly from_ts: string
  /** Null where the gap had not ended when the day was built. */
  readonly to_ts: string | null
  readonly cause: GapCause
  readonly repaired: boolean
}

/** Gaps listed per symbol in a manifest, so that a bad day does not make it unreadable. */
export const GAP_NOTES_MAX = 100

/** What is there and what is missing, per symbol. Times are ISO 8601, UTC. */
export interface SymbolCoverage {
  readonly exchange: Exchange
  readonly symbol: string
  /** Start of the first and the last second that the symbol's rows may lie in. */
  readonly from_ts: string
  readonly to_ts: string
  readonly row_count: number
  /**
   * Seconds of the day with a known quote; in candles and trades, seconds whose trades were heard.
   * coverage.parquet says the same of every channel.
   */
  readonly present_s: number
  /** The other seconds of the day: before the first event, across gaps, after the last row. */
  readonly missing_s: number
  readonly quote_count: number
  readonly trade_count: number
  readonly gap_count: number
  /** The first GAP_NOTES_MAX of them; all are in coverage.parquet. */
  readonly gaps: readonly GapNote[]
}

/** What a dataset was made from besides the day's rows. */
export interface DatasetInputs {
  /** Parameters fitted on the day before; null where there were none. */
  readonly fit: { readonly key: string; readonly sha256: string } | null
  /** Archived hours that late rows changed afterwards, with the version that was current. */
  readonly revised_hours: readonly {
    readonly exchange: Exchange
    readonly table_name: string
    readonly hour: string
    readonly version: number
  }[]
  /**
   * Of the gap ledger, as far as it concerns the day and its symbols. Absent from manifests that
   * were written before it was known.
   */
  readonly ledger_sha256?: string | undefined
}

export interface Manifest {
  readonly dataset: string
  readonly schema_version: number
  readonly date: string
  /**
   * Folder of the files beside the manifest: build=BUILD. Absent from manifests that were written
   * before builds had folders; their files lie beside them.
   */
  readonly build?: string | undefined
  /** False for a day that was built before it was over. */
  readonly complete: boolean
  readonly row_count: number
  readonly columns: readonly DatasetColumn[]
  readonly files: readonly DatasetFile[]
  readonly coverage: readonly SymbolCoverage[]
  /** Absent from manifests that were written before it was known. */
  readonly inputs?: DatasetInputs | undefined
}

/** What "yesterday" means right now: the newest day that is over, or else the newest. */
export interface Latest {
  readonly dataset: string
  readonly schema_version: number
  readonly date: string
  readonly complete: boolean
}
