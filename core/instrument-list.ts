/** The content of `raw/instruments.json`: marketdata.symbols as last archived. */
import type { Exchange } from './symbols.ts'

export interface ListedInstrument {
  readonly exchange: Exchange
  readonly symbol: string
  readonly instrument_type: 'perp' | 'future' | 'spot' | 'index' | null
  readonly base_asset: string | null
  readonly quote_asset: string | null
  readonly is_active: boolean
  readonly tick_size: number | null
  readonly step_size: number | null
}

export interface InstrumentList {
  /** Sorted by exchange and symbol. */
  readonly instruments: readonly ListedInstrument[]
}
