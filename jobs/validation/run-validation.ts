/**
 * The job `validation`: checks the recorded data from the outside, every five minutes. Findings go
 * into the run's log and do not make the run fail.
 */
import type { Logger } from '#core/node/log.ts'
import { type Client, type Pool, withClient } from '#core/node/pool.ts'
import { fromMillis, toIso } from '#core/time.ts'
import { type RunResult, runJob } from '../runs/run.ts'
import type { Checked, Report } from './finding.ts'
import { checkFreshness, checkFrequency } from './freshness.ts'
import { checkQuality } from './quality.ts'
import { selectRecordedStreams } from './streams.ts'
import { checkStructure } from './structure.ts'

export const VALIDATION_JOB = 'validation'

export interface ValidationOptions {
  readonly pool: Pool
  readonly log: Logger
  /** Current time, in milliseconds since 1970. */
  readonly now: () => number
}

/** A run every five minutes gives 288 rows a day. */
const KEEP_S = 7 * 86_400
const SYMBOLS_LOGGED_MAX = 20
/** A check must stay light: a statement that takes longer is cancelled. */
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

/** `now_ms`: milliseconds since 1970. Only reads. */
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
  // If tables are missing or have another shape, the other checks cannot run.
  if (structure.findings.length > 0) {
    const skipped: Checked = { looked_at: null, row_count: 0, findings: [] }
    return reportOf(now, { structure, freshness: skipped, quality: skipped, frequency: skipped })
  }
  const recorded = await selectRecordedStreams(client, now)
  return reportOf(now, {
    structure,
    freshness: await checkFreshness(client, recorded, now),
    quality: await checkQuality(client, now),
    frequency: checkFrequency(recorded),
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
