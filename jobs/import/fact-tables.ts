/** Tables of what no stream records (sql/migrations/0121_imported_facts.sql). */
import type { FactTable } from './kind.ts'

export const FACT_TABLES = {
  funding_rates: {
    name: 'funding_rates',
    columns: ['ts_exchange', 'funding_rate', 'interval_h'],
    key: ['ts_exchange'],
  },
  open_interest: {
    name: 'open_interest',
    columns: [
      'ts_exchange',
      'open_interest',
      'open_interest_value',
      'top_account_ratio',
      'top_position_ratio',
      'account_ratio',
      'taker_volume_ratio',
    ],
    key: ['ts_exchange'],
  },
  book_depth: {
    name: 'book_depth',
    columns: ['ts_exchange', 'distance_percent', 'qty', 'notional'],
    key: ['ts_exchange', 'distance_percent'],
  },
  klines: {
    name: 'klines',
    columns: [
      'ts_exchange',
      'interval_s',
      'open',
      'high',
      'low',
      'close',
      'volume',
      'notional',
      'trade_count',
      'buy_volume',
      'buy_notional',
    ],
    key: ['interval_s', 'ts_exchange'],
  },
} as const satisfies Readonly<Record<string, FactTable>>
