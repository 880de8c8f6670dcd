/** Reports of the job validation: the newest one, and how many findings the earlier ones had. */
import type { Pool } from '#core/node/pool.ts'
import { type Report, REPORT_STALE_S } from '#core/validation.ts'
import type { ValidationView } from '../wire.ts'
import { select } from './read.ts'

const HISTORY = '24 hours'

export async function readValidation(pool: Pool, now_ms: number): Promise<ValidationView> {
  const report = await selectNewest(pool)
  const history = await select<ValidationView['history'][number]>(
    pool,
    `select checked_at, finding_count from marketdata.validation_reports
     where checked_at > $1::timestamptz - interval '${HISTORY}' order by checked_at`,
    [new Date(now_ms).toISOString()],
  )
  return { report: report ?? null, is_stale: isStale(report, now_ms), history }
}

/** Undefined before the first run. */
export async function selectNewest(pool: Pool): Promise<Report | undefined> {
  const [row] = await select<{ report: Report }>(
    pool,
    'select report from marketdata.validation_reports order by checked_at desc limit 1',
  )
  return row?.report
}

export function isStale(report: Report | undefined, now_ms: number): boolean {
  return report !== undefined && now_ms - Date.parse(report.checked_at) > REPORT_STALE_S * 1_000
}
