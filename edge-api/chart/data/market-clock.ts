/**
 * What is now on the chart. Where the newest quote is older than a day, as that of a recording that
 * is played, the clock goes on from it: otherwise the chart would show an empty present.
 */
import { DAY_US } from '#core/time.ts'
import { ask, Refusal, serverNow } from './api.ts'
import { microsOf } from './candles.ts'
import { addressOf, type Instrument } from './instrument.ts'

let behind_us = 0

/** Microseconds since 1970. */
export function marketNow(): number {
  return serverNow() - behind_us
}

/** Sets the clock to that of an instrument. */
export async function setMarketClock(instrument: Instrument): Promise<void> {
  const { path, query } = addressOf(instrument)
  behind_us = 0
  try {
    const quote = await ask<{ readonly ts_exchange: string }>(`/v1/quotes/${path}/latest?${query}`)
    const age_us = serverNow() - microsOf(quote.ts_exchange)
    behind_us = age_us > DAY_US ? age_us : 0
  } catch (error) {
    // It has no quotes, or they cannot be read now.
    if (!(error instanceof Refusal)) throw error
  }
}
