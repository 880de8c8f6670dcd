/**
 * The job `validation`: checks the recorded data from the outside, every five minutes, and stores
 * the report. Findings go into the run's log too, and do not make the run fail.
 */
import type { Logger } from '#core/node/log.ts'
import type { ObjectStore } from '#core/node/object-store.ts'
import { type Client, type Pool, withClient } from '#core/node/pool.ts'
import { fromMillis, toIso } from '#core/time.ts'
import {
  type Check,
  CHECKS,
  type Finding,
  type Report,
  type ReportedFinding,
  REPORTED_SYMBOLS_MAX,
} from '#core/validation.ts'
import { type RunResult, runJob } from '../runs/run.ts'
import { checkBooks } from './books.ts'
import { checkClock } from './clock.ts'
import { checkDatasets } from './datasets.ts'
import type { Checked } from './checked.ts'
import { checkFreshness, checkFrequency } from './freshness.ts'
import { checkIngestors } from './ingestors.ts'
import { checkQuality } from './quality.ts'
import { checkRates } from './rates.ts'
import { selectRecordedStreams } from './streams.ts'
import { checkStructure } from './structure.ts'

export const VALIDATION_JOB = 'validation'

export interface ValidationOptions {
  readonly pool: Pool
  readonly store: ObjectStore
  readonly log: Logger
  /** Current time, in milliseconds since 1970. */
  readonly now: () => number
}

/** A run every five minutes gives 288 rows a day. */
const KEEP_S = 7 * 86_400
const SYMBOLS_LOGGED_MAX = 20
/** A check must stay light: a statement that takes longer is cancelled. */
const STATEMENT_LIMIT = '60s'

export function runValidation({ pool, store, log, now }: ValidationOptions): Promise<RunResult> {
  const run = { job: VALIDATION_JOB, job_window: 'newest', attempt: 1, keep_s: KEEP_S, now, log }
  return runJob(pool, run, async (run_log) => {
    const report = await validate(pool, now(), store)
    const { findings, row_count } = report
    for (const { check, code, table_name, symbols, symbol_count, sentence } of findings) {
      const named = symbols.slice(0, SYMBOLS_LOGGED_MAX)
      const facts = { check, code, table_name, symbols: named, symbol_count }
      run_log.warn({ ...facts, found: sentence }, 'Validation found something.')
    }
    await storeReport(pool, report)
    return { row_count, byte_count: 0 }
  })
}

/** Reports are kept as long as the rows of the runs that made them. */
async function storeReport(pool: Pool, report: Report): Promise<void> {
  const { checked_at, findings } = report
  await pool.query(
    `with old as (
       delete from marketdata.validation_reports
       where checked_at < $1::timestamptz - make_interval(secs => $4)
     )
     insert into marketdata.validation_reports (checked_at, finding_count, report)
     values ($1, $2, $3)
     on conflict (checked_at) do nothing`,
    [checked_at, findings.length, JSON.stringify(report), KEEP_S],
  )
}

/** `now_ms`: milliseconds since 1970. Only reads. Without a store, datasets are not looked at. */
export function validate(pool: Pool, now_ms: number, store?: ObjectStore): Promise<Report> {
  const now = toIso(fromMillis(now_ms))
  return withClient(pool, async (client) => {
    const of_rows = await checkRows(client, now)
    // No transaction waits for the store.
    if (store === undefined || hasFindings(of_rows.structure)) return reportOf(now, of_rows)
    return reportOf(now, { ...of_rows, datasets: await checkDatasets(client, store, now) })
  })
}

type Done = { readonly [check in Check]?: Checked }

async function checkRows(client: Client, now: string): Promise<Done> {
  await client.query(`begin isolation level repeatable read read only;
    set local statement_timeout = '${STATEMENT_LIMIT}'`)
  try {
    const structure = await checkStructure(client)
    // If tables are missing or have another shape, the other checks cannot run.
    if (hasFindings(structure)) return { structure }
    const recorded = await selectRecordedStreams(client, now)
    return {
      structure,
      ingestors: await checkIngestors(client, now),
      freshness: await checkFreshness(client, recorded, now),
      quality: await checkQuality(client, now),
      frequency: checkFrequency(recorded),
      rates: await checkRates(client, now),
      books: await checkBooks(client, now),
      clock: await checkClock(client, now),
    }
  } finally {
    await client.query('rollback').catch(() => undefined)
  }
}

function hasFindings(checked: Checked | undefined): boolean {
  return checked !== undefined && checked.findings.length > 0
}

const SKIPPED: Checked = { looked_at: null, row_count: 0, findings: [] }

function reportOf(checked_at: string, done: Done): Report {
  const all = CHECKS.map((check) => [check, done[check] ?? SKIPPED] as const)
  const looked_at = all.map(([check, { looked_at: scope }]) => [check, scope])
  return {
    checked_at,
    looked_at: Object.fromEntries(looked_at) as Report['looked_at'],
    row_count: all.reduce((sum, [, { row_count }]) => sum + row_count, 0),
    findings: all.flatMap(([, { findings }]) => findings.map(reported)),
  }
}

function reported(finding: Finding): ReportedFinding {
  const { symbols } = finding
  return {
    ...finding,
    symbols: symbols.slice(0, REPORTED_SYMBOLS_MAX),
    symbol_count: symbols.length,
  }
}
