/**
 * What each symbol's day leaves for a dataset of the next day: a pure function of the day, in a
 * file that manifests of the next day name with its sha256.
 */
import { createHash } from 'node:crypto'
import { z } from 'zod'
import { OperatorError } from '#core/errors.ts'
import type { ObjectStore } from '#core/node/object-store.ts'
import { dayFitKey } from '#core/object-keys.ts'
import { EXCHANGES } from '#core/symbols.ts'
import type { Day } from '#core/time.ts'

export interface SymbolFit<Fit> {
  readonly exchange: (typeof EXCHANGES)[number]
  readonly symbol: string
  readonly fit: Fit
}

export interface DayFit<Fit> {
  readonly key: string
  readonly sha256: string
  readonly symbols: readonly SymbolFit<Fit>[]
}

export interface FitFile<Fit> {
  keyOf(date: Day): string
  /** `symbols` must be in the day's order, so that the same day gives the same bytes. */
  put(store: ObjectStore, date: Day, symbols: readonly SymbolFit<Fit>[]): Promise<void>
  /** Undefined if the day has not been built completely. Errors: `fit_corrupt`. */
  read(store: ObjectStore, date: Day): Promise<DayFit<Fit> | undefined>
}

/** `job` builds the dataset, and with it the file. */
export function fitFile<Fit>(options: {
  readonly dataset: string
  readonly version: number
  readonly fit: z.ZodType<Fit>
  readonly job: string
}): FitFile<Fit> {
  const { dataset, version, job } = options
  const File = z.object({
    fit_version: z.literal(version),
    date: z.string(),
    symbols: z
      .array(z.object({ exchange: z.enum(EXCHANGES), symbol: z.string(), fit: options.fit }))
      .readonly(),
  })
  const keyOf = (date: Day): string => dayFitKey(dataset, version, date)
  return {
    keyOf,
    async put(store, date, symbols) {
      const text = `${JSON.stringify({ fit_version: version, date, symbols })}\n`
      await store.put(keyOf(date), text, 'application/json')
    },
    async read(store, date) {
      const key = keyOf(date)
      const bytes = await store.get(key)
      if (bytes === undefined) return undefined
      const file = File.safeParse(parseJson(bytes))
      if (!file.success || file.data.date !== date) {
        throw new OperatorError('fit_corrupt', `${key} is not a valid fit of ${date}.`, {
          hint: `Build that day again: npx booktape jobs run ${job} --date ${date}`,
        })
      }
      const sha256 = createHash('sha256').update(bytes).digest('hex')
      return { key, sha256, symbols: file.data.symbols }
    },
  }
}

/** The fit of one symbol; undefined if the day before has none. */
export function fitOf<Fit>(
  symbols: readonly SymbolFit<Fit>[],
  of: Pick<SymbolFit<Fit>, 'exchange' | 'symbol'>,
): Fit | undefined {
  return symbols.find((one) => one.exchange === of.exchange && one.symbol === of.symbol)?.fit
}

function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(bytes).toString('utf8'))
  } catch {
    return undefined
  }
}
