/** `npx booktape jobs run rollups`: options and output. */
import { InvalidArgumentError } from 'commander'
import { OperatorError } from '#core/errors.ts'
import { silentLogger } from '#core/node/log.ts'
import type { Pool } from '#core/node/pool.ts'
import { fromMillis, type Micros } from '#core/time.ts'
import { runRollups } from '../../jobs/rollups/run-rollups.ts'

/** Refreshes new and invalidated seconds; with `from`, rebuilds the range where raw rows exist. */
export async function runRollupsByHand(
  pool: Pool,
  { from, to }: { readonly from?: Micros; readonly to?: Micros },
): Promise<void> {
  const window = from === undefined ? undefined : { from, to: to ?? fromMillis(Date.now()) }
  if ((window === undefined && to !== undefined) || (window && window.from >= window.to)) {
    throw new OperatorError('bad_window', 'The time range does not start before it ends.', {
      hint: 'Give --from alone, or --from and a later --to.',
    })
  }
  const stopping = new AbortController()
  const stop = (): void => stopping.abort()
  process.once('SIGINT', stop).once('SIGTERM', stop)
  try {
    const options = { pool, log: silentLogger, now: Date.now, signal: stopping.signal, window }
    const { row_count } = await runRollups(options)
    const state = stopping.signal.aborted ? ' Stopped early: run this again for the rest.' : ''
    process.stdout.write(`Rollups: ${row_count} rows written, for all symbols.${state}\n`)
  } finally {
    process.off('SIGINT', stop).off('SIGTERM', stop)
  }
}

export function momentArgument(text: string): Micros {
  const ms = Date.parse(text)
  if (!/^\d{4}-\d{2}-\d{2}T.*(Z|[+-]\d{2}:\d{2})$/.test(text) || Number.isNaN(ms)) {
    throw new InvalidArgumentError(
      'Expected a time with a time zone, such as 2026-03-01T12:00:00Z.',
    )
  }
  return fromMillis(ms)
}
