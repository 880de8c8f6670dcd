/** The newest report of the job validation. */
import type { Report } from '#core/validation.ts'
import type { Database } from './database.ts'

const SQL = `
select report from marketdata.validation_reports
order by checked_at desc
limit 1`

/** Undefined if no report is stored. */
export async function selectValidation(db: Database): Promise<Report | undefined> {
  const [row] = await db.query<{ readonly report: Report }>(SQL, [])
  return row?.report
}
