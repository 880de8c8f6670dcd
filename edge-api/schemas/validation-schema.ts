/** The report of the job validation, as answered. */
import { z } from '@hono/zod-openapi'
import { type Check, CHECKS, REPORTED_SYMBOLS_MAX } from '#core/validation.ts'
import { count, time } from './schema-parts.ts'

const covered = z.string().nullable()

export const ValidationReport = z
  .object({
    checked_at: time('The time that the report is about.'),
    age_ms: count.openapi({ description: 'Time since checked_at [ms].' }),
    is_stale: z.boolean().openapi({ description: 'The checks have not run since.' }),
    looked_at: z
      .object(
        Object.fromEntries(CHECKS.map((check) => [check, covered])) as {
          readonly [check in Check]: typeof covered
        },
      )
      .openapi({
        description: 'What each check covered; null if it was skipped.',
        example: {
          structure: '5 tables',
          ingestors: '2 ingestors',
          freshness: '622 streams',
          quality: '183110 rows',
          frequency: '420 streams',
          rates: '200 symbols',
          books: '20 books',
          clock: '2510 trades',
          datasets: null,
        },
      }),
    row_count: count.openapi({ description: 'Number of rows that were checked.' }),
    findings: z
      .array(
        z
          .object({
            check: z.enum(CHECKS),
            code: z.string().openapi({ example: 'rate_low' }),
            table_name: z.string().nullable(),
            sentence: z.string().openapi({ description: 'What was found, and what was expected.' }),
            symbols: z
              .array(z.string())
              .readonly()
              .openapi({ description: `Affected symbols, at most ${REPORTED_SYMBOLS_MAX}.` }),
            symbol_count: count.openapi({ description: 'Number of affected symbols.' }),
          })
          .openapi('Finding'),
      )
      .readonly(),
  })
  .openapi('ValidationReport')
