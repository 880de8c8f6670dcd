/** Mean and standard deviation of a symbol's levels on a day: the normalisers of the next day. */
import { z } from 'zod'
import { fitFile, type SymbolFit } from '../day/fit-file.ts'
import { LOB_10, LOB_COLUMNS } from './columns.ts'
import type { ColumnMoments } from './moments.ts'

export type SymbolMoments = SymbolFit<readonly ColumnMoments[]>

/** In the order of LOB_COLUMNS. */
export const LOB_FIT = fitFile<readonly ColumnMoments[]>({
  dataset: LOB_10.dataset,
  version: 1,
  fit: z
    .array(z.object({ mean: z.number(), std: z.number().min(0) }))
    .length(LOB_COLUMNS.length)
    .readonly(),
  job: 'datasets',
})
