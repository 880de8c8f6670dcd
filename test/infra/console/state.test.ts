/** What is usual, and what is said: tables of cases without a clock. */
import { describe, expect, test } from 'vitest'
import type { StreamView } from '../../../ingestor/control/view.ts'
import { createHistory } from '../../../infra/console/state/history.ts'
import { createPaceBook } from '../../../infra/console/state/pace.ts'
import {
  type Facts,
  findTroubles,
  sentenceOf,
  whyUnheard,
} from '../../../infra/console/state/troubles.ts'
import type { HistoryPoint, IngestorView } from '../../../infra/console/wire.ts'
import { bytes, counted, duration, listed } from '../../../infra/console/state/words.ts'
import { type Check, CHECKS, type Report, type ReportedFinding } from '#core/validation.ts'
import { nextRuns } from '../../../jobs/schedule/crontab.ts'

const stream = (frame_count: number, silent_ms: number | null): StreamView => ({
  symbol: 'BTCUSDT',
  channel: 'trades',
  stream: 'btcusdt@aggTrade',
  is_heard: true,
  frame_count,
  last_frame_at: null,
  silent_ms,
  last_event_at: null,
  delay_ms: null,
  lost: null,
  refusal: null,
  is_book_in_sequence: null,
})

describe('pace', () => {
  const STEP_MS = 1_500

  /** Frames at these times [ms], looked at every STEP_MS until `to_ms`. */
  function paceAt(times: readonly number[], to_ms: number): string {
    const book = createPaceBook()
    let pace = ''
    for (let now = STEP_MS; now <= to_ms; now += STEP_MS) {
      const past = times.filter((at) => at <= now)
      const last = past.at(-1)
      pace = book.judge(
        's',
        stream(past.length, last === undefined ? null : now - last),
        now,
        now / 1_000,
      ).pace
    }
    return pace
  }
  const every = (ms: number, to_ms: number): readonly number[] =>
    Array.from({ length: Math.floor(to_ms / ms) }, (_, i) => (i + 1) * ms)
  const bursts = (to_ms: number): readonly number[] =>
    every(30_000, to_ms).flatMap((at) => Array.from({ length: 30 }, (_, i) => at + i))

  for (const [name, times, to_ms, expected] of [
    ['ten a second', every(100, 60_000), 60_000, 'ok'],
    ['ten a second, then nothing for 3 s', every(100, 60_000), 63_000, 'silent'],
    ['one a second, then nothing for 3 s', every(1_000, 60_000), 63_000, 'ok'],
    ['one a second, then nothing for 30 s', every(1_000, 60_000), 90_000, 'silent'],
    ['bursts every 30 s, 60 s after the last', bursts(300_000), 360_000, 'late'],
    ['bursts every 30 s, 120 s after the last', bursts(300_000), 420_000, 'silent'],
    ['three frames in all', [1, 2, 3], 300_000, 'new'],
    ['no frame', [], 300_000, 'new'],
  ] as const) {
    test(name, () => expect(paceAt(times, to_ms)).toBe(expected))
  }

  test('a long silence stays one while it lasts, and is no measure afterwards', () => {
    const before = every(100, 60_000)
    expect(paceAt(before, 600_000)).toBe('silent')
    const after = every(100, 60_000).map((at) => at + 600_000)
    expect(paceAt([...before, ...after], 690_000)).toBe('silent')
  })
})

const up = { is_up: true, since: '2026-11-28T00:00:00.000Z', error: null }
const far: IngestorView = {
  ingestor_id: 'far',
  exchange: 'deribit',
  host: 'b',
  version: '1',
  endpoint: 'unix:/x',
  reach: 'elsewhere',
  error: null,
  seen_s: 3,
  status: null,
  answered_at: null,
}
const finding = (check: Check, sentence: string): ReportedFinding => ({
  check,
  code: 'x',
  table_name: null,
  symbols: [],
  symbol_count: 0,
  sentence,
})
const report: Report = {
  checked_at: '2026-11-28T13:50:01.919000Z',
  looked_at: Object.fromEntries(CHECKS.map((check) => [check, ''])) as Report['looked_at'],
  row_count: 0,
  findings: [
    finding('frequency', 'One minute is empty.'),
    finding('books', 'A change is missing.'),
    finding('clock', 'The clock is ahead.'),
  ],
}
const facts: Facts = {
  ingestors: [],
  streams: undefined,
  totals: undefined,
  recent: new Map(),
  database: up,
  store: up,
  disk: undefined,
  failed: [],
  report: undefined,
  are_checks_late: false,
}

describe('troubles', () => {
  for (const [name, change, sentence] of [
    [
      'nobody records',
      {},
      'No ingestor has reported itself in the last week: nothing is recorded.',
    ],
    [
      'Postgres does not answer',
      { database: { ...up, is_up: false, error: 'connect ECONNREFUSED' } },
      'Postgres does not answer (connect ECONNREFUSED).',
    ],
    [
      'the disk is over its budget',
      {
        ingestors: [far],
        disk: {
          database_bytes: 3e9,
          used_bytes: 2.5e9,
          budget_bytes: 2e9,
          bytes_per_hour: 1e8,
          budget_in_s: null,
          measured_at: up.since,
        },
      },
      'Postgres holds 2.50 GB of hourly data, over its budget of 2.00 GB: retention cannot drop enough.',
    ],
    [
      'the validation found something',
      { ingestors: [far], report },
      'Validation at 13:50 UTC found: A change is missing, and 1 other finding.',
    ],
    [
      'the validation does not run',
      { ingestors: [far], report, are_checks_late: true },
      'The data was last checked at 13:50 UTC: the jobs daemon does not run its checks.',
    ],
  ] as const) {
    test(name, () => {
      const found: Facts = { ...facts, ...change }
      expect(sentenceOf(findTroubles(found), found)).toBe(sentence)
    })
  }

  test('a gap from before the disconnection is not the reason for it', () => {
    expect(whyUnheard(['rejected', 'disconnect', 'sequence', 'disconnect'])).toEqual(['disconnect'])
    expect(whyUnheard(['rejected', null])).toEqual(['not connected'])
  })

  test('the worst comes first', () => {
    const found = findTroubles({
      ...facts,
      store: { ...up, is_up: false, error: 'refused' },
      database: { ...up, is_up: false, error: 'refused' },
    })
    expect(found.map(({ level, code }) => [level, code])).toEqual([
      ['bad', 'postgres_away'],
      ['warn', 'store_away'],
    ])
  })
})

test('the last hour survives a restart, and an hour without Postgres', async () => {
  const stored = new Map<number, HistoryPoint>()
  let is_away = false
  const store = {
    load: async () => [...stored.values()],
    async save(points: readonly HistoryPoint[]) {
      if (is_away) throw new Error('away')
      for (const point of points) stored.set(point[0], point)
    },
  }
  const pointAt = (at_s: number): HistoryPoint => [at_s, 1, 2, 34, null]
  const first = createHistory()
  for (let i = 0; i < 10; i++) first.add(pointAt(5 * i))
  await first.sync(store)
  is_away = true
  for (let i = 10; i < 20; i++) first.add(pointAt(5 * i))
  await expect(first.sync(store)).rejects.toThrow('away')
  expect(stored.size).toBe(10)
  is_away = false
  await first.sync(store)
  expect([...stored.keys()]).toEqual(first.points.map(([at_s]) => at_s))
  const second = createHistory()
  second.add(pointAt(200))
  await second.sync(store)
  expect(second.points).toEqual([...first.points, pointAt(200)])
  for (let i = 0; i < 720; i++) second.add(pointAt(205 + 5 * i))
  expect(second.points).toHaveLength(720)
})

test('figures in words', () => {
  expect([0.034, 4.24, 75, 600, 9_000, 100_000, 400_000].map(duration)).toEqual([
    '34 ms',
    '4.2 s',
    '75 s',
    '10 min',
    '2 h 30 min',
    '27 h',
    '5 days',
  ])
  expect([0, 999, 1_500, 99_950, 8.59e9].map(bytes)).toEqual([
    '0 B',
    '999 B',
    '1.50 kB',
    '100 kB',
    '8.59 GB',
  ])
  expect([counted(1, 'gap'), counted(0, 'gap'), counted(1_200, 'gap')]).toEqual([
    '1 gap',
    '0 gaps',
    '1,200 gaps',
  ])
  expect([
    listed(['a']),
    listed(['a', 'b']),
    listed(['a', 'b', 'c', 'd']),
    listed(['a', 'b', 'c', 'd', 'e']),
  ]).toEqual(['a', 'a and b', 'a, b, c and d', 'a, b, c and 2 more'])
})

test('the next run of each job is the next minute of its crontab', () => {
  const at = Date.parse('2026-11-28T23:58:30Z')
  const next = Object.fromEntries(
    nextRuns(at).map(({ job, next_ms }) => [job, new Date(next_ms).toISOString().slice(5, 16)]),
  )
  expect(next).toEqual({
    backup: '11-29T00:07',
    features: '11-29T00:10',
    datasets: '11-29T00:10',
    stale_days: '11-29T00:10',
    replaced_builds: '11-29T00:20',
    archive: '11-29T00:03',
    lake: '11-29T00:00',
    lake_expiry: '11-29T02:40',
    retention: '11-28T23:59',
    validation: '11-29T00:00',
    index_prices: '11-28T23:59',
  })
})
