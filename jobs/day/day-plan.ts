/**
 * Decides for each hour of a day, and of the day before it, where to read it. An archived hour is
 * read from the archive, which puts no load on Postgres; any other hour from the raw tables. Both
 * hold the same rows in the same order, so the choice does not change a day's features.
 */
import type { ArchivedHour } from '#core/archive.ts'
import type { Client } from '#core/node/pool.ts'
import type { Exchange } from '#core/symbols.ts'
import { DAY_US, dayRange, HOUR_US, type Micros, micros, toIso, type Day } from '#core/time.ts'
import { selectArchivedHours } from '../archive/records.ts'
import { FEATURE_CHANNELS, type FeatureChannel } from './events.ts'

/** A span [from, to) of one stream that is read from one source. */
export type Part =
  | { readonly kind: 'postgres'; readonly from: Micros; readonly to: Micros }
  | {
      readonly kind: 'archive'
      readonly from: Micros
      readonly to: Micros
      readonly hour: ArchivedHour
    }

/** By exchange and channel: parts in order, from the start of the day before. */
export type DayPlan = ReadonlyMap<string, readonly Part[]>

/** Parts of a stream that touch [from, to), cut to it. */
export function partsOf(
  plan: DayPlan,
  exchange: Exchange,
  channel: FeatureChannel,
  from: Micros,
  to: Micros,
): readonly Part[] {
  return (plan.get(streamKey(exchange, channel)) ?? [])
    .filter((part) => part.from < to && part.to > from)
    .map((part) => ({
      ...part,
      from: micros(Math.max(part.from, from)),
      to: micros(Math.min(part.to, to)),
    }))
}

export function readsPostgres(plan: DayPlan): boolean {
  return [...plan.values()].some((parts) => parts.some(({ kind }) => kind === 'postgres'))
}

/** An archive file that is not the first version of its hour. */
export interface RevisedFile {
  readonly exchange: Exchange
  readonly from: Micros
  /** Table, hour and version, separated by spaces. */
  readonly name: string
}

export function revisedFiles(plan: DayPlan): readonly RevisedFile[] {
  return [...plan.values()].flat().flatMap((part) => {
    if (part.kind === 'postgres' || part.hour.version === 1) return []
    const { exchange, table_name, hour, version } = part.hour
    return { exchange, from: part.from, name: `${table_name} ${hour} ${version}` }
  })
}

/** An archived hour that late rows changed afterwards, with the version to read. */
export type RevisedHour = Pick<ArchivedHour, 'exchange' | 'table_name' | 'hour' | 'version'>

export interface PlannedDay {
  readonly plan: DayPlan
  /** Hours of the day itself, ordered by exchange, table and hour. */
  readonly revised_hours: readonly RevisedHour[]
}

export async function planDay(client: Client, day: Day): Promise<PlannedDay> {
  const { from, to } = dayRange(day)
  const before = micros(from - DAY_US)
  const live = await selectLiveHours(client)
  const late = await selectLateHours(client, before, to)
  const exchanges = await selectExchanges(client)
  const plan = new Map<string, readonly Part[]>()
  const revised_hours: RevisedHour[] = []
  for (const exchange of exchanges) {
    for (const channel of FEATURE_CHANNELS) {
      const parts: Part[] = []
      const wanted = { exchange, table_name: channel, from: before, to }
      const archived = await selectArchivedHours(client, wanted)
      const files = new Map(archived.map((file) => [file.hour, file]))
      for (let hour = before; hour < to; hour = micros(hour + HOUR_US)) {
        const file = files.get(toIso(hour))
        const is_live = live.has(`${channel}/${hour}`)
        // Late rows are in the table at once, but in a new version of the file only later.
        const is_behind = late.has(`${streamKey(exchange, channel)}/${hour}`)
        const span = { from: hour, to: micros(hour + HOUR_US) }
        if (file !== undefined && !(is_live && is_behind)) {
          parts.push({ kind: 'archive', ...span, hour: file })
          if (file.version > 1 && hour >= from) revised_hours.push(revisedHour(file))
        } else if (is_live) {
          addLive(parts, span)
        }
      }
      plan.set(streamKey(exchange, channel), parts)
    }
  }
  return { plan, revised_hours }
}

function revisedHour({ exchange, table_name, hour, version }: ArchivedHour): RevisedHour {
  return { exchange, table_name, hour, version }
}

/** Longer reads would hold the locks of too many partitions at once. */
const JOINED_HOURS_MAX = 4

/** Adds the hour to the read of the hour before it, if that one is live too. */
function addLive(parts: Part[], span: { readonly from: Micros; readonly to: Micros }): void {
  const last = parts.at(-1)
  const is_short = last !== undefined && span.to - last.from <= JOINED_HOURS_MAX * HOUR_US
  if (last?.kind === 'postgres' && last.to === span.from && is_short) {
    parts[parts.length - 1] = { ...last, to: span.to }
  } else parts.push({ kind: 'postgres', ...span })
}

function streamKey(exchange: string, channel: string): string {
  return `${exchange}/${channel}`
}

/** Hours that still have their partition. */
async function selectLiveHours(client: Client): Promise<ReadonlySet<string>> {
  const { rows } = await client.query<{ table_name: string; hour_us: number }>(
    `select t.table_name,
       (extract(epoch from to_timestamp(right(p.relname, 10), 'YYYYMMDDHH24')) * 1000000)::float8
         as hour_us
     from unnest($1::text[]) as t (table_name)
     join pg_inherits i on i.inhparent = ('marketdata.' || t.table_name)::regclass
     join pg_class p on p.oid = i.inhrelid
     where p.relname ~ '_[0-9]{10}$'`,
    [FEATURE_CHANNELS],
  )
  return new Set(rows.map(({ table_name, hour_us }) => `${table_name}/${hour_us}`))
}

/**
 * Hours with late rows that the newest version of their file does not have yet. Left out are hours
 * whose partition was dropped: Postgres then holds only the late rows.
 */
async function selectLateHours(
  client: Client,
  from: Micros,
  to: Micros,
): Promise<ReadonlySet<string>> {
  const { rows } = await client.query<{ exchange: string; table_name: string; hour_us: number }>(
    `select distinct s.exchange, i.table_name,
       (extract(epoch from h.hour) * 1000000)::float8 as hour_us
     from marketdata.invalidations i
     join marketdata.symbols s on s.id = i.symbol_id
     cross join lateral generate_series(
       greatest(date_bin('1 hour', i.lowest, 'epoch'), $1::timestamptz),
       least(i.greatest, $2::timestamptz), interval '1 hour'
     ) as h (hour)
     where i.consumer = 'archive' and i.lowest < $2 and i.greatest >= $1
       and not exists (
         select from marketdata.archive a
         where a.exchange = s.exchange and a.table_name = i.table_name and a.hour = h.hour
           and a.dropped_at is not null
       )`,
    [toIso(from), toIso(to)],
  )
  return new Set(rows.map((row) => `${streamKey(row.exchange, row.table_name)}/${row.hour_us}`))
}

async function selectExchanges(client: Client): Promise<readonly Exchange[]> {
  const { rows } = await client.query<{ exchange: Exchange }>(
    'select exchange from marketdata.symbols group by exchange order by exchange collate "C"',
  )
  return rows.map(({ exchange }) => exchange)
}
