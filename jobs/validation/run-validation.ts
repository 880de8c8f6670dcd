/**
 * Job `validation`: looks at the recorded data as a stranger would, every five minutes. What it
 * finds is in the run's log, and no reason for the run to fail.
 */
import type { Logger } from '#core/node/log.ts'
import { type Client, type Pool, withClient } from '#core/node/pool.ts'
import { fromMillis, toIso } from '#core/time.ts'
import { type RunResult, runJob } from '../runs/run.ts'
import type { Checked, Report } from './finding.ts'
import { checkFreshness, checkFrequency } from './freshness.ts'
import { checkQuality } from './quality.ts'
import { selectHeardStreams } from './streams.ts'
import { checkStructure } from './structure.ts'

export const VALIDATION_JOB = 'validation'

export interface ValidationOptions {
  readonly pool: Pool
  readonly log: Logger
  /** The time now, in milliseconds since 1970. */
  readonly now: () => number
}

/** There is a run every five minutes, 288 a day. */
const KEEP_S = 7 * 86_400
const SYMBOLS_LOGGED_MAX = 20
/** A check is a look in passing: what takes longer is given up. */
const STATEMENT_LIMIT = '60s'

export function runValidation({ pool, log, now }: ValidationOptions): Promise<RunResult> {
  const run = { job: VALIDATION_JOB, job_window: 'newest', attempt: 1, keep_s: KEEP_S, now, log }
  return runJob(pool, run, async (run_log) => {
    const { findings, row_count } = await validate(pool, now())
    for (const { check, code, table_name, symbols, sentence } of findings) {
      const named = symbols.slice(0, SYMBOLS_LOGGED_MAX)
      const facts = { check, code, table_name, symbols: named, symbol_count: symbols.length }
      run_log.warn({ ...facts, found: sentence }, 'Validation found something.')
    }
    return { row_count, byte_count: 0 }
  })
}

/** `now_ms`: since 1970. Reads only. */
export function validate(pool: Pool, now_ms: number): Promise<Report> {
  return withClient(pool, async (client) => {
    await client.query(`begin isolation level repeatable read read only;
      set local statement_timeout = '${STATEMENT_LIMIT}'`)
    try {
      return await checkAll(client, toIso(fromMillis(now_ms)))
    } finally {
      await client.query('rollback').catch(() => undefined)
    }
  })
}

async function checkAll(client: Client, now: string): Promise<Report> {
  const structure = await checkStructure(client)
  // Of tables that are not there, or not as they should be, nothing more can be said.
  if (structure.findings.length > 0) {
    const skipped: Checked = { looked_at: null, row_count: 0, findings: [] }
    return reportOf(now, { structure, freshness: skipped, quality: skipped, frequency: skipped })
  }
  const heard = await selectHeardStreams(client, now)
  return reportOf(now, {
    structure,
    freshness: await checkFreshness(client, heard, now),
    quality: await checkQuality(client, now),
    frequency: checkFrequency(heard),
  })
}

function reportOf(
  checked_at: string,
  { structure, freshness, quality, frequency }: Record<keyof Report['looked_at'], Checked>,
): Report {
  const all = [structure, freshness, quality, frequency]
  return {
    checked_at,
    looked_at: {
      structure: structure.looked_at,
      freshness: freshness.looked_at,
      quality: quality.looked_at,
      frequency: frequency.looked_at,
    },
    row_count: all.reduce((sum, { row_count }) => sum + row_count, 0),
    findings: all.flatMap(({ findings }) => findings),
  }
}
