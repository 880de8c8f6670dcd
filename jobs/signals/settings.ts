/** Settings of the job `signals`. */
import { z } from 'zod'
import { type Env, nameList, readEnvironment, whole } from '#core/environment.ts'
import { isSymbolName } from '#core/symbols.ts'

export interface SignalsSettings {
  /** Seconds between two runs; 0: the daemon does not run it. */
  readonly every_s: number
  readonly symbols: readonly string[]
  readonly keep_days: number
}

/** Variables of the daemon's environment. */
export const SIGNALS_VARIABLES = {
  SIGNALS_EVERY_S: whole({ min: 0, max: 3_600, standard: 60, what: 'whole seconds' }),
  SIGNALS_SYMBOLS: nameList({
    standard: 'BTCUSDT,ETHUSDT',
    min: 0,
    max: 1_000,
    isName: isSymbolName,
    what: 'symbols such as BTCUSDT',
  }),
  RETENTION_DAYS_SIGNALS: whole({ min: 2, max: 3_650, standard: 30, what: 'whole days' }),
}

const Variables = z.object(SIGNALS_VARIABLES)

/** The settings that a manual run needs from the daemon's environment. */
export function parseSignalsSettings(env: Env): SignalsSettings {
  const hint = 'Set them in the environment.'
  return signalsSettings(readEnvironment(Variables, env, 'Settings of signals', hint))
}

export function signalsSettings(read: z.output<typeof Variables>): SignalsSettings {
  return Object.freeze({
    every_s: read.SIGNALS_EVERY_S,
    symbols: read.SIGNALS_SYMBOLS,
    keep_days: read.RETENTION_DAYS_SIGNALS,
  })
}
