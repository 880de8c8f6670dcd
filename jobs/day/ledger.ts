/**
 * The gap ledger of a day as builds read it, and its digest. A published day keeps the digest among
 * its inputs, so a change of the ledger alone makes the day stale.
 */
import { createHash } from 'node:crypto'
import type { Channel, GapCause } from '#core/market.ts'
import type { Client } from '#core/node/pool.ts'
import { DAY_US, dayRange, micros, toIso, type Day } from '#core/time.ts'
import { FEATURE_CHANNELS, type ChannelGap } from './events.ts'
import { OPEN_END } from './gaps.ts'

/** Key: nameOf the symbol. Value: gaps that touch the day or the day before it, oldest first. */
export type DayLedger = ReadonlyMap<string, readonly ChannelGap[]>

interface SymbolName {
  readonly exchange: string
  readonly symbol: string
}

export function nameOf({ exchange, symbol }: SymbolName): string {
  return `${exchange} ${symbol}`
}

export async function selectLedger(client: Pick<Client, 'query'>, day: Day): Promise<DayLedger> {
  const { from, to } = dayRange(day)
  const { rows } = await client.query<LedgerRow>(
    `select s.exchange, s.symbol, g.channel, (extract(epoch from g.from_ts) * 1000000)::float8 as from_ts,
       (extract(epoch from g.to_ts) * 1000000)::float8 as to_ts,
       g.from_id, g.to_id, g.cause, g.repaired_at is not null as repaired
     from marketdata.gap_ledger g join marketdata.symbols s on s.id = g.symbol_id
     where g.channel = any($1) and (g.to_ts is null or g.to_ts >= $2) and g.from_ts < $3
     order by g.from_ts, g.to_ts, g.from_id, g.to_id, g.cause collate "C", g.channel collate "C"`,
    [FEATURE_CHANNELS, toIso(micros(from - DAY_US)), toIso(to)],
  )
  const ledger = new Map<string, ChannelGap[]>()
  for (const { exchange, symbol, ...row } of rows) {
    const name = nameOf({ exchange, symbol })
    const of_symbol = ledger.get(name) ?? []
    of_symbol.push({
      ...row,
      from_ts: micros(row.from_ts),
      to_ts: row.to_ts === null ? OPEN_END : micros(row.to_ts),
      from_id: row.from_id === null ? null : Number(row.from_id),
      to_id: row.to_id === null ? null : Number(row.to_id),
    })
    ledger.set(name, of_symbol)
  }
  return ledger
}

/** Sha256 of these symbols' gaps. It contains no database ids. */
export function digestLedger(ledger: DayLedger, symbols: readonly SymbolName[]): string {
  const lines = symbols.flatMap((symbol) =>
    (ledger.get(nameOf(symbol)) ?? []).map((gap) =>
      JSON.stringify([
        symbol.exchange,
        symbol.symbol,
        gap.channel,
        gap.from_ts,
        gap.to_ts === OPEN_END ? null : gap.to_ts,
        gap.from_id,
        gap.to_id,
        gap.cause,
        gap.repaired,
      ]),
    ),
  )
  return createHash('sha256').update(lines.toSorted().join('\n')).digest('hex')
}

interface LedgerRow extends SymbolName {
  readonly channel: Channel
  readonly from_ts: number
  readonly to_ts: number | null
  readonly from_id: string | null
  readonly to_id: string | null
  readonly cause: GapCause
  readonly repaired: boolean
}
