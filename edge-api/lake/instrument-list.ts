/**
 * The archive's list of instruments. Used only while the database, which knows more, does not
 * respond. Cached for a minute.
 */
import { z } from 'zod'
import { OperatorError } from '#core/errors.ts'
import type { InstrumentList, ListedInstrument } from '#core/instrument-list.ts'
import { INSTRUMENTS_KEY } from '#core/object-keys.ts'
import { EXCHANGES } from '#core/symbols.ts'
import { SECOND_US, type Micros } from '#core/time.ts'
import type { ObjectReader } from '../store/object-store.ts'

/** Ten thousand instruments take about 2 MB. */
const BYTES_MAX = 8 << 20
const KEPT_FOR_US = 60 * SECOND_US

const text = z.string().nullable()
const number = z.number().nullable()

const List = z.object({
  instruments: z.array(
    z.object({
      exchange: z.enum(EXCHANGES),
      symbol: z.string(),
      instrument_type: z.enum(['perp', 'future', 'spot', 'index']).nullable(),
      base_asset: text,
      quote_asset: text,
      is_active: z.boolean(),
      tick_size: number,
      step_size: number,
    }),
  ),
}) satisfies z.ZodType<InstrumentList>

/** Undefined if no build that writes the list has archived anything yet. */
export type ListInstruments = () => Promise<readonly ListedInstrument[] | undefined>

export function createInstrumentList(
  store: Pick<ObjectReader, 'read'>,
  now: () => Micros,
): ListInstruments {
  let kept: { readonly list: readonly ListedInstrument[]; readonly until: number } | undefined
  return async () => {
    if (kept !== undefined && now() < kept.until) return kept.list
    const bytes = await store.read(INSTRUMENTS_KEY, BYTES_MAX)
    if (bytes === undefined) return undefined
    const list = parse(bytes)
    kept = { list, until: now() + KEPT_FOR_US }
    return list
  }
}

function parse(bytes: Uint8Array): readonly ListedInstrument[] {
  try {
    return List.parse(JSON.parse(new TextDecoder().decode(bytes))).instruments
  } catch {
    throw new OperatorError('archive_damaged', `${INSTRUMENTS_KEY} is not a list of instruments.`, {
      hint: 'An operator must check the archive.',
    })
  }
}
