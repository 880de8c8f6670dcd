/**
 * How much disk and memory an installation needs, and what fits a database of a given size. Pure.
 */
import {
  CLUSTER_BYTES,
  CLUSTER_PRICES,
  COLD_BYTES,
  DEPTH_PER_S,
  EVENTS_PER_INGESTOR,
  FEATURE_BYTES,
  HOT_BYTES,
  MARK_PRICES_PER_S,
  MEMORY_MB,
  QUOTE_SHARE,
  TAPE_BYTES,
} from './constants.ts'

export interface Load {
  readonly symbol_count: number
  /** Of all channels together, on average. */
  readonly events_per_s: number
  /** Symbols whose order books are recorded. */
  readonly depth_symbol_count: number
  /** Symbols whose footprints are kept up (CLUSTERS_SYMBOLS); 0: no cluster engine runs. */
  readonly cluster_symbol_count: number
}

export interface Machine {
  /** Storage of the database [GB]. */
  readonly database_gb: number
  /** Disk that the tape may use [GB]. */
  readonly tape_gb: number
}

export interface Sizing {
  /** Events a second by channel. */
  readonly events: {
    readonly quotes: number
    readonly trades: number
    readonly depth: number
    readonly mark_prices: number
  }
  readonly ingestor_count: number
  readonly tape: {
    readonly gb_per_hour: number
    /** Postgres may be down so long before the tape is full [h]. */
    readonly outage_h: number
  }
  readonly postgres: {
    readonly gb_per_hour: number
    readonly gb_per_day: number
    /** What RAW_DISK_BUDGET_GB should be. */
    readonly budget_gb: number
    /** Hours of data that fit the budget. */
    readonly hot_h: number
    /** `tight`: it fits if ARCHIVE_DELAY_S is TIGHT_DELAY_S. */
    readonly fits: 'yes' | 'tight' | 'no'
  }
  /** Footprints, which are in Postgres too. */
  readonly clusters: {
    readonly gb_per_day: number
    /** Of RETENTION_DAYS_CLUSTERS as it is by default. */
    readonly gb: number
  }
  readonly lake: {
    readonly archive_gb_per_day: number
    readonly datasets_gb_per_day: number
    readonly gb_per_month: number
  }
  /** Of all programs, without Postgres [MB]: in the day, and in a nightly run. */
  readonly memory_mb: { readonly by_day: number; readonly at_night: number }
}

const GB = 1e9
const HOUR_S = 3_600
const DAY_S = 86_400
const MONTH_DAYS = 30
const DAY_MINUTES = 1_440
/** RETENTION_DAYS_CLUSTERS. */
const CLUSTER_DAYS = 7
/** Of a database's storage; the rest is for its log, its catalog, small tables and bloat. */
const BUDGET_SHARE = 0.7
/**
 * An hour must be over, wait for late rows (ARCHIVE_DELAY_S), and be archived and compared, before
 * it may leave: so many hours of data are in the database at once.
 */
const HOT_HOURS = 2.2
export const TIGHT_DELAY_S = 300
const HOT_HOURS_TIGHT = HOT_HOURS - 1 + TIGHT_DELAY_S / 3_600

export function sizeOf(load: Load, { database_gb, tape_gb }: Machine): Sizing {
  const { symbol_count, depth_symbol_count, events_per_s } = load
  const depth = Math.min(depth_symbol_count * DEPTH_PER_S, events_per_s)
  const mark_prices = Math.min(symbol_count * MARK_PRICES_PER_S, events_per_s - depth)
  const others = events_per_s - depth - mark_prices
  const events = {
    quotes: others * QUOTE_SHARE,
    trades: others * (1 - QUOTE_SHARE),
    depth,
    mark_prices,
  }
  const hot_per_s =
    events.quotes * HOT_BYTES.book_ticker +
    events.trades * HOT_BYTES.trades +
    depth * (HOT_BYTES.depth_events + HOT_BYTES.orderbook_topn) +
    mark_prices * HOT_BYTES.mark_price +
    symbol_count * (activeShare(events.quotes) * HOT_BYTES.bt_1s) +
    symbol_count * (activeShare(events.trades) * HOT_BYTES.trade_1s) +
    depth_symbol_count * HOT_BYTES.depth_1s
  const cold_per_s =
    events.quotes * COLD_BYTES.book_ticker +
    events.trades * COLD_BYTES.trades +
    depth * COLD_BYTES.depth_events +
    symbol_count * activeShare(events.quotes) * COLD_BYTES.bt_1s +
    symbol_count * activeShare(events.trades) * COLD_BYTES.trade_1s +
    depth_symbol_count * COLD_BYTES.depth_1s
  const clusters = clustersOf(load, events.trades)
  const budget_gb = Math.max(0, database_gb * BUDGET_SHARE - clusters.gb)
  const gb_per_hour = (hot_per_s * HOUR_S) / GB
  const hot_h = budget_gb / gb_per_hour
  const archive_gb_per_day = (cold_per_s * DAY_S) / GB
  const datasets_gb_per_day = (symbol_count * DAY_S * FEATURE_BYTES) / GB
  const ingestor_count = Math.max(1, Math.ceil(events_per_s / EVENTS_PER_INGESTOR))
  const tape_gb_per_hour = (events_per_s * TAPE_BYTES * HOUR_S) / GB
  const by_day =
    ingestor_count * MEMORY_MB.ingestor +
    MEMORY_MB.jobs +
    MEMORY_MB.gateway +
    MEMORY_MB.console +
    (load.cluster_symbol_count === 0 ? 0 : MEMORY_MB.clusters)
  return {
    events,
    ingestor_count,
    tape: { gb_per_hour: tape_gb_per_hour, outage_h: tape_gb / tape_gb_per_hour },
    postgres: {
      gb_per_hour,
      gb_per_day: gb_per_hour * 24,
      budget_gb,
      hot_h,
      fits: hot_h >= HOT_HOURS ? 'yes' : hot_h >= HOT_HOURS_TIGHT ? 'tight' : 'no',
    },
    clusters,
    lake: {
      archive_gb_per_day,
      datasets_gb_per_day,
      gb_per_month: (archive_gb_per_day + datasets_gb_per_day) * MONTH_DAYS,
    },
    memory_mb: { by_day, at_night: by_day + MEMORY_MB.nightly },
  }

  /** Share of a symbol's seconds that have an event, if events come at random. */
  function activeShare(per_s: number): number {
    return symbol_count === 0 ? 0 : 1 - Math.exp(-per_s / symbol_count)
  }
}

function clustersOf(
  { symbol_count, cluster_symbol_count }: Load,
  trades_per_s: number,
): Sizing['clusters'] {
  const trades = symbol_count === 0 ? 0 : (trades_per_s * 60) / symbol_count
  const prices = Math.min(trades, CLUSTER_PRICES * Math.sqrt(trades))
  const minute_bytes = CLUSTER_BYTES.minute + CLUSTER_BYTES.price * prices
  const gb_per_day = (cluster_symbol_count * DAY_MINUTES * minute_bytes) / GB
  return { gb_per_day, gb: gb_per_day * CLUSTER_DAYS }
}
