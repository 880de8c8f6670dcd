/**
 * Types of the API: parameters and answers by path. Written by infra/client/write.ts from the
 * OpenAPI document; a test compares them.
 */
/* oxlint-disable max-lines -- One file of types, which nobody reads from top to bottom. */

export type Book = {
  readonly exchange: string
  readonly symbol: string
  /** The requested time. */
  readonly ts: string
  /** Time of the newest update in the book. */
  readonly ts_exchange: string
  /** Time from ts_exchange to ts [ms]. */
  readonly age_ms: number
  /** The limit for age_ms that applied: an older book is a 404 [s]. */
  readonly max_age_s: number
  /** Id that the exchange gave the newest update. */
  readonly update_id: number
  /** Best first. */
  readonly bids: readonly (readonly [string, string])[]
  /** Best first. */
  readonly asks: readonly (readonly [string, string])[]
}

export type BookDepth = {
  /** time of the book [UTC] */
  readonly ts_exchange?: string
  /** distance from the mid; negative: bids [percent] */
  readonly distance_percent?: number
  /**
   * sum of quantities up to the distance [base asset]; a decimal string with the exchange's number
   * of decimals
   */
  readonly qty?: string
  /** sum of prices by quantities up to the distance [quote asset] */
  readonly notional?: number
}

export type BookDepthPage = {
  readonly exchange: string
  readonly symbol: string
  /** Start of the range, inclusive. */
  readonly from: string
  /** End of the range, exclusive. */
  readonly to: string
  readonly row_count: number
  /**
   * Path of the next page; null on the last page. Rows that arrive between two requests cause no
   * duplicates and no omissions.
   */
  readonly next: string | null
  readonly rows: readonly BookDepth[]
}

export type Candle = {
  /** start of the candle [UTC] */
  readonly ts?: string
  /**
   * price of the first trade [quote asset]; a decimal string with the exchange's number of decimals
   */
  readonly open?: string
  /** highest price [quote asset]; a decimal string with the exchange's number of decimals */
  readonly high?: string
  /** lowest price [quote asset]; a decimal string with the exchange's number of decimals */
  readonly low?: string
  /**
   * price of the last trade [quote asset]; a decimal string with the exchange's number of decimals
   */
  readonly close?: string
  /** traded quantity [base asset] */
  readonly volume?: number
  /** traded value [quote asset] */
  readonly notional?: number
  /** number of trades [rows] */
  readonly trade_count?: number
  /** quantity that takers bought [base asset] */
  readonly buy_volume?: number
  /** quantity that takers sold [base asset] */
  readonly sell_volume?: number
  /** notional / volume [quote asset] */
  readonly vwap?: number | null
}

export type CandlePage = {
  readonly exchange: string
  readonly symbol: string
  readonly interval: '1m' | '5m' | '15m' | '1h' | '4h' | '1d'
  /** Start of the range, inclusive. */
  readonly from: string
  /** End of the range, exclusive. */
  readonly to: string
  readonly row_count: number
  /**
   * Path of the next page; null on the last page. Rows that arrive between two requests cause no
   * duplicates and no omissions.
   */
  readonly next: string | null
  readonly rows: readonly Candle[]
}

export type Cluster = {
  /** Start of the interval. */
  readonly ts: string
  readonly interval: '1m' | '5m' | '15m' | '1h' | '4h' | '1d'
  /** Smallest price step [quote asset]; a decimal string with the exchange's number of decimals */
  readonly tick_size: string
  /** Ticks of a bin. */
  readonly bin_ticks: number
  /**
   * Price of the first trade [quote asset]; a decimal string with the exchange's number of decimals
   */
  readonly open: string
  /** Highest price [quote asset]; a decimal string with the exchange's number of decimals */
  readonly high: string
  /** Lowest price [quote asset]; a decimal string with the exchange's number of decimals */
  readonly low: string
  /**
   * Price of the last trade [quote asset]; a decimal string with the exchange's number of decimals
   */
  readonly close: string
  /** Traded quantity [base asset]; a decimal string with the exchange's number of decimals */
  readonly volume: string
  /**
   * Quantity that takers bought [base asset]; a decimal string with the exchange's number of
   * decimals
   */
  readonly buy_volume: string
  /**
   * Quantity that takers sold [base asset]; a decimal string with the exchange's number of decimals
   */
  readonly sell_volume: string
  readonly trade_count: number
  /**
   * buy_volume - sell_volume [base asset]; a decimal string with the exchange's number of decimals
   */
  readonly delta: string
  /**
   * Sum of the deltas from the start of the UTC day to the end of the bar [base asset]; a decimal
   * string with the exchange's number of decimals
   */
  readonly cum_delta: string
  /**
   * Lowest value of the running delta, which starts at 0 with the bar [base asset]; a decimal
   * string with the exchange's number of decimals
   */
  readonly min_delta: string
  /**
   * Highest value of the running delta [base asset]; a decimal string with the exchange's number of
   * decimals
   */
  readonly max_delta: string
  /**
   * Point of control: the bin with the greatest volume [quote asset]; a decimal string with the
   * exchange's number of decimals
   */
  readonly poc: string
  /**
   * Lowest bin of the value area, which has 70 % of the volume [quote asset]; a decimal string with
   * the exchange's number of decimals
   */
  readonly value_area_low: string
  /**
   * Highest bin of the value area [quote asset]; a decimal string with the exchange's number of
   * decimals
   */
  readonly value_area_high: string
  /** Both sides traded in the highest bin: the auction there is unfinished. */
  readonly is_unfinished_high: boolean
  /** The same for the lowest bin. */
  readonly is_unfinished_low: boolean
  /** Bins whose bought quantity is at least 3 times the quantity sold a bin below. */
  readonly buy_imbalances: readonly string[]
  /** Bins whose sold quantity is at least 3 times the quantity bought a bin above. */
  readonly sell_imbalances: readonly string[]
  /**
   * The interval is over, and no trade of it is known to be missing. A trade that arrives later
   * still changes the bar.
   */
  readonly is_final: boolean
  /**
   * [price, buy_qty, sell_qty, buy_count, sell_count] of each bin with trades, by price, ascending.
   * A bin covers bin_ticks x tick_size from its price on.
   */
  readonly cells: readonly (readonly [string, string, string, number, number])[]
}

export type ClusterPage = {
  readonly exchange: string
  readonly symbol: string
  readonly interval: '1m' | '5m' | '15m' | '1h' | '4h' | '1d'
  /** Start of the range, inclusive. */
  readonly from: string
  /** End of the range, exclusive. */
  readonly to: string
  readonly row_count: number
  /**
   * Path of the next page; null on the last page. Rows that arrive between two requests cause no
   * duplicates and no omissions.
   */
  readonly next: string | null
  /**
   * Gaps in the recording of trades that touch the range and whose events are missing; at most 100.
   * /v1/gaps has all.
   */
  readonly open_gaps: readonly OpenGap[]
  readonly rows: readonly Cluster[]
}

export type CollectorBook = {
  readonly symbol: string
  /** [s since 1970] */
  readonly timestamp: number
  readonly bids: readonly CollectorLevel[]
  readonly asks: readonly CollectorLevel[]
  /** best ask - best bid; a decimal string with the exchange's number of decimals */
  readonly spread: string | null
  /** (best ask + best bid) / 2; a decimal string with the exchange's number of decimals */
  readonly mid_price: string | null
}

export type CollectorHistory = {
  readonly symbol: string
  readonly count: number
  /** Path of the next page. */
  readonly next: string | null
  readonly data: readonly CollectorSnapshot[]
}

export type CollectorLevel = {
  /** price [quote asset]; a decimal string with the exchange's number of decimals */
  readonly price: string
  /** quantity [base asset]; a decimal string with the exchange's number of decimals */
  readonly quantity: string
  /** 0 is the best. */
  readonly level: number
}

export type CollectorSnapshot = {
  /** [s since 1970] */
  readonly timestamp: number
  readonly bids: readonly CollectorLevel[]
  readonly asks: readonly CollectorLevel[]
  /** best ask - best bid; a decimal string with the exchange's number of decimals */
  readonly spread: string | null
  /** (best ask + best bid) / 2; a decimal string with the exchange's number of decimals */
  readonly mid_price: string | null
}

export type CollectorStats = {
  /** [s since 1970] */
  readonly timestamp: number
  readonly symbol_count: number
  /** Number of symbols with a quote or trade in the last hour. */
  readonly active_count: number
  readonly symbols: readonly SymbolStats[]
}

export type Coverage = {
  readonly exchange: string
  readonly symbol: string
  /** Start of the range, inclusive. */
  readonly from: string
  /** End of the range, exclusive. */
  readonly to: string
  readonly streams: readonly StreamCoverage[]
}

export type DatasetColumn = {
  readonly name: string
  readonly type: string
  readonly unit: string
  readonly description: string
  readonly formula: string
  readonly source: string
  /** When the value is null. */
  readonly null_rule: string
}

export type DatasetDate = {
  readonly dataset: string
  readonly schema_version: number
  readonly date: string
  /**
   * Hash of the content. The files are in the folder build=<hash> next to the manifest. Absent from
   * old manifests, whose files are next to the manifest itself.
   */
  readonly build?: string
  /** False if the dataset was built before the day was over. */
  readonly complete: boolean
  readonly row_count: number
  readonly columns: readonly DatasetColumn[]
  readonly coverage: readonly SymbolCoverage[]
  /** Settings that the rows depend on, such as the number of bars per day. */
  readonly parameters?: Readonly<Record<string, number>>
  readonly inputs?: DatasetInputs
  readonly files: readonly SignedFile[]
  /** When the URLs expire. */
  readonly expires_at: string
}

export type DatasetDates = {
  readonly name: string
  /**
   * The date that `yesterday` refers to: the newest complete day, or the newest day if none is
   * complete.
   */
  readonly latest_date: string | null
  readonly dates: readonly DatasetVersion[]
}

export type DatasetFile = {
  readonly name: string
  readonly format: 'parquet' | 'arrow' | 'csv.gz' | 'npz' | 'tar'
  readonly bytes: number
  readonly sha256: string
  readonly row_count: number
}

export type DatasetGap = {
  readonly channel:
    | 'book_ticker'
    | 'trades'
    | 'depth_events'
    | 'mark_price'
    | 'liquidations'
    | 'prices'
  readonly from_ts: string
  /** Null if the gap had not ended when the day was built. */
  readonly to_ts: string | null
  readonly cause:
    | 'sequence'
    | 'disconnect'
    | 'restart'
    | 'silence'
    | 'refused'
    | 'rejected'
    | 'tape_full'
    | 'tape_cut'
    | 'delisted'
    | 'operator'
    | 'import'
  readonly repaired: boolean
}

export type DatasetInputs = {
  /** Parameters fitted on the previous day; null if there were none. */
  readonly fit: {
    readonly key: string
    readonly sha256: string
  } | null
  /** Hash of the gap ledger entries for this day and its symbols. */
  readonly ledger_sha256?: string
  /** Archived hours that were revised because of late rows. */
  readonly revised_hours: readonly RevisedHour[]
  /** Of imported facts: the files that the rows are from. */
  readonly files?: readonly ImportedFile[]
}

export type DatasetList = {
  readonly datasets: readonly DatasetSummary[]
}

export type DatasetManifest = {
  readonly dataset: string
  readonly schema_version: number
  readonly date: string
  /**
   * Hash of the content. The files are in the folder build=<hash> next to the manifest. Absent from
   * old manifests, whose files are next to the manifest itself.
   */
  readonly build?: string
  /** False if the dataset was built before the day was over. */
  readonly complete: boolean
  readonly row_count: number
  readonly columns: readonly DatasetColumn[]
  readonly coverage: readonly SymbolCoverage[]
  /** Settings that the rows depend on, such as the number of bars per day. */
  readonly parameters?: Readonly<Record<string, number>>
  readonly inputs?: DatasetInputs
  readonly files: readonly DatasetFile[]
}

export type DatasetSummary = {
  readonly name: string
  readonly schema_version: number
  readonly date_count: number
  readonly first_date: string
  readonly last_date: string
}

export type DatasetVersion = {
  readonly date: string
  readonly schema_version: number
}

export type DepthEvent = {
  /** matching engine's time (T), else event time (E), else receive time [UTC] */
  readonly ts_exchange?: string
  /** our clock when the frame arrived [UTC] */
  readonly ts_ingest?: string
  /** last update id of the event (u), or of the snapshot (lastUpdateId) [id] */
  readonly final_update_id?: number
  /** diff, partial or snapshot [kind] */
  readonly depth_kind?: string
  /** first update id of a diff (U) [id] */
  readonly first_update_id?: number | null
  /** final_update_id of the previous diff, as the exchange says (pu) [id] */
  readonly prev_final_update_id?: number | null
  /** bid levels as [price, qty]; in a diff, qty 0 removes the level [quote asset, base asset] */
  readonly bids?: readonly (readonly [string, string])[]
  /** ask levels as [price, qty]; in a diff, qty 0 removes the level [quote asset, base asset] */
  readonly asks?: readonly (readonly [string, string])[]
}

export type DepthEventPage = {
  readonly exchange: string
  readonly symbol: string
  /** Start of the range, inclusive. */
  readonly from: string
  /** End of the range, exclusive. */
  readonly to: string
  readonly row_count: number
  /**
   * Path of the next page; null on the last page. Rows that arrive between two requests cause no
   * duplicates and no omissions.
   */
  readonly next: string | null
  readonly rows: readonly DepthEvent[]
}

export type ExchangeCounts = {
  readonly exchange: string
  readonly symbol_count: number
  readonly active_count: number
}

export type FeaturePage = {
  readonly exchange: string
  readonly symbol: string
  readonly dataset: 'features_1s' | 'features_100ms' | 'labels_1s'
  /** Start of the range, inclusive. */
  readonly from: string
  /** End of the range, exclusive. */
  readonly to: string
  readonly row_count: number
  /**
   * Path of the next page; null on the last page. Rows that arrive between two requests cause no
   * duplicates and no omissions.
   */
  readonly next: string | null
  /** Columns as in the manifest of the dataset. ts is a time. */
  readonly rows: readonly Readonly<Record<string, string | number | null>>[]
}

export type Finding = {
  readonly check:
    | 'structure'
    | 'ingestors'
    | 'freshness'
    | 'quality'
    | 'frequency'
    | 'rates'
    | 'books'
    | 'clock'
    | 'datasets'
  readonly code: string
  readonly table_name: string | null
  /** What was found, and what was expected. */
  readonly sentence: string
  /** Affected symbols, at most 500. */
  readonly symbols: readonly string[]
  /** Number of affected symbols. */
  readonly symbol_count: number
}

export type FundingRate = {
  /** time of the payment [UTC] */
  readonly ts_exchange?: string
  /** rate; positive: longs pay shorts [fraction per funding interval] */
  readonly funding_rate?: number
  /** time since the payment before [h] */
  readonly interval_h?: number | null
}

export type FundingRatePage = {
  readonly exchange: string
  readonly symbol: string
  /** Start of the range, inclusive. */
  readonly from: string
  /** End of the range, exclusive. */
  readonly to: string
  readonly row_count: number
  /**
   * Path of the next page; null on the last page. Rows that arrive between two requests cause no
   * duplicates and no omissions.
   */
  readonly next: string | null
  readonly rows: readonly FundingRate[]
}

export type Gap = {
  readonly id: number
  readonly exchange: string
  readonly symbol: string
  readonly channel:
    | 'book_ticker'
    | 'trades'
    | 'depth_events'
    | 'mark_price'
    | 'liquidations'
    | 'prices'
  /**
   * ts_exchange of the last event before the gap. If the stream had no events then: the last time
   * at which it was known to work.
   */
  readonly from_ts: string
  /** ts_exchange of the first event after the gap; null until it ends. */
  readonly to_ts: string | null
  readonly from_id: number | null
  readonly to_id: number | null
  /**
   * sequence: update ids are missing. disconnect: the socket was down. restart: the ingestor was or
   * is down. silence: the socket was connected but delivered nothing. refused: the exchange refused
   * the subscription. rejected: a frame could not be parsed. tape_full: the tape reached its size
   * limit. tape_cut: part of the ingestor's tape was lost. delisted: the exchange no longer lists
   * the symbol. operator: an operator paused recording or excluded the stream; such a gap is not
   * refilled. import: an imported file lacks it.
   */
  readonly cause:
    | 'sequence'
    | 'disconnect'
    | 'restart'
    | 'silence'
    | 'refused'
    | 'rejected'
    | 'tape_full'
    | 'tape_cut'
    | 'delisted'
    | 'operator'
    | 'import'
  readonly detected_at: string
  /** Number of rows refilled. */
  readonly repaired_count: number
  /** Null while events in the gap are missing. */
  readonly repaired_at: string | null
  readonly repair_note: string | null
}

export type GapPage = {
  /** Start of the range, inclusive. */
  readonly from: string
  /** End of the range, exclusive. */
  readonly to: string
  readonly row_count: number
  /**
   * Path of the next page; null on the last page. Rows that arrive between two requests cause no
   * duplicates and no omissions.
   */
  readonly next: string | null
  readonly rows: readonly Gap[]
}

export type Health = {
  readonly status: 'ok'
  /** Null if no quote was recorded in the last 24 hours. */
  readonly newest_quote: {
    readonly ts_exchange: string
    readonly age_ms: number
  } | null
}

export type Heatmap = {
  readonly exchange: string
  readonly symbol: string
  readonly interval: '1s' | '10s' | '1m' | '5m'
  readonly source: 'topn' | 'book'
  /** smallest price step [quote asset]; a decimal string with the exchange's number of decimals */
  readonly tick_size: string
  /** Width of a bin [ticks]. */
  readonly bin_ticks: number
  /** Start of the range, inclusive. */
  readonly from: string
  /** End of the range, exclusive. */
  readonly to: string
  readonly row_count: number
  readonly rows: readonly HeatmapRow[]
}

export type HeatmapRow = {
  /** Start of the interval. */
  readonly ts: string
  /** Ascending by price. */
  readonly bid: readonly (readonly [string, string])[]
  /** Ascending by price. */
  readonly ask: readonly (readonly [string, string])[]
}

export type ImportedFile = {
  /** Its name at the source. */
  readonly file: string
  readonly source: string
  readonly kind: string
  readonly sha256: string
  /** What is wrong with the file; null if it is whole. */
  readonly finding: string | null
}

export type Index = {
  readonly name: 'booktape'
  /** Instruments that each exchange lists, and those that it trades. */
  readonly exchanges: readonly ExchangeCounts[] | null
  /** Start of the first hour that was recorded. */
  readonly first_hour: string | null
  /** Time of the newest quote of the last 24 hours. */
  readonly newest_quote: string | null
  readonly datasets: readonly DatasetSummary[] | null
  readonly links: Readonly<Record<string, string>>
}

export type IndexPrice = {
  readonly id: number
  readonly ticker: string
  /** Value of the index [quote asset]. */
  readonly price: number
  /** Time that the exchange gave [ms since 1970]. */
  readonly timestamp: number
  /** When the row was written. */
  readonly created_at: string
}

export type IndexPriceList = {
  readonly data: readonly IndexPrice[]
  readonly count: number
  readonly ticker: string
}

export type IndexPriceRange = {
  readonly data: readonly IndexPrice[]
  readonly count: number
  readonly ticker: string
  readonly start: number | null
  readonly end: number | null
}

export type IndexPriceStats = {
  readonly count: number
  readonly min_price: number | null
  readonly max_price: number | null
  readonly avg_price: number | null
  readonly first_timestamp: number | null
  readonly last_timestamp: number | null
}

export type Instrument = {
  readonly exchange: string
  readonly symbol: string
}

export type JobRun = {
  readonly id: number
  readonly job: string
  /** What the run processes, such as a day. */
  readonly job_window: string
  readonly status: 'running' | 'done' | 'failed'
  readonly attempt: number
  readonly started_at: string
  readonly finished_at: string | null
  readonly row_count: number | null
  readonly byte_count: number | null
  readonly error: string | null
}

export type JobRunList = {
  readonly runs: readonly JobRun[]
}

export type JobRunLog = {
  readonly id: number
  readonly job: string
  /** What the run processes, such as a day. */
  readonly job_window: string
  readonly status: 'running' | 'done' | 'failed'
  readonly attempt: number
  readonly started_at: string
  readonly finished_at: string | null
  readonly row_count: number | null
  readonly byte_count: number | null
  readonly error: string | null
  /** Number of lines in the whole log. */
  readonly line_count: number
  /** Each line has ts, level, msg and further fields. */
  readonly log_lines: readonly Readonly<Record<string, unknown>>[]
}

export type Kline = {
  /** start of the candle [UTC] */
  readonly ts_exchange?: string
  /** first price [quote asset]; a decimal string with the exchange's number of decimals */
  readonly open?: string
  /** highest price [quote asset]; a decimal string with the exchange's number of decimals */
  readonly high?: string
  /** lowest price [quote asset]; a decimal string with the exchange's number of decimals */
  readonly low?: string
  /** last price [quote asset]; a decimal string with the exchange's number of decimals */
  readonly close?: string
  /** traded quantity [base asset] */
  readonly volume?: number
  /** sum of prices by quantities [quote asset] */
  readonly notional?: number
  /** number of trades, not of aggregates [1] */
  readonly trade_count?: number
  /** quantity that takers bought [base asset] */
  readonly buy_volume?: number
  /** notional that takers bought [quote asset] */
  readonly buy_notional?: number
}

export type KlinePage = {
  readonly exchange: string
  readonly symbol: string
  readonly interval:
    | '1m'
    | '1s'
    | '3m'
    | '5m'
    | '15m'
    | '30m'
    | '1h'
    | '2h'
    | '4h'
    | '6h'
    | '8h'
    | '12h'
    | '1d'
    | '3d'
  /** Start of the range, inclusive. */
  readonly from: string
  /** End of the range, exclusive. */
  readonly to: string
  readonly row_count: number
  /**
   * Path of the next page; null on the last page. Rows that arrive between two requests cause no
   * duplicates and no omissions.
   */
  readonly next: string | null
  readonly rows: readonly Kline[]
}

export type LatestQuote = {
  readonly exchange: string
  readonly symbol: string
  /** Time since ts_exchange, by our clock [ms]. */
  readonly age_ms: number
  /** max_age_s of the request, if it had one [s]. */
  readonly max_age_s?: number
  /** matching engine's time (T), else event time (E), else receive time [UTC] */
  readonly ts_exchange: string
  /** our clock when the frame arrived [UTC] */
  readonly ts_ingest: string
  /** the exchange's order book update id (u) [id] */
  readonly update_id: number
  /**
   * best bid price; null if the side is empty [quote asset]; a decimal string with the exchange's
   * number of decimals
   */
  readonly best_bid: string | null
  /**
   * best ask price; null if the side is empty [quote asset]; a decimal string with the exchange's
   * number of decimals
   */
  readonly best_ask: string | null
  /**
   * quantity at the best bid; null if the side is empty [base asset]; a decimal string with the
   * exchange's number of decimals
   */
  readonly bid_qty: string | null
  /**
   * quantity at the best ask; null if the side is empty [base asset]; a decimal string with the
   * exchange's number of decimals
   */
  readonly ask_qty: string | null
  /**
   * best_ask - best_bid; null if a side is empty [quote asset]; a decimal string with the
   * exchange's number of decimals
   */
  readonly spread: string | null
  /**
   * (best_ask + best_bid) / 2, with one more decimal; null if a side is empty [quote asset]; a
   * decimal string with the exchange's number of decimals
   */
  readonly mid: string | null
}

export type Liquidation = {
  /** matching engine's time (T), else event time (E), else receive time [UTC] */
  readonly ts_exchange?: string
  /** our clock when the frame arrived [UTC] */
  readonly ts_ingest?: string
  /** side of the forced order, which is the taker's: buy or sell [side] */
  readonly side?: string
  /**
   * limit price of the forced order [quote asset]; a decimal string with the exchange's number of
   * decimals
   */
  readonly price?: string
  /**
   * quantity of the forced order [base asset]; a decimal string with the exchange's number of
   * decimals
   */
  readonly qty?: string
  /**
   * average price of its fills [quote asset]; a decimal string with the exchange's number of
   * decimals
   */
  readonly average_price?: string
  /**
   * quantity filled so far [base asset]; a decimal string with the exchange's number of decimals
   */
  readonly filled_qty?: string
}

export type LiquidationPage = {
  readonly exchange: string
  readonly symbol: string
  /** Start of the range, inclusive. */
  readonly from: string
  /** End of the range, exclusive. */
  readonly to: string
  readonly row_count: number
  /**
   * Path of the next page; null on the last page. Rows that arrive between two requests cause no
   * duplicates and no omissions.
   */
  readonly next: string | null
  readonly rows: readonly Liquidation[]
}

export type MarkPrice = {
  /** matching engine's time (T), else event time (E), else receive time [UTC] */
  readonly ts_exchange?: string
  /** our clock when the frame arrived [UTC] */
  readonly ts_ingest?: string
  /** mark price [quote asset]; a decimal string with the exchange's number of decimals */
  readonly mark_price?: string
  /** index price [quote asset]; a decimal string with the exchange's number of decimals */
  readonly index_price?: string | null
  /**
   * estimated settlement price [quote asset]; a decimal string with the exchange's number of
   * decimals
   */
  readonly settle_price?: string | null
  /** funding rate; positive: longs pay shorts [fraction per funding interval] */
  readonly funding_rate?: number | null
  /** when funding is paid next [UTC] */
  readonly next_funding_at?: string | null
}

export type MarkPricePage = {
  readonly exchange: string
  readonly symbol: string
  /** Start of the range, inclusive. */
  readonly from: string
  /** End of the range, exclusive. */
  readonly to: string
  readonly row_count: number
  /**
   * Path of the next page; null on the last page. Rows that arrive between two requests cause no
   * duplicates and no omissions.
   */
  readonly next: string | null
  readonly rows: readonly MarkPrice[]
}

export type MarketSecond = {
  /** start of the second [UTC] */
  readonly bucket?: string
  /**
   * open of the bid price over the quotes [quote asset]; a decimal string with the exchange's
   * number of decimals
   */
  readonly bid_open?: string | null
  /**
   * high of the bid price over the quotes [quote asset]; a decimal string with the exchange's
   * number of decimals
   */
  readonly bid_high?: string | null
  /**
   * low of the bid price over the quotes [quote asset]; a decimal string with the exchange's number
   * of decimals
   */
  readonly bid_low?: string | null
  /**
   * close of the bid price over the quotes [quote asset]; a decimal string with the exchange's
   * number of decimals
   */
  readonly bid_close?: string | null
  /**
   * open of the ask price over the quotes [quote asset]; a decimal string with the exchange's
   * number of decimals
   */
  readonly ask_open?: string | null
  /**
   * high of the ask price over the quotes [quote asset]; a decimal string with the exchange's
   * number of decimals
   */
  readonly ask_high?: string | null
  /**
   * low of the ask price over the quotes [quote asset]; a decimal string with the exchange's number
   * of decimals
   */
  readonly ask_low?: string | null
  /**
   * close of the ask price over the quotes [quote asset]; a decimal string with the exchange's
   * number of decimals
   */
  readonly ask_close?: string | null
  /**
   * open of the mid price over the quotes [quote asset]; a decimal string with the exchange's
   * number of decimals
   */
  readonly mid_open?: string | null
  /**
   * high of the mid price over the quotes [quote asset]; a decimal string with the exchange's
   * number of decimals
   */
  readonly mid_high?: string | null
  /**
   * low of the mid price over the quotes [quote asset]; a decimal string with the exchange's number
   * of decimals
   */
  readonly mid_low?: string | null
  /**
   * close of the mid price over the quotes [quote asset]; a decimal string with the exchange's
   * number of decimals
   */
  readonly mid_close?: string | null
  /** mean of the mid price over the quotes [quote asset] */
  readonly mid_mean?: number | null
  /**
   * open of the quantity at the best bid [base asset]; a decimal string with the exchange's number
   * of decimals
   */
  readonly bid_qty_open?: string | null
  /**
   * close of the quantity at the best bid [base asset]; a decimal string with the exchange's number
   * of decimals
   */
  readonly bid_qty_close?: string | null
  /**
   * min of the quantity at the best bid [base asset]; a decimal string with the exchange's number
   * of decimals
   */
  readonly bid_qty_min?: string | null
  /**
   * max of the quantity at the best bid [base asset]; a decimal string with the exchange's number
   * of decimals
   */
  readonly bid_qty_max?: string | null
  /** mean of the quantity at the best bid [base asset] */
  readonly bid_qty_mean?: number | null
  /**
   * open of the quantity at the best ask [base asset]; a decimal string with the exchange's number
   * of decimals
   */
  readonly ask_qty_open?: string | null
  /**
   * close of the quantity at the best ask [base asset]; a decimal string with the exchange's number
   * of decimals
   */
  readonly ask_qty_close?: string | null
  /**
   * min of the quantity at the best ask [base asset]; a decimal string with the exchange's number
   * of decimals
   */
  readonly ask_qty_min?: string | null
  /**
   * max of the quantity at the best ask [base asset]; a decimal string with the exchange's number
   * of decimals
   */
  readonly ask_qty_max?: string | null
  /** mean of the quantity at the best ask [base asset] */
  readonly ask_qty_mean?: number | null
  /** min of the spread over the quotes [quote asset] */
  readonly spread_min?: number | null
  /** max of the spread over the quotes [quote asset] */
  readonly spread_max?: number | null
  /** mean of the spread over the quotes [quote asset] */
  readonly spread_mean?: number | null
  /** microprice of the last quote [quote asset] */
  readonly microprice_close?: number | null
  /** mean of the microprice over the quotes [quote asset] */
  readonly microprice_mean?: number | null
  /** order flow imbalance between the quotes of the second [base asset] */
  readonly ofi_inside?: number | null
  /** number of quotes [rows] */
  readonly quote_count?: number | null
  /**
   * price of the first trade [quote asset]; a decimal string with the exchange's number of decimals
   */
  readonly open?: string | null
  /** highest price [quote asset]; a decimal string with the exchange's number of decimals */
  readonly high?: string | null
  /** lowest price [quote asset]; a decimal string with the exchange's number of decimals */
  readonly low?: string | null
  /**
   * price of the last trade [quote asset]; a decimal string with the exchange's number of decimals
   */
  readonly close?: string | null
  /** traded quantity [base asset] */
  readonly volume?: number | null
  /** traded value [quote asset] */
  readonly notional?: number | null
  /** number of trades [rows] */
  readonly trade_count?: number | null
  /** quantity that takers bought [base asset] */
  readonly buy_volume?: number | null
  /** quantity that takers sold [base asset] */
  readonly sell_volume?: number | null
  /** number of trades in which the taker bought [rows] */
  readonly buy_count?: number | null
  /** number of trades in which the taker sold [rows] */
  readonly sell_count?: number | null
  /** notional / volume [quote asset] */
  readonly vwap?: number | null
  /** buy_volume / volume [1] */
  readonly buy_ratio?: number | null
  /** number of diffs [rows] */
  readonly diff_count?: number | null
  /** number of partial books [rows] */
  readonly partial_count?: number | null
  /** number of snapshots [rows] */
  readonly snapshot_count?: number | null
  /** number of bid levels in the diffs [levels] */
  readonly bid_change_count?: number | null
  /** number of ask levels in the diffs [levels] */
  readonly ask_change_count?: number | null
  /** largest update id of the depth events [id] */
  readonly final_update_id?: number | null
  /** number of sampled books [rows] */
  readonly book_count?: number | null
  /**
   * best bid in the first sampled book [quote asset]; a decimal string with the exchange's number
   * of decimals
   */
  readonly book_bid_first?: string | null
  /**
   * best bid in the last sampled book [quote asset]; a decimal string with the exchange's number of
   * decimals
   */
  readonly book_bid_last?: string | null
  /**
   * best ask in the first sampled book [quote asset]; a decimal string with the exchange's number
   * of decimals
   */
  readonly book_ask_first?: string | null
  /**
   * best ask in the last sampled book [quote asset]; a decimal string with the exchange's number of
   * decimals
   */
  readonly book_ask_last?: string | null
  /**
   * quantity at the best bid in the first sampled book [base asset]; a decimal string with the
   * exchange's number of decimals
   */
  readonly book_bid_qty_first?: string | null
  /**
   * quantity at the best bid in the last sampled book [base asset]; a decimal string with the
   * exchange's number of decimals
   */
  readonly book_bid_qty_last?: string | null
  /**
   * quantity at the best ask in the first sampled book [base asset]; a decimal string with the
   * exchange's number of decimals
   */
  readonly book_ask_qty_first?: string | null
  /**
   * quantity at the best ask in the last sampled book [base asset]; a decimal string with the
   * exchange's number of decimals
   */
  readonly book_ask_qty_last?: string | null
  /** quantity of the best ten levels of the bid in the first sampled book [base asset] */
  readonly book_bid_qty10_first?: number | null
  /** quantity of the best ten levels of the bid in the last sampled book [base asset] */
  readonly book_bid_qty10_last?: number | null
  /** quantity of the best ten levels of the ask in the first sampled book [base asset] */
  readonly book_ask_qty10_first?: number | null
  /** quantity of the best ten levels of the ask in the last sampled book [base asset] */
  readonly book_ask_qty10_last?: number | null
  /** order flow imbalance between the sampled books [base asset] */
  readonly book_ofi_inside?: number | null
}

export type MarketSecondPage = {
  readonly exchange: string
  readonly symbol: string
  /** Start of the range, inclusive. */
  readonly from: string
  /** End of the range, exclusive. */
  readonly to: string
  readonly row_count: number
  /**
   * Path of the next page; null on the last page. Rows that arrive between two requests cause no
   * duplicates and no omissions.
   */
  readonly next: string | null
  readonly rows: readonly MarketSecond[]
}

export type OpenGap = {
  readonly from_ts: string
  /** Null until the gap ends. */
  readonly to_ts: string | null
  readonly cause:
    | 'sequence'
    | 'disconnect'
    | 'restart'
    | 'silence'
    | 'refused'
    | 'rejected'
    | 'tape_full'
    | 'tape_cut'
    | 'delisted'
    | 'operator'
    | 'import'
}

export type OpenInterest = {
  /** time of the values [UTC] */
  readonly ts_exchange?: string
  /** open interest [base asset]; a decimal string with the exchange's number of decimals */
  readonly open_interest?: string | null
  /** its value [quote asset] */
  readonly open_interest_value?: number | null
  /** long accounts of top traders by short ones [1] */
  readonly top_account_ratio?: number | null
  /** long positions of top traders by short ones [1] */
  readonly top_position_ratio?: number | null
  /** long accounts by short ones [1] */
  readonly account_ratio?: number | null
  /** bought by sold volume of takers [1] */
  readonly taker_volume_ratio?: number | null
}

export type OpenInterestPage = {
  readonly exchange: string
  readonly symbol: string
  /** Start of the range, inclusive. */
  readonly from: string
  /** End of the range, exclusive. */
  readonly to: string
  readonly row_count: number
  /**
   * Path of the next page; null on the last page. Rows that arrive between two requests cause no
   * duplicates and no omissions.
   */
  readonly next: string | null
  readonly rows: readonly OpenInterest[]
}

export type ParameterError = {
  readonly type: string
  readonly loc: readonly string[]
  readonly msg: string
  readonly input: string | null
}

/** The parameters that are not allowed. */
export type ParameterErrors = {
  readonly detail: readonly ParameterError[]
}

export type ParameterProblem = {
  readonly parameter: string
  readonly found: string | null
  readonly allowed: string
}

/** RFC 9457 problem document. */
export type Problem = {
  readonly type: string
  readonly title: string
  readonly status: number
  readonly detail: string
  /** Path of the request. */
  readonly instance: string
  /** The parameters that were refused, and what is allowed. */
  readonly errors?: readonly ParameterProblem[]
}

export type Quote = {
  /** matching engine's time (T), else event time (E), else receive time [UTC] */
  readonly ts_exchange?: string
  /** our clock when the frame arrived [UTC] */
  readonly ts_ingest?: string
  /** the exchange's order book update id (u) [id] */
  readonly update_id?: number
  /**
   * best bid price; null if the side is empty [quote asset]; a decimal string with the exchange's
   * number of decimals
   */
  readonly best_bid?: string | null
  /**
   * best ask price; null if the side is empty [quote asset]; a decimal string with the exchange's
   * number of decimals
   */
  readonly best_ask?: string | null
  /**
   * quantity at the best bid; null if the side is empty [base asset]; a decimal string with the
   * exchange's number of decimals
   */
  readonly bid_qty?: string | null
  /**
   * quantity at the best ask; null if the side is empty [base asset]; a decimal string with the
   * exchange's number of decimals
   */
  readonly ask_qty?: string | null
  /**
   * best_ask - best_bid; null if a side is empty [quote asset]; a decimal string with the
   * exchange's number of decimals
   */
  readonly spread?: string | null
  /**
   * (best_ask + best_bid) / 2, with one more decimal; null if a side is empty [quote asset]; a
   * decimal string with the exchange's number of decimals
   */
  readonly mid?: string | null
}

export type QuoteAt = {
  readonly exchange: string
  readonly symbol: string
  /** Time from ts_exchange to ts [ms]. */
  readonly age_ms: number
  /** matching engine's time (T), else event time (E), else receive time [UTC] */
  readonly ts_exchange: string
  /** our clock when the frame arrived [UTC] */
  readonly ts_ingest: string
  /** the exchange's order book update id (u) [id] */
  readonly update_id: number
  /**
   * best bid price; null if the side is empty [quote asset]; a decimal string with the exchange's
   * number of decimals
   */
  readonly best_bid: string | null
  /**
   * best ask price; null if the side is empty [quote asset]; a decimal string with the exchange's
   * number of decimals
   */
  readonly best_ask: string | null
  /**
   * quantity at the best bid; null if the side is empty [base asset]; a decimal string with the
   * exchange's number of decimals
   */
  readonly bid_qty: string | null
  /**
   * quantity at the best ask; null if the side is empty [base asset]; a decimal string with the
   * exchange's number of decimals
   */
  readonly ask_qty: string | null
  /**
   * best_ask - best_bid; null if a side is empty [quote asset]; a decimal string with the
   * exchange's number of decimals
   */
  readonly spread: string | null
  /**
   * (best_ask + best_bid) / 2, with one more decimal; null if a side is empty [quote asset]; a
   * decimal string with the exchange's number of decimals
   */
  readonly mid: string | null
}

export type QuoteList = {
  /** The time of the quotes. */
  readonly ts: string
  /** An older quote is not in `rows` [s]. */
  readonly max_age_s: number
  readonly row_count: number
  /**
   * Path of the next page; null on the last page. Rows that arrive between two requests cause no
   * duplicates and no omissions.
   */
  readonly next: string | null
  /** By exchange and symbol. */
  readonly rows: readonly QuoteAt[]
  /** Instruments of the request that have no quote. Empty without `symbols`. */
  readonly missing: readonly Instrument[]
  /** Instruments whose quote may be in the database, which does not respond. */
  readonly unavailable: readonly Instrument[]
}

export type QuotePage = {
  readonly exchange: string
  readonly symbol: string
  /** Start of the range, inclusive. */
  readonly from: string
  /** End of the range, exclusive. */
  readonly to: string
  readonly row_count: number
  /**
   * Path of the next page; null on the last page. Rows that arrive between two requests cause no
   * duplicates and no omissions.
   */
  readonly next: string | null
  readonly rows: readonly Quote[]
}

export type RevisedHour = {
  readonly exchange: 'binance-futures' | 'binance-spot' | 'deribit' | 'bybit-linear'
  readonly table_name: string
  readonly hour: string
  readonly version: number
}

export type SearchResult = {
  readonly exchange: string
  readonly symbol: string
  readonly instrument_type: 'perp' | 'future' | 'spot' | 'index' | null
  readonly base_asset: string | null
  readonly quote_asset: string | null
  readonly is_active: boolean
  /** Smallest price step [quote asset]; a decimal string with the exchange's number of decimals */
  readonly tick_size: string | null
  /**
   * Smallest quantity step [base asset]; a decimal string with the exchange's number of decimals
   */
  readonly step_size: string | null
  readonly ts_exchange_source: TimeSources
  /** What begins with `q`. */
  readonly matches: 'symbol' | 'base_asset'
}

export type SearchResults = {
  readonly q: string
  readonly symbols: readonly SearchResult[]
}

export type Signal = {
  /** When the signal was known, never before: the end of its bar, its trade, or an update. */
  readonly ts: string
  /** Hash of the other values, the same in every rerun. */
  readonly id: number
  readonly kind:
    | 'stacked_imbalance'
    | 'absorption'
    | 'exhaustion'
    | 'delta_divergence'
    | 'unfinished_auction'
    | 'large_trade'
    | 'wall_appeared'
    | 'wall_pulled'
  /** Length of its bar; null if it is not of a bar. */
  readonly interval: '1m' | '5m' | null
  /** Start of its bar; for walls the second of the book; null for trades. */
  readonly bar_ts: string | null
  /** The direction that it speaks for; buy: rising prices. */
  readonly side: 'buy' | 'sell'
  /**
   * lowest price that it is about [quote asset]; a decimal string with the exchange's number of
   * decimals
   */
  readonly price_low: string
  /**
   * highest price that it is about [quote asset]; a decimal string with the exchange's number of
   * decimals
   */
  readonly price_high: string
  /** Greater is stronger; its meaning is per kind. */
  readonly strength: number
  /**
   * Some of bin_ticks, volume, delta, qty, reference_qty, qty_after, traded_qty, buy_qty, sell_qty,
   * reference_price, trade_id; numbers as decimal strings.
   */
  readonly details: Readonly<Record<string, string | number>>
  /** Version of the definitions. */
  readonly version: number
}

export type SignalPage = {
  readonly exchange: string
  readonly symbol: string
  /** Start of the range, inclusive. */
  readonly from: string
  /** End of the range, exclusive. */
  readonly to: string
  /**
   * Signals up to this time are computed. Null: the symbol is not kept up to date, and only days
   * whose dataset `signals` is published have any.
   */
  readonly computed_to: string | null
  readonly row_count: number
  /**
   * Path of the next page; null on the last page. Rows that arrive between two requests cause no
   * duplicates and no omissions.
   */
  readonly next: string | null
  readonly rows: readonly Signal[]
}

export type SignedFile = {
  readonly name: string
  readonly format: 'parquet' | 'arrow' | 'csv.gz' | 'npz' | 'tar'
  readonly bytes: number
  readonly sha256: string
  readonly row_count: number
  /** Signed URL; works without credentials until expires_at. */
  readonly url: string
}

export type StreamCoverage = {
  readonly channel:
    | 'book_ticker'
    | 'trades'
    | 'depth_events'
    | 'mark_price'
    | 'liquidations'
    | 'prices'
  /** Time of the first row in the database; null if none. */
  readonly hot_first_ts: string | null
  /** Time of the last row in the database; null if none. */
  readonly hot_last_ts: string | null
  /** Number of archived hours of this stream, over the exchange's symbols. */
  readonly archived_hour_count: number
  /** Number of gaps in the range. */
  readonly gap_count: number
  /** Gaps whose events are still missing. */
  readonly open_gap_count: number
  /** Gaps that have not ended: the stream is not being received now. */
  readonly unended_gap_count: number
  /** Total time in open gaps, clipped to the range; overlaps count once [s]. */
  readonly missing_s: number
}

export type Symbol = {
  readonly exchange: string
  readonly symbol: string
  readonly instrument_type: 'perp' | 'future' | 'spot' | 'index' | null
  readonly base_asset: string | null
  readonly quote_asset: string | null
  readonly is_active: boolean
  /** Smallest price step [quote asset]; a decimal string with the exchange's number of decimals */
  readonly tick_size: string | null
  /**
   * Smallest quantity step [base asset]; a decimal string with the exchange's number of decimals
   */
  readonly step_size: string | null
  readonly ts_exchange_source: TimeSources
}

export type SymbolCoverage = {
  readonly exchange: 'binance-futures' | 'binance-spot' | 'deribit' | 'bybit-linear'
  readonly symbol: string
  readonly from_ts: string
  readonly to_ts: string
  readonly row_count: number
  /** Seconds of the day with a known quote. */
  readonly present_s: number
  /** The other seconds of the day. */
  readonly missing_s: number
  readonly quote_count: number
  readonly trade_count: number
  readonly gap_count: number
  readonly gaps: readonly DatasetGap[]
}

export type SymbolList = {
  readonly symbols: readonly Symbol[]
}

export type SymbolStats = {
  readonly exchange: string
  readonly symbol: string
  /** Whether the exchange trades the symbol. */
  readonly is_active: boolean
  /** Time of the newest quote or trade; null if the last hour had none. */
  readonly last_update: number | null
  /** best bid; a decimal string with the exchange's number of decimals */
  readonly best_bid: string | null
  /** best ask; a decimal string with the exchange's number of decimals */
  readonly best_ask: string | null
  /** best ask - best bid; a decimal string with the exchange's number of decimals */
  readonly spread: string | null
  /** price of the newest trade; a decimal string with the exchange's number of decimals */
  readonly last_price: string | null
}

/**
 * Source of ts_exchange, for each kind of row. engine: time of the matching engine. event: time at
 * which the exchange sent the event. receive: time at which we received it, because the exchange
 * gives no time. stream: time at which we received it, corrected to the clock of the preceding
 * updates. A kind that the exchange does not provide is absent.
 */
export type TimeSources = {
  readonly book_ticker?: 'engine' | 'event' | 'receive' | 'stream'
  readonly trades?: 'engine' | 'event' | 'receive' | 'stream'
  readonly depth_diff?: 'engine' | 'event' | 'receive' | 'stream'
  readonly depth_partial?: 'engine' | 'event' | 'receive' | 'stream'
  readonly depth_snapshot?: 'engine' | 'event' | 'receive' | 'stream'
  readonly mark_price?: 'engine' | 'event' | 'receive' | 'stream'
  readonly liquidations?: 'engine' | 'event' | 'receive' | 'stream'
  readonly prices?: 'engine' | 'event' | 'receive' | 'stream'
}

export type TopOfBook = {
  /** sampling time; the row has all updates up to it [UTC] */
  readonly ts_exchange?: string
  /** update id of the newest update in the book [id] */
  readonly final_update_id?: number
  /**
   * price of bid level no. 1 [quote asset]; a decimal string with the exchange's number of decimals
   */
  readonly b1_price?: string | null
  /**
   * quantity at bid level no. 1 [base asset]; a decimal string with the exchange's number of
   * decimals
   */
  readonly b1_qty?: string | null
  /**
   * price of bid level no. 2 [quote asset]; a decimal string with the exchange's number of decimals
   */
  readonly b2_price?: string | null
  /**
   * quantity at bid level no. 2 [base asset]; a decimal string with the exchange's number of
   * decimals
   */
  readonly b2_qty?: string | null
  /**
   * price of bid level no. 3 [quote asset]; a decimal string with the exchange's number of decimals
   */
  readonly b3_price?: string | null
  /**
   * quantity at bid level no. 3 [base asset]; a decimal string with the exchange's number of
   * decimals
   */
  readonly b3_qty?: string | null
  /**
   * price of bid level no. 4 [quote asset]; a decimal string with the exchange's number of decimals
   */
  readonly b4_price?: string | null
  /**
   * quantity at bid level no. 4 [base asset]; a decimal string with the exchange's number of
   * decimals
   */
  readonly b4_qty?: string | null
  /**
   * price of bid level no. 5 [quote asset]; a decimal string with the exchange's number of decimals
   */
  readonly b5_price?: string | null
  /**
   * quantity at bid level no. 5 [base asset]; a decimal string with the exchange's number of
   * decimals
   */
  readonly b5_qty?: string | null
  /**
   * price of bid level no. 6 [quote asset]; a decimal string with the exchange's number of decimals
   */
  readonly b6_price?: string | null
  /**
   * quantity at bid level no. 6 [base asset]; a decimal string with the exchange's number of
   * decimals
   */
  readonly b6_qty?: string | null
  /**
   * price of bid level no. 7 [quote asset]; a decimal string with the exchange's number of decimals
   */
  readonly b7_price?: string | null
  /**
   * quantity at bid level no. 7 [base asset]; a decimal string with the exchange's number of
   * decimals
   */
  readonly b7_qty?: string | null
  /**
   * price of bid level no. 8 [quote asset]; a decimal string with the exchange's number of decimals
   */
  readonly b8_price?: string | null
  /**
   * quantity at bid level no. 8 [base asset]; a decimal string with the exchange's number of
   * decimals
   */
  readonly b8_qty?: string | null
  /**
   * price of bid level no. 9 [quote asset]; a decimal string with the exchange's number of decimals
   */
  readonly b9_price?: string | null
  /**
   * quantity at bid level no. 9 [base asset]; a decimal string with the exchange's number of
   * decimals
   */
  readonly b9_qty?: string | null
  /**
   * price of bid level no. 10 [quote asset]; a decimal string with the exchange's number of
   * decimals
   */
  readonly b10_price?: string | null
  /**
   * quantity at bid level no. 10 [base asset]; a decimal string with the exchange's number of
   * decimals
   */
  readonly b10_qty?: string | null
  /**
   * price of ask level no. 1 [quote asset]; a decimal string with the exchange's number of decimals
   */
  readonly a1_price?: string | null
  /**
   * quantity at ask level no. 1 [base asset]; a decimal string with the exchange's number of
   * decimals
   */
  readonly a1_qty?: string | null
  /**
   * price of ask level no. 2 [quote asset]; a decimal string with the exchange's number of decimals
   */
  readonly a2_price?: string | null
  /**
   * quantity at ask level no. 2 [base asset]; a decimal string with the exchange's number of
   * decimals
   */
  readonly a2_qty?: string | null
  /**
   * price of ask level no. 3 [quote asset]; a decimal string with the exchange's number of decimals
   */
  readonly a3_price?: string | null
  /**
   * quantity at ask level no. 3 [base asset]; a decimal string with the exchange's number of
   * decimals
   */
  readonly a3_qty?: string | null
  /**
   * price of ask level no. 4 [quote asset]; a decimal string with the exchange's number of decimals
   */
  readonly a4_price?: string | null
  /**
   * quantity at ask level no. 4 [base asset]; a decimal string with the exchange's number of
   * decimals
   */
  readonly a4_qty?: string | null
  /**
   * price of ask level no. 5 [quote asset]; a decimal string with the exchange's number of decimals
   */
  readonly a5_price?: string | null
  /**
   * quantity at ask level no. 5 [base asset]; a decimal string with the exchange's number of
   * decimals
   */
  readonly a5_qty?: string | null
  /**
   * price of ask level no. 6 [quote asset]; a decimal string with the exchange's number of decimals
   */
  readonly a6_price?: string | null
  /**
   * quantity at ask level no. 6 [base asset]; a decimal string with the exchange's number of
   * decimals
   */
  readonly a6_qty?: string | null
  /**
   * price of ask level no. 7 [quote asset]; a decimal string with the exchange's number of decimals
   */
  readonly a7_price?: string | null
  /**
   * quantity at ask level no. 7 [base asset]; a decimal string with the exchange's number of
   * decimals
   */
  readonly a7_qty?: string | null
  /**
   * price of ask level no. 8 [quote asset]; a decimal string with the exchange's number of decimals
   */
  readonly a8_price?: string | null
  /**
   * quantity at ask level no. 8 [base asset]; a decimal string with the exchange's number of
   * decimals
   */
  readonly a8_qty?: string | null
  /**
   * price of ask level no. 9 [quote asset]; a decimal string with the exchange's number of decimals
   */
  readonly a9_price?: string | null
  /**
   * quantity at ask level no. 9 [base asset]; a decimal string with the exchange's number of
   * decimals
   */
  readonly a9_qty?: string | null
  /**
   * price of ask level no. 10 [quote asset]; a decimal string with the exchange's number of
   * decimals
   */
  readonly a10_price?: string | null
  /**
   * quantity at ask level no. 10 [base asset]; a decimal string with the exchange's number of
   * decimals
   */
  readonly a10_qty?: string | null
  /** imbalance of the best level, -1 to 1 [1] */
  readonly i1?: number | null
  /** imbalance of the best 5 levels, -1 to 1 [1] */
  readonly i5?: number | null
  /** imbalance of the best 10 levels, -1 to 1 [1] */
  readonly i10?: number | null
  /** mid weighted by the opposite quantities [quote asset] */
  readonly microprice?: number | null
  /**
   * quantity of the largest of the best 10 bid levels [base asset]; a decimal string with the
   * exchange's number of decimals
   */
  readonly bid_wall_size?: string | null
  /** distance of this level from the mid [bps] */
  readonly bid_wall_dist_bps?: number | null
  /** its quantity / median quantity of the 10 levels [1] */
  readonly bid_wall_ratio?: number | null
  /** liquidity slope of the bid levels [base asset per bps] */
  readonly bid_slope?: number | null
  /**
   * quantity of the largest of the best 10 ask levels [base asset]; a decimal string with the
   * exchange's number of decimals
   */
  readonly ask_wall_size?: string | null
  /** distance of this level from the mid [bps] */
  readonly ask_wall_dist_bps?: number | null
  /** its quantity / median quantity of the 10 levels [1] */
  readonly ask_wall_ratio?: number | null
  /** liquidity slope of the ask levels [base asset per bps] */
  readonly ask_slope?: number | null
}

export type TopOfBookPage = {
  readonly exchange: string
  readonly symbol: string
  /** Start of the range, inclusive. */
  readonly from: string
  /** End of the range, exclusive. */
  readonly to: string
  readonly row_count: number
  /**
   * Path of the next page; null on the last page. Rows that arrive between two requests cause no
   * duplicates and no omissions.
   */
  readonly next: string | null
  readonly rows: readonly TopOfBook[]
}

export type Trade = {
  /** matching engine's time (T), else event time (E), else receive time [UTC] */
  readonly ts_exchange?: string
  /** our clock when the frame arrived [UTC] */
  readonly ts_ingest?: string
  /** aggregate trade id (a), or the trade id (t) if raw trades are recorded [id] */
  readonly agg_trade_id?: number
  /** trade price [quote asset]; a decimal string with the exchange's number of decimals */
  readonly price?: string
  /**
   * traded quantity, RPI fills included [base asset]; a decimal string with the exchange's number
   * of decimals
   */
  readonly qty?: string
  /**
   * traded quantity without RPI fills (nq) [base asset]; a decimal string with the exchange's
   * number of decimals
   */
  readonly non_rpi_qty?: string | null
  /** first trade id of the aggregate (f) [id] */
  readonly first_trade_id?: number | null
  /** last trade id of the aggregate (l) [id] */
  readonly last_trade_id?: number | null
  /** true: the taker sold [flag] */
  readonly is_buyer_maker?: boolean
  /**
   * matching engine's time (T), else event time (E), else receive time, of the quote before the
   * trade [UTC]
   */
  readonly quote_ts_exchange?: string | null
  /** the exchange's order book update id (u), of the quote before the trade [id] */
  readonly quote_update_id?: number | null
  /**
   * best bid price; null if the side is empty, of the quote before the trade [quote asset]; a
   * decimal string with the exchange's number of decimals
   */
  readonly quote_best_bid?: string | null
  /**
   * best ask price; null if the side is empty, of the quote before the trade [quote asset]; a
   * decimal string with the exchange's number of decimals
   */
  readonly quote_best_ask?: string | null
  /**
   * quantity at the best bid; null if the side is empty, of the quote before the trade [base
   * asset]; a decimal string with the exchange's number of decimals
   */
  readonly quote_bid_qty?: string | null
  /**
   * quantity at the best ask; null if the side is empty, of the quote before the trade [base
   * asset]; a decimal string with the exchange's number of decimals
   */
  readonly quote_ask_qty?: string | null
}

export type TradePage = {
  readonly exchange: string
  readonly symbol: string
  /** Start of the range, inclusive. */
  readonly from: string
  /** End of the range, exclusive. */
  readonly to: string
  readonly row_count: number
  /**
   * Path of the next page; null on the last page. Rows that arrive between two requests cause no
   * duplicates and no omissions.
   */
  readonly next: string | null
  readonly rows: readonly Trade[]
}

export type ValidationReport = {
  /** The time that the report is about. */
  readonly checked_at: string
  /** Time since checked_at [ms]. */
  readonly age_ms: number
  /** The checks have not run since. */
  readonly is_stale: boolean
  /** What each check covered; null if it was skipped. */
  readonly looked_at: {
    readonly structure: string | null
    readonly ingestors: string | null
    readonly freshness: string | null
    readonly quality: string | null
    readonly frequency: string | null
    readonly rates: string | null
    readonly books: string | null
    readonly clock: string | null
    readonly datasets: string | null
  }
  /** Number of rows that were checked. */
  readonly row_count: number
  readonly findings: readonly Finding[]
}

export type VolumeProfile = {
  readonly exchange: string
  readonly symbol: string
  /**
   * Gaps in the recording of trades that touch the range and whose events are missing; at most 100.
   * /v1/gaps has all.
   */
  readonly open_gaps: readonly OpenGap[]
  /** Start of the range, a whole minute, inclusive. */
  readonly from: string
  /** End of the range, a whole minute, exclusive. */
  readonly to: string
  /** Smallest price step [quote asset]; a decimal string with the exchange's number of decimals */
  readonly tick_size: string
  /** Ticks of a bin. */
  readonly bin_ticks: number
  /**
   * Point of control: the bin with the greatest volume [quote asset]; a decimal string with the
   * exchange's number of decimals
   */
  readonly poc: string | null
  /**
   * Lowest bin of the value area, which has 70 % of the volume [quote asset]; a decimal string with
   * the exchange's number of decimals
   */
  readonly value_area_low: string | null
  /**
   * Highest bin of the value area [quote asset]; a decimal string with the exchange's number of
   * decimals
   */
  readonly value_area_high: string | null
  /** Traded quantity [base asset]; a decimal string with the exchange's number of decimals */
  readonly volume: string
  /**
   * [price, buy_qty, sell_qty, buy_count, sell_count] of each bin with trades, by price, ascending.
   * A bin covers bin_ticks x tick_size from its price on.
   */
  readonly cells: readonly (readonly [string, string, string, number, number])[]
}

/** Parameters that are the same in several routes. */
interface Shared {
  readonly bin?: string
  /** Comma-separated column names; by default all columns. */
  readonly columns?: string | readonly string[]
  /** Continues after the last row of an earlier answer. */
  readonly cursor?: string
  readonly date: string
  /** Required if several exchanges list the symbol. */
  readonly exchange?: 'binance-futures' | 'binance-spot' | 'deribit' | 'bybit-linear'
  /** Overrides the Accept header. `arrow` is an Arrow IPC stream. */
  readonly format?: 'json' | 'ndjson' | 'csv' | 'arrow'
  /** Start of the range, inclusive. */
  readonly from?: string | number | Date
  readonly interval?: '1m' | '5m' | '15m' | '1h' | '4h' | '1d'
  readonly limit?: number
  readonly max_age_s?: number
  readonly name: string
  readonly symbol: string
  /** Comma-separated, at most 100. By default every symbol. */
  readonly symbols?: string | readonly string[]
  /** Name of the index. */
  readonly ticker: string
  /** End of the range, exclusive. */
  readonly to?: string | number | Date
}

export interface Api {
  /** What is recorded, and the paths of this API */
  readonly '/': {
    readonly params: Record<string, never>
    readonly answer: Index
    readonly is_table: false
  }
  /** Whether the database and the object store respond, and the age of the newest quote */
  readonly '/health': {
    readonly params: Record<string, never>
    readonly answer: Health
    readonly is_table: false
  }
  /** Instruments, as the exchanges list them */
  readonly '/v1/symbols': {
    readonly params: Pick<Shared, 'exchange' | 'limit'> & {
      /** true: only traded symbols. false: only symbols no longer traded. */
      readonly is_active?: boolean
    }
    readonly answer: SymbolList
    readonly is_table: false
  }
  /** Instruments whose symbol or base asset begins with a text */
  readonly '/v1/search': {
    readonly params: Pick<Shared, 'exchange' | 'limit'> & {
      /** Beginning of a symbol or of a base asset. The case of a-z does not matter. */
      readonly q: string
    }
    readonly answer: SearchResults
    readonly is_table: false
  }
  /** Newest quotes of many symbols, or of all */
  readonly '/v1/quotes/latest': {
    readonly params: Pick<Shared, 'symbols' | 'max_age_s' | 'limit' | 'cursor'> & {
      /** By default every exchange that lists them. */
      readonly exchange?: 'binance-futures' | 'binance-spot' | 'deribit' | 'bybit-linear'
    }
    readonly answer: QuoteList
    readonly is_table: false
  }
  /** Quotes of all symbols at a past time */
  readonly '/v1/snapshot': {
    readonly params: Pick<Shared, 'symbols' | 'max_age_s' | 'limit' | 'cursor'> & {
      /** Time of the quotes. */
      readonly ts: string | number | Date
      /** By default every exchange that lists them. */
      readonly exchange?: 'binance-futures' | 'binance-spot' | 'deribit' | 'bybit-linear'
    }
    readonly answer: QuoteList
    readonly is_table: false
  }
  /** Quote of a symbol at a past time */
  readonly '/v1/quotes/{symbol}/at': {
    readonly params: Pick<Shared, 'symbol' | 'exchange' | 'max_age_s'> & {
      /** Time of the quote. */
      readonly ts: string | number | Date
    }
    readonly answer: QuoteAt
    readonly is_table: false
  }
  /** Newest quote of a symbol */
  readonly '/v1/quotes/{symbol}/latest': {
    readonly params: Pick<Shared, 'symbol' | 'exchange'> & {
      /** An older quote is a 404. By default there is no limit. */
      readonly max_age_s?: number
    }
    readonly answer: LatestQuote
    readonly is_table: false
  }
  /** Quotes of a symbol: best bid and offer after every change of the book */
  readonly '/v1/quotes/{symbol}': {
    readonly params: Pick<
      Shared,
      'symbol' | 'exchange' | 'from' | 'to' | 'limit' | 'cursor' | 'columns' | 'format'
    >
    readonly answer: QuotePage
    readonly is_table: true
  }
  /** Trades of a symbol */
  readonly '/v1/trades/{symbol}': {
    readonly params: Pick<
      Shared,
      'symbol' | 'exchange' | 'from' | 'to' | 'limit' | 'cursor' | 'columns' | 'format'
    > & {
      /** Adds the quote before each trade. */
      readonly with?: 'quote'
    }
    readonly answer: TradePage
    readonly is_table: true
  }
  /** Order book diffs, partial books and snapshots of a symbol */
  readonly '/v1/depth/{symbol}': {
    readonly params: Pick<
      Shared,
      'symbol' | 'exchange' | 'from' | 'to' | 'limit' | 'cursor' | 'columns' | 'format'
    >
    readonly answer: DepthEventPage
    readonly is_table: true
  }
  /** Mark price, index price and funding of a symbol */
  readonly '/v1/mark-price/{symbol}': {
    readonly params: Pick<
      Shared,
      'symbol' | 'exchange' | 'from' | 'to' | 'limit' | 'cursor' | 'columns' | 'format'
    >
    readonly answer: MarkPricePage
    readonly is_table: true
  }
  /** Liquidations of a symbol. Binance sends only the last one of each second */
  readonly '/v1/liquidations/{symbol}': {
    readonly params: Pick<
      Shared,
      'symbol' | 'exchange' | 'from' | 'to' | 'limit' | 'cursor' | 'columns' | 'format'
    >
    readonly answer: LiquidationPage
    readonly is_table: true
  }
  /** Sampled best ten book levels of a symbol, with imbalances, microprice and walls */
  readonly '/v1/orderbook-topn/{symbol}': {
    readonly params: Pick<
      Shared,
      'symbol' | 'exchange' | 'from' | 'to' | 'limit' | 'cursor' | 'columns' | 'format'
    >
    readonly answer: TopOfBookPage
    readonly is_table: true
  }
  /** Quotes, trades and depth of a symbol per second, up to the newest second */
  readonly '/v1/market-data-1s/{symbol}': {
    readonly params: Pick<
      Shared,
      'symbol' | 'exchange' | 'from' | 'to' | 'limit' | 'cursor' | 'columns' | 'format'
    >
    readonly answer: MarketSecondPage
    readonly is_table: true
  }
  /** Candles of a symbol as the exchange made them, if imported */
  readonly '/v1/klines/{symbol}': {
    readonly params: Pick<
      Shared,
      'symbol' | 'exchange' | 'from' | 'to' | 'limit' | 'cursor' | 'columns' | 'format'
    > & {
      readonly interval?:
        | '1m'
        | '1s'
        | '3m'
        | '5m'
        | '15m'
        | '30m'
        | '1h'
        | '2h'
        | '4h'
        | '6h'
        | '8h'
        | '12h'
        | '1d'
        | '3d'
    }
    readonly answer: KlinePage
    readonly is_table: true
  }
  /** Open interest and ratios of a symbol every five minutes, if imported */
  readonly '/v1/open-interest/{symbol}': {
    readonly params: Pick<
      Shared,
      'symbol' | 'exchange' | 'from' | 'to' | 'limit' | 'cursor' | 'columns' | 'format'
    >
    readonly answer: OpenInterestPage
    readonly is_table: true
  }
  /** Funding that was paid, if imported */
  readonly '/v1/funding-rates/{symbol}': {
    readonly params: Pick<
      Shared,
      'symbol' | 'exchange' | 'from' | 'to' | 'limit' | 'cursor' | 'columns' | 'format'
    >
    readonly answer: FundingRatePage
    readonly is_table: true
  }
  /** Quantity in the book of a symbol by distance from the mid, if imported */
  readonly '/v1/book-depth/{symbol}': {
    readonly params: Pick<
      Shared,
      'symbol' | 'exchange' | 'from' | 'to' | 'limit' | 'cursor' | 'columns' | 'format'
    >
    readonly answer: BookDepthPage
    readonly is_table: true
  }
  /** Candles of a symbol, computed from its trades */
  readonly '/v1/candles/{symbol}': {
    readonly params: Pick<
      Shared,
      'symbol' | 'exchange' | 'interval' | 'from' | 'to' | 'limit' | 'cursor' | 'format'
    >
    readonly answer: CandlePage
    readonly is_table: true
  }
  /** Footprint bars of a symbol: what was traded at each price, computed from its trades */
  readonly '/v1/clusters/{symbol}': {
    readonly params: Pick<
      Shared,
      'symbol' | 'exchange' | 'interval' | 'bin' | 'from' | 'to' | 'limit' | 'cursor'
    > & {
      readonly order?: 'asc' | 'desc'
    }
    readonly answer: ClusterPage
    readonly is_table: false
  }
  /** Volume profile of a symbol: what was traded at each price in a time range */
  readonly '/v1/volume-profile/{symbol}': {
    readonly params: Pick<Shared, 'symbol' | 'exchange' | 'bin' | 'from' | 'to'>
    readonly answer: VolumeProfile
    readonly is_table: false
  }
  /** Features of a symbol, from the datasets */
  readonly '/v1/features/{symbol}': {
    readonly params: Pick<
      Shared,
      'symbol' | 'exchange' | 'from' | 'to' | 'limit' | 'cursor' | 'columns' | 'format'
    > & {
      readonly dataset?: 'features_1s' | 'features_100ms' | 'labels_1s'
    }
    readonly answer: FeaturePage
    readonly is_table: true
  }
  /** Signals of a symbol, from its footprint and its book */
  readonly '/v1/signals/{symbol}': {
    readonly params: Pick<Shared, 'symbol' | 'exchange' | 'from' | 'to' | 'limit' | 'cursor'> & {
      /** Only signals of this kind. */
      readonly kind?:
        | 'stacked_imbalance'
        | 'absorption'
        | 'exhaustion'
        | 'delta_divergence'
        | 'unfinished_auction'
        | 'large_trade'
        | 'wall_appeared'
        | 'wall_pulled'
      /** Only signals of bars of this length. */
      readonly interval?: '1m' | '5m'
    }
    readonly answer: SignalPage
    readonly is_table: false
  }
  /** Resting liquidity of a symbol over time, by price bin */
  readonly '/v1/heatmap/{symbol}': {
    readonly params: Pick<Shared, 'symbol' | 'exchange' | 'from' | 'to'> & {
      readonly interval?: '1s' | '10s' | '1m' | '5m'
      readonly source?: 'topn' | 'book'
      /** Width of a bin in ticks; default 1. */
      readonly bin?: number
      /** With `source=book`: levels within this distance of the mid [%]; default 1. */
      readonly range?: number
    }
    readonly answer: Heatmap
    readonly is_table: false
  }
  /** Order book of a symbol, now or at a past time */
  readonly '/v1/book/{symbol}': {
    readonly params: Pick<Shared, 'symbol' | 'exchange' | 'max_age_s'> & {
      /** Time of the book; by default the newest book. */
      readonly ts?: string | number | Date
      readonly depth?: number
      /** Only levels within this distance of the mid price [%]. */
      readonly range?: number
    }
    readonly answer: Book
    readonly is_table: false
  }
  /** Known gaps of the recording, and how much of them was refilled */
  readonly '/v1/gaps': {
    readonly params: Pick<Shared, 'exchange' | 'from' | 'to' | 'limit' | 'cursor'> & {
      readonly symbol?: string
      readonly channel?:
        | 'book_ticker'
        | 'trades'
        | 'depth_events'
        | 'mark_price'
        | 'liquidations'
        | 'prices'
      /** true: only gaps whose events are missing. false: only refilled gaps. */
      readonly open?: boolean
      /** true: only gaps that have ended. false: only gaps that have not. */
      readonly ended?: boolean
    }
    readonly answer: GapPage
    readonly is_table: false
  }
  /** Recorded and missing data of a symbol in a time range, for each stream */
  readonly '/v1/coverage/{symbol}': {
    readonly params: Pick<Shared, 'symbol' | 'exchange' | 'from' | 'to'>
    readonly answer: Coverage
    readonly is_table: false
  }
  /** Prices of an index, newest first */
  readonly '/prices': {
    readonly params: Pick<Shared, 'ticker' | 'limit'> & {
      readonly skip?: number
    }
    readonly answer: IndexPriceList
    readonly is_table: false
  }
  /** The newest price of an index */
  readonly '/prices/latest': {
    readonly params: Pick<Shared, 'ticker'>
    readonly answer: IndexPrice
    readonly is_table: false
  }
  /** Prices of an index in a time range, newest first */
  readonly '/prices/filter': {
    readonly params: Pick<Shared, 'ticker'> & {
      /** Start of the range, inclusive [ms since 1970]. */
      readonly start?: number
      /** End of the range, inclusive [ms since 1970]. */
      readonly end?: number
    }
    readonly answer: IndexPriceRange
    readonly is_table: false
  }
  /** Count, range and mean of the stored prices of an index */
  readonly '/prices/stats': {
    readonly params: Pick<Shared, 'ticker'>
    readonly answer: IndexPriceStats
    readonly is_table: false
  }
  /** Names of the indexes that have prices */
  readonly '/prices/tickers': {
    readonly params: Record<string, never>
    readonly answer: readonly string[]
    readonly is_table: false
  }
  /** Names of the indexes that have prices */
  readonly '/prices/available-tickers': {
    readonly params: Record<string, never>
    readonly answer: readonly string[]
    readonly is_table: false
  }
  /** Job runs, newest first */
  readonly '/v1/jobs': {
    readonly params: Pick<Shared, 'limit'> & {
      readonly job?: string
      readonly status?: 'running' | 'done' | 'failed'
    }
    readonly answer: JobRunList
    readonly is_table: false
  }
  /** A job run with its log */
  readonly '/v1/jobs/{id}': {
    readonly params: {
      readonly id: number
    }
    readonly answer: JobRunLog
    readonly is_table: false
  }
  /** Whether the recorded data is complete, fresh and plausible */
  readonly '/v1/validation': {
    readonly params: Record<string, never>
    readonly answer: ValidationReport
    readonly is_table: false
  }
  /** Newest quote and trade of every symbol */
  readonly '/stats': {
    readonly params: Record<string, never>
    readonly answer: CollectorStats
    readonly is_table: false
  }
  /** Order book of a symbol: now, or sampled over a time range */
  readonly '/data/{symbol}': {
    readonly params: Pick<Shared, 'symbol' | 'exchange' | 'from' | 'to' | 'limit' | 'cursor'>
    readonly answer: CollectorBook | CollectorHistory
    readonly is_table: false
  }
  /** The newest complete day, as Parquet */
  readonly '/v1/datasets/{name}/yesterday.parquet': {
    readonly params: Pick<Shared, 'name'>
    readonly answer: unknown
    readonly is_table: false
  }
  /** The newest complete day, as an Arrow file */
  readonly '/v1/datasets/{name}/yesterday.arrow': {
    readonly params: Pick<Shared, 'name'>
    readonly answer: unknown
    readonly is_table: false
  }
  /** Published manifest of a date */
  readonly '/v1/datasets/{name}/{date}/manifest.json': {
    readonly params: Pick<Shared, 'name' | 'date'>
    readonly answer: DatasetManifest
    readonly is_table: false
  }
  /** One file of a date */
  readonly '/v1/datasets/{name}/{date}/{file}': {
    readonly params: Pick<Shared, 'name' | 'date'> & {
      /** Name of a file in the manifest, or `manifest.json` itself. */
      readonly file: string
    }
    readonly answer: unknown
    readonly is_table: false
  }
  /** Published datasets */
  readonly '/v1/datasets': {
    readonly params: Record<string, never>
    readonly answer: DatasetList
    readonly is_table: false
  }
  /** Published dates of a dataset */
  readonly '/v1/datasets/{name}': {
    readonly params: Pick<Shared, 'name'>
    readonly answer: DatasetDates
    readonly is_table: false
  }
  /** One date of a dataset: its manifest, with a signed URL for every file */
  readonly '/v1/datasets/{name}/{date}': {
    readonly params: Pick<Shared, 'name' | 'date'>
    readonly answer: DatasetDate
    readonly is_table: false
  }
}
