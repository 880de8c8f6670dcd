/**
 * The shape of a published dataset's manifest.json and latest.json. Jobs write them, the edge
 * serves them. Only `complete` and `inputs` can depend on when a manifest was built, so a rebuild
 * has the same bytes.
 */
import type { DatasetColumn } from './features/column.ts'
import type { Channel, GapCause } from './market.ts'
import type { Exchange } from './symbols.ts'

export interface DatasetFile {
  readonly name: string
  readonly format: 'parquet' | 'arrow' | 'csv.gz' | 'npz' | 'tar'
  readonly bytes: number
  readonly sha256: string
  readonly row_count: number
}

export interface GapNote {
  readonly channel: Channel
  readonly from_ts: string
  /** Null if the gap was still open when the day was built. */
  readonly to_ts: string | null
  readonly cause: GapCause
  readonly repaired: boolean
}

/** Gaps listed per symbol in a manifest, so that a bad day does not make it unreadable. */
export const GAP_NOTES_MAX = 100

/** What is present and what is missing, per symbol. Times are ISO 8601, UTC. */
export interface SymbolCoverage {
  readonly exchange: Exchange
  readonly symbol: string
  /** Start of the first and the last second that can hold rows of the symbol. */
  readonly from_ts: string
  readonly to_ts: string
  readonly row_count: number
  /**
   * Seconds of the day with a known quote; for candles and trades, seconds in which the trade
   * stream was recorded. coverage.parquet has the same for every channel.
   */
  readonly present_s: number
  /** The other seconds of the day: before the first event, across gaps, after the last row. */
  readonly missing_s: number
  readonly quote_count: number
  readonly trade_count: number
  readonly gap_count: number
  /** The first GAP_NOTES_MAX gaps; coverage.parquet has all. */
  readonly gaps: readonly GapNote[]
}

/** What a dataset was built from, in addition to the day's rows. */
export interface DatasetInputs {
  /** Parameters fitted on the previous day; null if there were none. */
  readonly fit: { readonly key: string; readonly sha256: string } | null
  /** Archived hours that late rows had changed, with the version used. */
  readonly revised_hours: readonly {
    readonly exchange: Exchange
    readonly table_name: string
    readonly hour: string
    readonly version: number
  }[]
  /**
   * Hash of the gap ledger's entries for this day and its symbols. Absent from manifests written
   * before this field existed.
   */
  readonly ledger_sha256?: string | undefined
  /** Of imported facts: the files that the rows are from. */
  readonly files?: readonly FactFileNote[] | undefined
}

/** A file of another archive, as it was imported. */
export interface FactFileNote {
  /** Its name at the source. */
  readonly file: string
  readonly source: string
  /** As the source names it. */
  readonly kind: string
  readonly sha256: string
  /** What is wrong with the file, as a sentence; null: it is whole. */
  readonly finding: string | null
}

export interface Manifest {
  readonly dataset: string
  readonly schema_version: number
  readonly date: string
  /**
   * The files are in the folder build=BUILD next to the manifest. Absent from manifests written
   * before builds had folders; their files are next to the manifest itself.
   */
  readonly build?: string | undefined
  /** False if the day was built before it ended. */
  readonly complete: boolean
  readonly row_count: number
  readonly columns: readonly DatasetColumn[]
  readonly files: readonly DatasetFile[]
  readonly coverage: readonly SymbolCoverage[]
  /** Settings that the rows depend on, by name. Absent if there are none. */
  readonly parameters?: Readonly<Record<string, number>> | undefined
  /** Absent from manifests written before this field existed. */
  readonly inputs?: DatasetInputs | undefined
}

/** What "yesterday" means right now: the newest complete day, or else the newest day. */
export interface Latest {
  readonly dataset: string
  readonly schema_version: number
  readonly date: string
  readonly complete: boolean
}
