/** What one ingestor must record before another can stop, by rows of the database. */
import { beforeAll, expect, test } from 'vitest'
import type { Pool } from '#core/node/pool.ts'
import { missingCoverage } from '../../../infra/handover/coverage.ts'
import { handOver, type HandoverOptions } from '../../../infra/handover/hand-over.ts'
import { createTestDatabase } from '../../support/database.ts'

let pool: Pool
beforeAll(async () => {
  pool = (await createTestDatabase()).pool
  await pool.query(`insert into marketdata.symbols (id, exchange, symbol)
    overriding system value values (1, 'binance-futures', 'BTCUSDT'), (2, 'binance-futures', 'ETHUSDT')`)
})

interface Stream {
  readonly symbol_id: number
  readonly channel?: string
  /** Seconds before now. */
  readonly began_s: number
  readonly last_event_s: number
  readonly deaf_cause?: string
}

/** Replaces what the ingestor has written; its newest commit is `age_s` old. */
async function write(ingestor_id: string, streams: readonly Stream[], age_s = 0): Promise<void> {
  await pool.query(
    `insert into marketdata.tape_positions
       (ingestor_id, tape_id, tape_position, updated_at, covered_until)
     values ($1, gen_random_uuid(), 0, now() - make_interval(secs => $2),
       now() - make_interval(secs => $2))
     on conflict (ingestor_id) do update
     set updated_at = excluded.updated_at, covered_until = excluded.covered_until`,
    [ingestor_id, age_s],
  )
  await pool.query('delete from marketdata.stream_offsets where ingestor_id = $1', [ingestor_id])
  for (const { symbol_id, channel = 'trades', began_s, last_event_s, deaf_cause } of streams) {
    await pool.query(
      `insert into marketdata.stream_offsets
         (ingestor_id, symbol_id, channel, last_id, ts_exchange, ts_ingest, began_ts, deaf_cause)
       values ($1, $2, $3, 7, now() - make_interval(secs => $4), now() - make_interval(secs => $4),
         now() - make_interval(secs => $5), $6)`,
      [ingestor_id, symbol_id, channel, last_event_s, began_s, deaf_cause ?? null],
    )
  }
}

const BUSY = { began_s: 900, last_event_s: 0 }

test('a stream that the new ingestor does not record, has lost, or has just begun is not covered', async () => {
  await write('old', [
    { symbol_id: 1, ...BUSY },
    { symbol_id: 2, ...BUSY },
  ])
  expect(await missingCoverage(pool, 'old', 'new')).toEqual([
    'new has written nothing to this database',
  ])
  await write('new', [{ symbol_id: 1, began_s: 5, last_event_s: 0, deaf_cause: 'silence' }])
  expect(await missingCoverage(pool, 'old', 'new')).toEqual([
    'trades of BTCUSDT: lost by the new ingestor (silence)',
    'trades of ETHUSDT: not recorded by the new ingestor',
  ])
  await write('new', [
    { symbol_id: 1, began_s: 5, last_event_s: 0 },
    { symbol_id: 2, began_s: 5, last_event_s: 0 },
  ])
  expect(await missingCoverage(pool, 'old', 'new')).toEqual([])
  await write(
    'new',
    [
      { symbol_id: 1, ...BUSY },
      { symbol_id: 2, ...BUSY },
    ],
    30,
  )
  expect(await missingCoverage(pool, 'old', 'new')).toEqual([
    'new is not up to date: it has committed nothing for seconds',
  ])
})

test('a quiet stream is covered once both have recorded it for a minute', async () => {
  const quiet = { symbol_id: 1, channel: 'liquidations', began_s: 900, last_event_s: 800 }
  await write('old', [quiet])
  await write('new', [{ ...quiet, began_s: 30, last_event_s: 30 }])
  expect(await missingCoverage(pool, 'old', 'new')).toEqual([
    'liquidations of BTCUSDT: recorded by both for too short a time',
  ])
  await write('new', [{ ...quiet, began_s: 70, last_event_s: 70 }])
  expect(await missingCoverage(pool, 'old', 'new')).toEqual([])
})

/** No wait is longer than a look. */
const options = (rest: Partial<HandoverOptions>): HandoverOptions => ({
  pool,
  from: 'old',
  to: 'new',
  brokenBooks: () => Promise.resolve([]),
  stop: () => Promise.resolve(),
  onWaiting: () => undefined,
  cover_limit_ms: 0,
  stop_limit_ms: 0,
  ...rest,
})

test('a handover that is not covered, or whose books are not in sequence, stops nothing', async () => {
  let stop_count = 0
  const stop = async (): Promise<void> => void stop_count++
  await write('old', [{ symbol_id: 1, ...BUSY }])
  await write('new', [])
  await expect(handOver(options({ stop }))).rejects.toMatchObject({
    code: 'handover_not_covered',
    message: expect.stringContaining('trades of BTCUSDT: not recorded by the new ingestor'),
  })
  await write('new', [{ symbol_id: 1, ...BUSY }])
  const brokenBooks = (): Promise<string[]> => Promise.resolve(['BTCUSDT'])
  await expect(handOver(options({ stop, brokenBooks }))).rejects.toMatchObject({
    message: expect.stringContaining('the book of BTCUSDT is not in sequence'),
  })
  await expect(handOver(options({ from: 'new' }))).rejects.toMatchObject({ code: 'same_ingestor' })
  await expect(handOver(options({ from: 'who' }))).rejects.toMatchObject({
    code: 'ingestor_unknown',
  })
  expect(stop_count).toBe(0)
})

test('the streams of an ingestor that left something on its tape are kept', async () => {
  await write('old', [
    { symbol_id: 1, ...BUSY },
    { symbol_id: 2, ...BUSY, deaf_cause: 'disconnect' },
  ])
  await write('new', [{ symbol_id: 1, ...BUSY }])
  const stopWith = (uncommitted_bytes: number) => async (): Promise<void> => {
    await pool.query(
      `insert into marketdata.ingestors (ingestor_id, exchange, host, pid, version, started_at,
         state, recording, revision, symbols_wanted, streams_wanted, streams_heard,
         uncommitted_bytes, seen_at)
       values ('old', 'binance-futures', 'here', 1, '0', now(), 'stopped', 'recording', 0, 1, 1, 0,
         $1, clock_timestamp())
       on conflict (ingestor_id) do update
       set uncommitted_bytes = excluded.uncommitted_bytes, seen_at = excluded.seen_at`,
      [uncommitted_bytes],
    )
  }
  await expect(handOver(options({}))).rejects.toMatchObject({
    code: 'handover_not_stopped',
    message: expect.stringContaining('did not report its end'),
  })
  await expect(handOver(options({ stop: stopWith(500) }))).rejects.toMatchObject({
    message: expect.stringContaining('500 bytes of its tape not committed'),
  })
  const streams = async (): Promise<readonly (string | null)[]> => {
    const { rows } = await pool.query<{ deaf_cause: string | null }>(
      `select deaf_cause from marketdata.stream_offsets where ingestor_id = 'old' order by symbol_id`,
    )
    return rows.map(({ deaf_cause }) => deaf_cause)
  }
  expect(await streams()).toEqual([null, 'disconnect'])
  const { stream_count } = await handOver(options({ stop: stopWith(0) }))
  expect(stream_count).toBe(1)
  // A stream that was lost keeps its open gap.
  expect(await streams()).toEqual(['disconnect'])
})
