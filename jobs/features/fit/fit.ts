/**
 * Parameters that a day leaves for the features of the next: per symbol the table of Stoikov's
 * micro-price, the weights of the integrated OFI and the buckets of VPIN. A pure function of the
 * day. The object store keeps it under a version of its own. Manifests of days that used it name it
 * with its sha256.
 */
import { createHash } from 'node:crypto'
import { z } from 'zod'
import { OperatorError } from '#core/errors.ts'
import { BOOK_LEVELS } from '#core/features/book.ts'
import { FIT_VERSION, VPIN_BUCKETS } from '#core/features/fitted.ts'
import type { ObjectStore } from '#core/node/object-store.ts'
import { featureFitKey } from '#core/object-keys.ts'
import { EXCHANGES } from '#core/symbols.ts'
import type { Day } from '#core/time.ts'
import type { BookValues } from '../book-columns.ts'
import type { QuoteResult } from '../quote-columns.ts'
import type { SideVolumes } from '../trade-columns.ts'
import { fitWeights } from './integrated-ofi.ts'
import { fitStoikov, STATE_COUNT } from './stoikov.ts'
import { fitVpin } from './vpin.ts'

const finite = z.number()
const volume = z.number().min(0)

/** Null: too little data to fit. */
const Fit = z.object({
  stoikov: z
    .object({
      spread_unit: z.number().positive(),
      g: z.array(finite.nullable()).length(STATE_COUNT).readonly(),
    })
    .nullable(),
  ofi_weights: z.array(finite).length(BOOK_LEVELS).readonly().nullable(),
  vpin: z
    .object({
      bucket_volume: z.number().positive(),
      imbalances: z.array(volume).max(VPIN_BUCKETS).readonly(),
      buy_volume: volume,
      sell_volume: volume,
    })
    .nullable(),
})
/** Fit of one symbol's day. */
export type Fit = Readonly<z.infer<typeof Fit>>

const SymbolFit = z.object({ exchange: z.enum(EXCHANGES), symbol: z.string(), fit: Fit })
export type SymbolFit = Readonly<z.infer<typeof SymbolFit>>

const DayFitFile = z.object({
  fit_version: z.literal(FIT_VERSION),
  date: z.string(),
  symbols: z.array(SymbolFit).readonly(),
})

export interface DayFit {
  readonly key: string
  readonly sha256: string
  readonly symbols: readonly SymbolFit[]
}

export function fitDay(quotes: QuoteResult, trades: SideVolumes, book: BookValues): Fit {
  return {
    stoikov: fitStoikov(quotes) ?? null,
    ofi_weights: fitWeights(book) ?? null,
    vpin: fitVpin(trades) ?? null,
  }
}

/** `symbols` must be in the day's order, so that the same day gives the same bytes. */
export async function putFit(
  store: ObjectStore,
  date: Day,
  symbols: readonly SymbolFit[],
): Promise<void> {
  const text = `${JSON.stringify({ fit_version: FIT_VERSION, date, symbols })}\n`
  await store.put(featureFitKey(FIT_VERSION, date), text, 'application/json')
}

/** The fit of a day; undefined if the day has not been built completely. */
export async function readFit(store: ObjectStore, date: Day): Promise<DayFit | undefined> {
  const key = featureFitKey(FIT_VERSION, date)
  const bytes = await store.get(key)
  if (bytes === undefined) return undefined
  const file = DayFitFile.safeParse(parseJson(bytes))
  if (!file.success || file.data.date !== date) {
    throw new OperatorError('fit_corrupt', `${key} is not a valid fit of ${date}.`, {
      hint: `Build that day again: npx booktape jobs run features --date ${date}`,
    })
  }
  const sha256 = createHash('sha256').update(bytes).digest('hex')
  return { key, sha256, symbols: file.data.symbols }
}

function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(bytes).toString('utf8'))
  } catch {
    return undefined
  }
}
