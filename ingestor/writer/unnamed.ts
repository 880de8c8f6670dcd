/**
 * Takes everything out of a batch that belongs to symbols that Postgres refuses. Their rows, prices
 * and gaps have no symbol id and go to the dead letters with the reason, so the rest can commit.
 */
import { RAW_TABLES } from '#core/tables.ts'
import type { Refused } from './apart.ts'
import type { Batch } from './batch.ts'
import type { RefusedRecord } from './dead-letters.ts'
import type { Name } from './symbol-ids.ts'

export interface NamedBatch {
  readonly batch: Batch
  /** The symbols and their gaps. */
  readonly refused: readonly RefusedRecord[]
  /** Their events. */
  readonly dead: readonly RefusedRecord[]
}

export function withoutSymbols(batch: Batch, symbols: readonly Refused<Name>[]): NamedBatch {
  if (symbols.length === 0) return { batch, refused: [], dead: [] }
  const causeOf = ({ exchange, symbol }: Name): Refused<Name> | undefined =>
    symbols.find(({ item }) => item.exchange === exchange && item.symbol === symbol)
  const refused: RefusedRecord[] = symbols.map(({ item: record, cause }) => ({
    table_name: 'symbols',
    record,
    cause,
  }))
  const dead: RefusedRecord[] = []
  const streams = batch.streams.filter((stream) => {
    const refusal = causeOf(stream)
    if (refusal === undefined) return true
    const { channel, rows } = stream
    if (channel === 'prices' || rows === undefined) return false
    const decoded = rows.decoded(RAW_TABLES[channel], stream.symbol)
    for (const record of decoded) dead.push({ table_name: channel, record, cause: refusal.cause })
    return false
  })
  /** Keeps the records of other symbols and moves the rest to `aside`. */
  const leave = <T extends Name & object>(
    records: readonly T[],
    table_name: string,
    aside: RefusedRecord[],
  ): readonly T[] =>
    records.filter((record) => {
      const refusal = causeOf(record)
      if (refusal !== undefined) aside.push({ table_name, record, cause: refusal.cause })
      return refusal === undefined
    })
  const prices = leave(batch.prices, 'prices', dead)
  const gaps = leave(batch.gaps, 'gaps', refused)
  return { batch: { ...batch, streams, prices, gaps }, refused, dead }
}
