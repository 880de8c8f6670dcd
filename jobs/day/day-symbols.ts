/** Which symbols a day has, from when to when, in which streams, and with which gaps. */
import type { Client } from '#core/node/pool.ts'
import type { Exchange } from '#core/symbols.ts'
import { dayRange, micros, toIso, type Day } from '#core/time.ts'
import type { ArchiveReader } from '../archive/read.ts'
import { nameOf, type DayLedger } from './ledger.ts'
import { partsOf, type DayPlan, type Part } from './plan.ts'
import {
  FEATURE_CHANNELS,
  GRID_CHANNELS,
  type DaySymbol,
  type FeatureChannel,
} from './source.ts'

/** Sorted by exchange and symbol, in the order of their UTF-8 bytes. */
export async function selectDaySymbols(
  client: Client,
  archive: ArchiveReader,
  plan: DayPlan,
  day: Day,
  ledger: DayLedger,
): Promise<readonly DaySymbol[]> {
  const known = await selectSymbols(client)
  const exchanges = [...new Set(known.map(({ exchange }) => exchange))]
  const spans: Spans = new Map()
  const { from, to } = dayRange(day)
  for (const exchange of exchanges) {
    for (const channel of FEATURE_CHANNELS) {
      for (const part of partsOf(plan, exchange, channel, from, to)) {
        const found =
          part.kind === 'postgres'
            ? await probe(client, exchange, channel, part)
            : await archive.symbols(part.hour)
        for (const span of found) addSpan(spans, exchange, channel, span)
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

interface Span {
  readonly first_ts: number
  readonly last_ts: number
}

/** By exchange and symbol, then channel. */
type Spans = Map<string, Map<FeatureChannel, Span>>

function addSpan(
  spans: Spans,
  exchange: Exchange,
  channel: FeatureChannel,
  { symbol, first_ts, last_ts }: Span & { readonly symbol: string },
): void {
  const key = `${exchange}/${symbol}`
  const of_symbol = spans.get(key) ?? new Map<FeatureChannel, Span>()
  const so_far = of_symbol.get(channel)
  of_symbol.set(channel, {
    first_ts: Math.min(first_ts, so_far?.first_ts ?? Infinity),
    last_ts: Math.max(last_ts, so_far?.last_ts ?? -Infinity),
  })
  spans.set(key, of_symbol)
}

async function selectSymbols(
  client: Client,
): Promise<readonly Pick<DaySymbol, 'symbol_id' | 'exchange' | 'symbol'>[]> {
  const { rows } = await client.query<{ id: string; exchange: Exchange; symbol: string }>(
    `select id, exchange, symbol from marketdata.symbols
     order by exchange collate "C", symbol collate "C"`,
  )
  return rows.map(({ id, exchange, symbol }) => ({ symbol_id: Number(id), exchange, symbol }))
}

/** First and last event of every symbol in the span. */
async function probe(
  client: Client,
  exchange: Exchange,
  channel: FeatureChannel,
  { from, to }: Part,
): Promise<readonly (Span & { readonly symbol: string })[]> {
  const end = (order: 'asc' | 'desc'): string =>
    `(select (extract(epoch from ts_exchange) * 1000000)::float8 from marketdata.${channel}
      where symbol_id = s.id and ts_exchange >= $2 and ts_exchange < $3
      order by ts_exchange ${order} limit 1)`
  const { rows } = await client.query<{
    symbol: string
    first_ts: number | null
    last_ts: number | null
  }>(
    `select s.symbol, ${end('asc')} as first_ts, ${end('desc')} as last_ts
     from marketdata.symbols s where s.exchange = $1`,
    [exchange, toIso(from), toIso(to)],
  )
  return rows.flatMap(({ symbol, first_ts, last_ts }) =>
    first_ts === null || last_ts === null ? [] : { symbol, first_ts, last_ts },
  )
}
