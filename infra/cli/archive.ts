/** `npx booktape jobs run archive` and `... retention`: options and output. */
import { InvalidArgumentError } from 'commander'
import { silentLogger } from '#core/node/log.ts'
import type { ObjectStore } from '#core/node/object-store.ts'
import type { Pool } from '#core/node/pool.ts'
import {
  type Day,
  dayRange,
  fromMillis,
  HOUR_US,
  hourStart,
  type Micros,
  micros,
  parseDay,
} from '#core/time.ts'
import { selectHours } from '../../jobs/archive/due-hours.ts'
import { hourWindow } from '../../jobs/archive/records.ts'
import { runArchive } from '../../jobs/archive/run-archive.ts'
import { CODECS, type Codec } from '../../jobs/parquet/codecs.ts'
import type { RetentionPlan } from '../../jobs/retention/retention-plan.ts'
import { planNow, runRetention } from '../../jobs/retention/run-retention.ts'
import { parseRetentionSettings } from '../../jobs/retention/settings.ts'

interface Services {
  readonly pool: Pool
  readonly store: ObjectStore
  readonly work_dir: string
  readonly env: Readonly<Record<string, string | undefined>>
}

export interface ArchiveFlags {
  readonly hour?: Micros
  readonly date?: Day
  readonly codec: Codec
}

export async function runArchiveByHand(services: Services, flags: ArchiveFlags): Promise<void> {
  const stopping = new AbortController()
  const stop = (): void => stopping.abort(new Error('Stopped. The current hour was not archived.'))
  process.once('SIGINT', stop).once('SIGTERM', stop)
  try {
    const span = spanOf(flags)
    const hours = span && (await selectHours(services.pool, span.from, span.to))
    const { env, ...places } = services
    const { settle_us: delay_us } = parseRetentionSettings(env)
    const result = await runArchive({
      ...places,
      delay_us,
      codec: flags.codec,
      log: silentLogger,
      now: Date.now,
      signal: stopping.signal,
      ...(hours === undefined ? {} : { hours }),
      onHour(table_hour, { object_keys, row_count, byte_count }) {
        const made = object_keys.length === 0 ? 'unchanged' : object_keys.join('\n  ')
        const text = `${hourWindow(table_hour)}: ${row_count} rows, ${byte_count} bytes\n  ${made}\n`
        process.stdout.write(text)
      },
    })
    const { hour_count, file_count, row_count, byte_count } = result
    process.stdout.write(
      `Hours: ${hour_count}, new files: ${file_count}, ${row_count} rows, ${byte_count} bytes.\n`,
    )
  } finally {
    process.off('SIGINT', stop).off('SIGTERM', stop)
  }
}

export async function runRetentionByHand(
  { pool, env }: Services,
  is_dry_run: boolean,
): Promise<void> {
  const settings = parseRetentionSettings(env)
  const options = { pool, settings, log: silentLogger, now: Date.now }
  if (is_dry_run) {
    process.stdout.write(planText(await planNow(options)))
    return
  }
  const { plan, dropped, kept, byte_count } = await runRetention(options)
  process.stdout.write(planText(plan))
  for (const { partition, why } of kept) process.stdout.write(`${partition} kept: ${why}.\n`)
  process.stdout.write(`Dropped: ${dropped.length} partitions, ${megabytes(byte_count)} MB.\n`)
}

/** Parses an hour such as 2024-08-08T13. */
export function hourArgument(text: string): Micros {
  const [date, hour] = text.split('T')
  const day = parseDay(date ?? '')
  if (day === undefined || hour === undefined || !/^([01]\d|2[0-3])$/.test(hour)) {
    throw new InvalidArgumentError('Expected an hour (UTC) as YYYY-MM-DDTHH: 2024-08-08T13.')
  }
  return micros(dayRange(day).from + Number(hour) * HOUR_US)
}

export function codecArgument(text: string): Codec {
  const codec = CODECS.find((one) => one === text)
  if (codec === undefined) throw new InvalidArgumentError(`Expected ${CODECS.join(', ')}.`)
  return codec
}

/** The hour, or the finished hours of the day; undefined for neither: every hour that is due. */
function spanOf({
  hour,
  date,
}: ArchiveFlags): { readonly from: Micros; readonly to: Micros } | undefined {
  if (hour !== undefined) return { from: hour, to: micros(hour + HOUR_US) }
  if (date === undefined) return undefined
  const { from, to } = dayRange(date)
  return { from, to: micros(Math.min(to, hourStart(fromMillis(Date.now())))) }
}

const REASONS = {
  age: 'past the age limit',
  budget: 'over the disk budget',
  empty: 'empty',
  remainder: 'archived late rows; the rest of the hour was dropped before',
  not_over: 'its time range has not ended',
  not_archived: 'not archived yet',
  late_rows: 'late rows wait for the archive or a rollup',
  rollup_behind: 'a rollup has not covered it yet',
  topn_behind: 'orderbook_topn has not covered it yet',
  source_stays: 'its source rows must stay for now',
  within_limits: 'within the limits',
} as const

function planText({ partitions, used_bytes, budget_bytes }: RetentionPlan): string {
  const limit = budget_bytes === 0 ? 'none' : `${megabytes(budget_bytes)} MB`
  const lines = partitions.map(({ state, fate }) =>
    [
      fate.kind === 'drop' ? 'drop' : 'keep',
      megabytes(state.byte_count).padStart(10),
      state.partition.padEnd(28),
      REASONS[fate.reason],
    ].join('  '),
  )
  return [
    `Hourly partitions use ${megabytes(used_bytes)} MB; limit: ${limit}.`,
    ...(lines.length === 0 ? [] : [`PLAN${'MB'.padStart(12)}  ${'PARTITION'.padEnd(28)}  WHY`]),
    ...lines,
    '',
  ].join('\n')
}

function megabytes(byte_count: number): string {
  return (byte_count / 1e6).toFixed(1)
}
