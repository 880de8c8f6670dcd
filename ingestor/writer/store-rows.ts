/**
 * Stores rows and index prices: by COPY, which the caller sends, or with care where keys clash or
 * rows are bad.
 */
import type { Channel, IndexPrice } from '#core/market.ts'
import type { Client } from '#core/node/pool.ts'
import { storePrices } from '#core/node/prices.ts'
import type { RawChannel } from '#core/tables.ts'
import { storeApart } from './apart.ts'
import { type Conflict, findPriceConflicts } from './conflicts.ts'
import { perTable } from './counts.ts'
import { refusedFor, type RefusedRecord } from './dead-letters.ts'
import type { AddedRange } from './invalidations.ts'
import type { PreparedBatch } from './prepare.ts'
import type { TableCopying } from './send-together.ts'
import { type BadRow, storeCarefully } from './staging.ts'

/** Tables whose last batch held keys that were already stored. They skip the attempt with COPY. */
export type ClashingTables = Set<RawChannel>

export interface Stored {
  readonly rows: Record<Channel, number>
  readonly duplicates: Record<Channel, number>
  readonly conflicts: Record<Channel, number>
  readonly evidence: readonly Conflict[]
  readonly added: readonly AddedRange[]
  readonly bad: readonly BadRow[]
  readonly bad_prices: readonly RefusedRecord[]
  /** Tables that already held keys of the batch. */
  readonly met_keys: ReadonlySet<RawChannel>
  /** Still to be sent. Everything else here counts them as stored. */
  readonly copies: readonly TableCopying[]
}

/**
 * Runs inside the open transaction of `client`. Of rows that need only COPYs it sends nothing, so
 * then the transaction may still have to begin.
 */
export async function storeRows(
  client: Client,
  prepared: PreparedBatch,
  careful: boolean,
  clashing: ClashingTables,
): Promise<Stored> {
  const rows = perTable()
  const duplicates = { ...prepared.batch.counts.duplicates }
  const conflicts = perTable()
  const evidence: Conflict[] = []
  const added: AddedRange[] = []
  const bad: BadRow[] = []
  const met_keys = new Set<RawChannel>()
  const copies: TableCopying[] = []
  for (const copy of prepared.copies) {
    const { channel, rows: encoded, repeated, conflicts: within } = copy
    duplicates[channel] += repeated - within.count
    conflicts[channel] = within.count
    evidence.push(...within.evidence)
    if (!careful && !clashing.has(channel)) {
      copies.push({ target: `marketdata.${channel}`, rows: encoded })
      rows[channel] = encoded.row_count
      added.push(...copy.ranges)
      continue
    }
    const staged = await storeCarefully(client, encoded)
    const met = encoded.row_count - staged.stored - staged.bad.length
    if (met > 0) met_keys.add(channel)
    rows[channel] = staged.stored
    duplicates[channel] += met - staged.conflict_count
    conflicts[channel] += staged.conflict_count
    evidence.push(...staged.conflicts)
    added.push(...staged.added)
    bad.push(...staged.bad)
  }
  const { prices } = prepared.batch
  const store = (part: readonly IndexPrice[]): Promise<number> => storePrices(client, part)
  const apart = careful ? await storeApart(client, prices, store) : undefined
  rows.prices = apart?.stored ?? (await store(prices))
  const bad_prices = refusedFor('prices', apart?.refused ?? [])
  const met_prices = prices.length - rows.prices - bad_prices.length
  if (met_prices > 0) {
    const found = await findPriceConflicts(client, withoutRefused(prices, bad_prices))
    conflicts.prices = found.count
    evidence.push(...found.evidence)
  }
  duplicates.prices = met_prices - conflicts.prices
  return { rows, duplicates, conflicts, evidence, added, bad, bad_prices, met_keys, copies }
}

function withoutRefused<T extends object>(
  items: readonly T[],
  refused: readonly RefusedRecord[],
): readonly T[] {
  const left_out = new Set(refused.map(({ record }) => record))
  return items.filter((item) => !left_out.has(item))
}
