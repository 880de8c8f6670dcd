/**
 * Compares the gap ledger with the absences of every stream: the same gaps, between the same
 * events, and no others.
 */
import type { Channel } from '#core/market.ts'
import type { Pool } from '#core/node/pool.ts'
import {
  type Absence,
  type ExpectedGap,
  expectedGaps,
  type FirstEvent,
  type LastEvent,
} from './absences.ts'

/** A stream that left: "BTCUSDT trades". */
interface Departure {
  readonly name: string
  readonly last: LastEvent
  readonly left_at: number
  returned_at: number | undefined
}

export interface AbsenceBook {
  /** Streams that a change removed, which was requested and answered then [us]. */
  leave(names: readonly string[], asked_at: number, answered_at: number): Promise<void>
  /** Streams that a change added, of which some may be back. */
  comeBack(names: readonly string[], asked_at: number): void
  /**
   * What is wrong in the ledger, and how many gaps it has. At once after the feed has ended: ten
   * seconds later the ledger takes every stream for lost.
   */
  check(): Promise<{ readonly faults: readonly string[]; readonly gap_count: number }>
}

const RARE: readonly string[] = ['liquidations'] satisfies Channel[]
const EXAMPLES_MAX = 5

export function createAbsenceBook(pool: Pool): AbsenceBook {
  const streams = new Map<string, Departure[]>()
  const faults: string[] = []
  return {
    async leave(names, asked_at, answered_at) {
      const ends = await readEnds(pool, names, asked_at)
      for (const name of names) {
        const end = ends.get(name)
        if (end === undefined) {
          faults.push(`${name} left, and its offset does not say so`)
          continue
        }
        const { last, received_id } = end
        if (received_id !== null && (last.id === null || received_id > last.id)) {
          faults.push(`${name} left after event ${received_id}, but its offset is ${last.id}`)
        }
        const departure = { name, last, left_at: answered_at, returned_at: undefined }
        streams.set(name, [...(streams.get(name) ?? []), departure])
      }
    },
    comeBack(names, asked_at) {
      for (const name of names) {
        const newest = streams.get(name)?.at(-1)
        if (newest !== undefined) newest.returned_at = asked_at
      }
    },
    async check() {
      const known = await readLedger(pool)
      const firsts = await readFirstEvents(pool, [...streams.values()].flat())
      for (const name of new Set([...streams.keys(), ...known.keys()])) {
        const departures = streams.get(name) ?? []
        const absences = departures.map((departure, i): Absence => {
          const first = firsts.get(keyOf(departure))
          const next = departures[i + 1]?.last
          // A frame that arrived between the change and the unsubscription does not count.
          const is_heard = next === undefined || (first?.id ?? Infinity) <= (next.id ?? -Infinity)
          return { ...departure, first: is_heard ? first : undefined }
        })
        const expected = expectedGaps(absences, RARE.includes(name.split(' ')[1]!))
        const found = known.get(name) ?? []
        const is_same =
          found.length === expected.length && expected.every((gap, i) => matches(found[i]!, gap))
        if (!is_same) faults.push(`${name} has ${foundText(found)}; expected ${textOf(expected)}`)
      }
      const gap_count = [...known.values()].reduce((sum, gaps) => sum + gaps.length, 0)
      return { faults: shortened(faults), gap_count }
    },
  }
}

interface LedgerGap {
  readonly cause: string
  readonly from_ts: number
  /** Null: it has not ended. */
  readonly to_ts: number | null
}

function matches({ cause, from_ts, to_ts }: LedgerGap, { from, to }: ExpectedGap): boolean {
  if (cause !== 'operator' || from_ts < from.min || from_ts > from.max) return false
  return to === null || to_ts === null ? to === to_ts : to_ts >= to.min && to_ts <= to.max
}

const us = (time: string): string => `(extract(epoch from ${time}) * 1000000)::float8`
const timeOf = (value: string): string => `to_timestamp(${value} / 1000000.0)`

async function readLedger(pool: Pool): Promise<ReadonlyMap<string, readonly LedgerGap[]>> {
  const { rows } = await pool.query<LedgerGap & { readonly name: string }>(
    `select s.symbol || ' ' || g.channel as name, g.cause, ${us('g.from_ts')} as from_ts,
       ${us('g.to_ts')} as to_ts
     from marketdata.gap_ledger g join marketdata.symbols s on s.id = g.symbol_id
     order by g.from_ts, g.to_ts nulls last`,
  )
  return Map.groupBy(rows, ({ name }) => name)
}

interface End {
  readonly last: LastEvent
  /** Newest id that arrived before the change was requested; null: none. */
  readonly received_id: number | null
}

/** Where streams that left stopped. Those that are not marked as left are missing. */
async function readEnds(
  pool: Pool,
  names: readonly string[],
  asked_at: number,
): Promise<ReadonlyMap<string, End>> {
  const ends = new Map<string, End>()
  for (const [channel, { table, id }] of Object.entries(TABLES)) {
    const { rows } = await pool.query<
      LastEvent & { readonly name: string; readonly received_id: number | null }
    >(
      `select s.symbol || ' ' || o.channel as name, o.last_id::float8 as id,
         o.last_fill_id::float8 as last_fill, ${us('o.ts_exchange')} as ts_exchange,
         newest.id as received_id
       from marketdata.stream_offsets o join marketdata.symbols s on s.id = o.symbol_id
       left join lateral (
         select ${id}::float8 as id from marketdata.${table} t
         where t.symbol_id = o.symbol_id and t.ts_exchange >= o.ts_exchange - interval '1 minute'
           and t.ts_ingest < ${timeOf('$2::float8')} order by t.ts_exchange desc, 1 desc limit 1
       ) newest on true
       where o.channel = '${channel}' and o.deaf_cause = 'operator' and o.connection = 0
         and s.symbol || ' ' || o.channel = any($1)`,
      [names, asked_at],
    )
    for (const { name, received_id, ...last } of rows) ends.set(name, { last, received_id })
  }
  return ends
}

async function readFirstEvents(
  pool: Pool,
  departures: readonly Departure[],
): Promise<ReadonlyMap<string, FirstEvent>> {
  const firsts = new Map<string, FirstEvent>()
  for (const [channel, table] of Object.entries(TABLES)) {
    const back = departures.filter(
      ({ name, returned_at }) => returned_at !== undefined && name.endsWith(` ${channel}`),
    )
    const { rows } = await pool.query<FirstEvent & { readonly key: string }>(
      `select asked.key, first.*
       from unnest($1::text[], $2::text[], $3::float8[]) as asked (key, symbol, returned_at)
       join marketdata.symbols s on s.symbol = asked.symbol
       cross join lateral (
         select ${table.id}::float8 as id, ${table.follows ?? 'null'}::float8 as follows,
           ${table.first_fill ?? 'null'}::float8 as first_fill, ${us('t.ts_exchange')} as ts_exchange
         from marketdata.${table.table} t
         where t.symbol_id = s.id
           and t.ts_exchange >= ${timeOf('asked.returned_at')} - interval '1 minute'
           and t.ts_ingest >= ${timeOf('asked.returned_at')}
         order by t.ts_exchange, 1 limit 1
       ) first`,
      [
        back.map(keyOf),
        back.map(({ name }) => name.split(' ')[0]),
        back.map(({ returned_at }) => returned_at),
      ],
    )
    for (const { key, ...first } of rows) firsts.set(key, first)
  }
  return firsts
}

interface Table {
  readonly table: string
  readonly id: string
  readonly follows?: string
  readonly first_fill?: string
}

/** Events without an id have their time in milliseconds. */
const MILLIS = '(extract(epoch from t.ts_exchange) * 1000)'

const TABLES: Readonly<Record<string, Table>> = {
  book_ticker: { table: 'book_ticker', id: 'update_id' },
  trades: {
    table: 'trades',
    id: 'agg_trade_id',
    follows: '(agg_trade_id - 1)',
    first_fill: 'first_trade_id',
  },
  depth_events: { table: 'depth_events', id: 'final_update_id', follows: 'prev_final_update_id' },
  mark_price: { table: 'mark_price', id: MILLIS },
  liquidations: { table: 'liquidations', id: MILLIS },
}

function keyOf({ name, returned_at }: Departure): string {
  return `${name} ${returned_at}`
}

function foundText(gaps: readonly LedgerGap[]): string {
  return listOf(gaps.map(({ cause, from_ts, to_ts }) => `${from_ts} to ${to_ts} (${cause})`))
}

function textOf(gaps: readonly ExpectedGap[]): string {
  return listOf(
    gaps.map(({ from, to }) => `${from.min}..${from.max} to ${to && `${to.min}..${to.max}`}`),
  )
}

function listOf(texts: readonly string[]): string {
  return texts.length === 0 ? 'no gap' : `${texts.length} gaps: ${texts.join(', ')}`
}

function shortened(faults: readonly string[]): readonly string[] {
  const more = faults.length - EXAMPLES_MAX
  return more > 0 ? [...faults.slice(0, EXAMPLES_MAX), `and ${more} more streams`] : faults
}
