/** Finds the symbols of a day: first and last event, streams and gaps of each. */
import type { Client } from '#core/node/pool.ts'
import type { Exchange } from '#core/symbols.ts'
import { dayRange, micros, type Day } from '#core/time.ts'
import { FEATURE_CHANNELS, GRID_CHANNELS, type DaySymbol, type FeatureChannel } from './events.ts'
import { nameOf, type DayLedger } from './ledger.ts'
import type { OpenParts } from './reader.ts'
import type { EventSpan } from './stream-part.ts'

/** Sorted by the UTF-8 bytes of exchange and symbol. */
export async function selectDaySymbols(
  client: Client,
  parts: OpenParts,
  day: Day,
  ledger: DayLedger,
): Promise<readonly DaySymbol[]> {
  const known = await selectSymbols(client)
  const exchanges = [...new Set(known.map(({ exchange }) => exchange))]
  const spans: Spans = new Map()
  const { from, to } = dayRange(day)
  for (const exchange of exchanges) {
    for (const channel of FEATURE_CHANNELS) {
      for (const part of parts(exchange, channel, from, to)) {
        for (const span of await part.symbols()) addSpan(spans, exchange, channel, span)
      }
    }
  }
  return known.flatMap((symbol) => {
    const found = spans.get(`${symbol.exchange}/${symbol.symbol}`) ?? new Map()
    const on_grid = GRID_CHANNELS.flatMap((channel) => found.get(channel) ?? [])
    if (on_grid.length === 0) return []
    return {
      ...symbol,
      first_ts: micros(Math.min(...on_grid.map(({ first_ts }) => first_ts))),
      last_ts: micros(Math.max(...on_grid.map(({ last_ts }) => last_ts))),
      channels: FEATURE_CHANNELS.filter((channel) => found.has(channel)),
      gaps: ledger.get(nameOf(symbol)) ?? [],
    }
  })
}

/** By exchange and symbol, then channel. */
type Spans = Map<string, Map<FeatureChannel, EventSpan>>

function addSpan(
  spans: Spans,
  exchange: Exchange,
  channel: FeatureChannel,
  { symbol, first_ts, last_ts }: EventSpan & { readonly symbol: string },
): void {
  const key = `${exchange}/${symbol}`
  const of_symbol = spans.get(key) ?? new Map<FeatureChannel, EventSpan>()
  const known = of_symbol.get(channel)
  of_symbol.set(channel, {
    first_ts: Math.min(first_ts, known?.first_ts ?? Infinity),
    last_ts: Math.max(last_ts, known?.last_ts ?? -Infinity),
  })
  spans.set(key, of_symbol)
}

async function selectSymbols(
  client: Client,
): Promise<readonly Pick<DaySymbol, 'symbol_id' | 'exchange' | 'symbol' | 'tick_size'>[]> {
  const { rows } = await client.query<{
    id: string
    exchange: Exchange
    symbol: string
    tick_size: number | null
  }>(
    `select id, exchange, symbol, tick_size from marketdata.symbols
     order by exchange collate "C", symbol collate "C"`,
  )
  return rows.map(({ id, ...row }) => ({ symbol_id: Number(id), ...row }))
}
