/** Adds rows through the writer, and computes the expected rollups with independent SQL. */
import { join } from 'node:path'
import { silentLogger } from '#core/node/log.ts'
import type { Pool } from '#core/node/pool.ts'
import { type Micros, micros } from '#core/time.ts'
import type { FollowCounts } from '../../../ingestor/writer/counts.ts'
import { followToEnd } from '../../../ingestor/writer/follow-to-end.ts'
import type { BatchLimits } from '../../../ingestor/writer/session.ts'
import { refreshRollup, type Refreshed } from '../../../jobs/rollups/refresh.ts'
import { type Rollup, ROLLUPS } from '../../../jobs/rollups/rollup.ts'
import type { TestDatabase } from '../../support/database.ts'
import {
  diff,
  type Entry,
  quote,
  START_MS,
  temporaryDirectory,
  trade,
  writeTape,
} from '../../ingestor/writer/support.ts'

export const never = new AbortController().signal

/** This many milliseconds after START_MS, in microseconds. */
export const after = (ms: number): Micros => micros((START_MS + ms) * 1_000)

let ingestor_count = 0

/** Adds these frames as another ingestor with its own tape. */
export async function ingest(
  { url }: TestDatabase,
  entries: readonly Entry[],
  limits?: BatchLimits,
): Promise<FollowCounts> {
  return followToEnd({
    database_url: url,
    ingestor_id: `ingestor-${++ingestor_count}`,
    tape_dir: await writeTape(entries),
    choice: { channels: ['book_ticker', 'trades', 'depth_events'], trade_stream: 'aggTrade' },
    dead_letter_path: join(temporaryDirectory(), 'dead.ndjson'),
    log: silentLogger,
    ...(limits === undefined ? {} : { limits }),
  })
}

/** Brings all rollups up to what is over at `now`. */
export async function refreshAll(pool: Pool, now: Micros): Promise<readonly Refreshed[]> {
  const done: Refreshed[] = []
  for (const rollup of ROLLUPS) done.push(await refreshRollup(pool, rollup, now, never))
  return done
}

/** The rows of the rollup. */
export async function rowsOf(pool: Pool, { name }: Rollup): Promise<readonly string[]> {
  const { rows } = await pool.query<{ line: string }>(
    `select t::text as line from marketdata.${name} t order by symbol_id, bucket`,
  )
  return rows.map((row) => row.line)
}

/** The whole rollup at once from the current raw rows, up to its watermark. */
export async function recomputed(pool: Pool, { name }: Rollup): Promise<readonly string[]> {
  const { rows } = await pool.query<{ line: string }>(
    `select r::text as line
     from marketdata.symbols s
     cross join lateral marketdata.${name}_of(s.id, '-infinity', (
       select watermark from marketdata.rollup_watermarks where rollup = '${name}'
     )) r
     order by r.symbol_id, r.bucket`,
  )
  return rows.map((row) => row.line)
}

/** Frames of some symbols and streams at random times within `span_ms`; some are repeated. */
export function randomEntries(
  random: () => number,
  count: number,
  span_ms: number,
): readonly Entry[] {
  const pick = (n: number): number => Math.floor(random() * n)
  return Array.from({ length: count }, () => {
    const symbol = ['BTCUSDT', 'ETHUSDT', 'SOLUSDT'][pick(3)]!
    const ms = pick(span_ms)
    const id = 1_000 + ms * 3
    const kind = pick(3)
    if (kind === 0) return quote(symbol, id + pick(2), ms)
    if (kind === 1) return trade(symbol, id + pick(2), ms, 2, (100 + pick(30) / 10).toFixed(2))
    const levels = Array.from({ length: 1 + pick(3) }, (_, k) => [`${99 - k}.5`, '1.25'])
    return diff(symbol, id - 1, id, ms, 3, { b: levels, a: levels.slice(1) })
  })
}

/** Numbers from 0 to 1 that depend only on the seed (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
