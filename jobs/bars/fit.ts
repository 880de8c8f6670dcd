/** What each symbol traded in a day, for the thresholds of the next day's bars. */
import { z } from 'zod'
import { fitFile, type SymbolFit } from '../day/fit-file.ts'
import { BARS } from './columns.ts'
import type { Totals } from './totals.ts'

const amount = z.number().min(0)
const AmountTotals = z.object({ bought: amount, sold: amount, minute_imbalance: amount })

export type SymbolTotals = SymbolFit<Totals>

export const BAR_FIT = fitFile<Totals>({
  dataset: BARS.dataset,
  version: 1,
  fit: z.object({
    trade_count: z.number().int().positive(),
    of: z.object({ tick: AmountTotals, volume: AmountTotals, dollar: AmountTotals }),
  }),
  job: 'datasets',
})
