/**
 * What is known of a symbol's clusters when a request is answered, and how late trades take effect.
 *
 * Invariants
 * 1. Minutes before `final_to` are over, and every trade of them that a later statement does not
 *    see will be logged in invalidations (threshold of `trades`, raised by rollups, archive,
 *    features).
 * 2. Settling deletes the minutes that late trades changed, raises the version of their days, and
 *    deletes the log entries, in one transaction that excludes every computation of minutes
 *    (compute-hour.ts). So a stored minute lacks only trades whose log entry still exists.
 * 3. A bar is cached under its epoch and version. A state is read before the bars, so a bar
 *    computed from older trades never gets a newer version.
 */
import { MINUTE_US } from '#core/clusters/intervals.ts'
import { OperatorError } from '#core/errors.ts'
import { type Client, inTransaction, type Pool } from '#core/node/pool.ts'
import { DAY_US, type Day, dayOf, type Micros, micros, toIso } from '#core/time.ts'

export interface ClusterState {
  readonly epoch: string
  /** Whole minutes before it are final. */
  readonly final_to: Micros
  /** Version of the symbol's clusters of a UTC day. */
  versionOf(ts: Micros): number
}

/** The state of [from, to), with every late trade that is known settled. */
export async function settledState(
  pool: Pool,
  symbol_id: number,
  from: Micros,
  to: Micros,
): Promise<ClusterState> {
  let found = await selectState(pool, symbol_id, from, to)
  for (let attempt = 0; found.is_pending && attempt < ATTEMPTS_MAX; attempt++) {
    await settle(pool, [symbol_id])
    found = await selectState(pool, symbol_id, from, to)
  }
  const { epoch, threshold, versions, is_registered } = found
  if (!is_registered) throw notRegistered()
  const floor = Math.floor(threshold / MINUTE_US) * MINUTE_US
  return {
    epoch,
    final_to: micros(Number.isFinite(floor) ? floor : 0),
    versionOf: (ts) => versions[dayOf(ts)] ?? 0,
  }
}

/** While trades of a backlog keep coming, an answer may lack those of the last moment. */
const ATTEMPTS_MAX = 3

interface StateRow {
  readonly epoch: string
  readonly is_registered: boolean
  /** -Infinity before anything was read as final. */
  readonly threshold: number
  readonly is_pending: boolean
  readonly versions: Readonly<Record<string, number>>
}

async function selectState(
  pool: Pool,
  symbol_id: number,
  from: Micros,
  to: Micros,
): Promise<StateRow> {
  const { rows } = await pool.query<StateRow>(STATE, [symbol_id, toIso(from), toIso(to)])
  return rows[0]!
}

const STATE = `
select e.epoch::text as epoch, consumers @> '{clusters}' as is_registered,
  (extract(epoch from threshold) * 1000000)::float8 as threshold,
  exists (
    select from marketdata.invalidations
    where consumer = 'clusters' and table_name = 'trades' and symbol_id = $1
      and lowest < $3::timestamptz and greatest >= $2::timestamptz
  ) as is_pending,
  (
    select coalesce(jsonb_object_agg(to_char(day, 'YYYY-MM-DD'), version), '{}')
    from marketdata.cluster_versions
    where symbol_id = $1 and day between ($2::timestamptz)::date and ($3::timestamptz)::date
  ) as versions
from marketdata.invalidation_thresholds t cross join marketdata.cluster_epoch e
where t.table_name = 'trades'`

function notRegistered(): OperatorError {
  return new OperatorError('clusters_not_registered', 'Late trades are not logged for clusters.', {
    hint: 'The engine registers itself again within seconds.',
    retryable: true,
  })
}

/** Both are taken by transactions that hold no other lock of clusters than that of an hour. */
export async function lockForSettling(client: Client): Promise<void> {
  await client.query(`select pg_advisory_xact_lock(${LOCK})`)
}

export async function lockForComputing(client: Client): Promise<void> {
  await client.query(`select pg_advisory_xact_lock_shared(${LOCK})`)
}

const LOCK = `hashtextextended('marketdata.clusters', 0)`

/** Log entries of one transaction. */
const ENTRIES_MAX = 5_000

/** Whole minutes [from, to) of a symbol and UTC day that late trades changed. */
export interface ChangedSpan {
  readonly symbol_id: number
  readonly day: Day
  readonly from: Micros
  readonly to: Micros
}

/** Makes late trades of these symbols, or of all, take effect. Returns what they changed. */
export async function settle(
  pool: Pool,
  symbol_ids: readonly number[] | undefined,
): Promise<readonly ChangedSpan[]> {
  const changed: ChangedSpan[] = []
  let count: number
  do {
    count = await inTransaction(pool, async (client) => {
      await lockForSettling(client)
      const entries = await takeEntries(client, symbol_ids)
      for (const span of daySpans(entries)) {
        await client.query(FORGET, [span.symbol_id, toIso(span.from), toIso(span.to)])
        await client.query(RAISE_VERSION, [span.symbol_id, span.day])
        changed.push(span)
      }
      return entries.length
    })
  } while (count === ENTRIES_MAX)
  return changed
}

interface Entry {
  readonly symbol_id: string
  readonly lowest: number
  readonly greatest: number
}

async function takeEntries(
  client: Client,
  symbol_ids: readonly number[] | undefined,
): Promise<readonly Entry[]> {
  const { rows } = await client.query<Entry>(
    `delete from marketdata.invalidations where id in (
       select id from marketdata.invalidations
       where consumer = 'clusters' and ($1::bigint[] is null or symbol_id = any ($1))
       order by id limit $2
     )
     returning symbol_id, (extract(epoch from lowest) * 1000000)::float8 as lowest,
       (extract(epoch from greatest) * 1000000)::float8 as greatest`,
    [symbol_ids ?? null, ENTRIES_MAX],
  )
  return rows
}

/** Whole minutes of each symbol and day, merged where they touch. */
function daySpans(entries: readonly Entry[]): readonly ChangedSpan[] {
  const minutes = new Map<string, { symbol_id: number; day: Day; from: number; to: number }[]>()
  const sorted = entries.toSorted((a, b) => a.lowest - b.lowest)
  for (const { symbol_id, lowest, greatest } of sorted) {
    for (let at = lowest; at <= greatest; at = dayEnd(at)) {
      const day = dayOf(micros(at))
      const key = `${symbol_id}/${day}`
      const spans = minutes.get(key) ?? []
      minutes.set(key, spans)
      const from = Math.floor(at / MINUTE_US) * MINUTE_US
      const to = Math.floor(Math.min(greatest, dayEnd(at) - 1) / MINUTE_US) * MINUTE_US + MINUTE_US
      const last = spans.at(-1)
      if (last !== undefined && from <= last.to) last.to = Math.max(last.to, to)
      else spans.push({ symbol_id: Number(symbol_id), day, from, to })
    }
  }
  return [...minutes.values()]
    .flat()
    .map((span) => ({ ...span, from: micros(span.from), to: micros(span.to) }))
}

function dayEnd(ts: number): number {
  return (Math.floor(ts / DAY_US) + 1) * DAY_US
}

const FORGET = `delete from marketdata.clusters
  where symbol_id = $1 and bucket >= $2 and bucket < $3`

const RAISE_VERSION = `insert into marketdata.cluster_versions (symbol_id, day, version)
  values ($1, $2, 1)
  on conflict (symbol_id, day) do update set version = cluster_versions.version + 1`
