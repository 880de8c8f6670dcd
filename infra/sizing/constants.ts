/**
 * What an event costs, as measured. `FEEDS_DIR=... npm run bench:sizes` measures those of the BTC
 * recording again, and a test compares them. Hot figures of quotes, trades and mark prices are of
 * 200 symbols recorded side by side for 20 minutes: their index pages are fuller in the recording
 * of one symbol (145 and 136 bytes).
 */

/** Bytes a row in Postgres, with its indexes. */
export const HOT_BYTES = {
  book_ticker: 177,
  trades: 182,
  depth_events: 1_054,
  mark_price: 142,
  orderbook_topn: 516,
  bt_1s: 327,
  trade_1s: 183,
  depth_1s: 239,
} as const

/**
 * Bytes a row in the archive. Quotes and trades of quiet symbols need up to three times as much.
 */
export const COLD_BYTES = {
  book_ticker: 7.2,
  trades: 4.6,
  depth_events: 296,
  bt_1s: 129,
  trade_1s: 54,
  depth_1s: 74,
} as const

/** Bytes of a row of features_1s, as Parquet and as Arrow. */
export const FEATURE_BYTES = 573

/**
 * A minute of footprints in Postgres: bytes a row, and bytes a price at which something was traded.
 * Of a random walk with 1 to 1,000 trades a minute, which has about CLUSTER_PRICES times the square
 * root of that many prices.
 */
export const CLUSTER_BYTES = { minute: 300, price: 35 } as const
export const CLUSTER_PRICES = 3

/** Bytes of an event on the tape. */
export const TAPE_BYTES = 299

/** Events a second that a depth stream of 100 ms and a stream of mark prices have at most. */
export const DEPTH_PER_S = 10
export const MARK_PRICES_PER_S = 1

/** Of quotes and trades together, as in the BTC recording (66,089 and 21,313). */
export const QUOTE_SHARE = 0.756

/** Events a second that one ingestor is at home with, on two cores. */
export const EVENTS_PER_INGESTOR = 10_000

/** Memory of each program at 10,000 events/s [MB]; the jobs' second figure is a nightly run. */
export const MEMORY_MB = {
  ingestor: 350,
  jobs: 150,
  nightly: 1_000,
  gateway: 90,
  console: 110,
  /** The cluster engine that keeps 200 symbols up. */
  clusters: 250,
} as const
