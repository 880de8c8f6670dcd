/** Which partitions are dropped and which stay, without a database. */
import { expect, test } from 'vitest'
import { DAY_US, HOUR_US, micros } from '#core/time.ts'
import { type PartitionState, planRetention } from '../../../jobs/retention/retention-plan.ts'
import { parseRetentionSettings, type RetentionSettings } from '../../../jobs/retention/settings.ts'

const NOW = micros(Date.parse('2026-03-31T12:00:00Z') * 1_000)
const GENEROUS: RetentionSettings = {
  budget_bytes: 0,
  days: { raw: 30, depth: 7, rollups: 180 },
  clusters_days: 0,
  settle_us: HOUR_US,
}

function hour(hours_ago: number, change: Partial<PartitionState> = {}): PartitionState {
  const from = micros(NOW - hours_ago * HOUR_US)
  const table_name = change.table_name ?? 'trades'
  return {
    table_name,
    partition: `${table_name}_${hours_ago}`,
    kind: 'raw',
    from,
    to: micros(from + HOUR_US),
    byte_count: 100,
    is_empty: false,
    made_from: undefined,
    is_archived: true,
    is_remainder: false,
    has_late_rows: false,
    is_ahead_of_rollup: false,
    is_ahead_of_topn: false,
    ...change,
  }
}

function fates(states: readonly PartitionState[], settings = GENEROUS): readonly string[] {
  return planRetention(states, settings, NOW).partitions.map(
    ({ state, fate }) => `${state.partition} ${fate.kind} ${fate.reason}`,
  )
}

const DAYS_31 = 31 * 24
const topn = (hours_ago: number, change: Partial<PartitionState> = {}): PartitionState =>
  hour(hours_ago, {
    table_name: 'orderbook_topn',
    kind: 'depth',
    made_from: ['depth_events'],
    ...change,
  })

for (const [name, state, expected] of [
  ['an old archived hour is dropped', hour(DAYS_31), 'drop age'],
  ['an hour within its days stays', hour(29 * 24), 'keep within_limits'],
  ['the last instant of the last day counts', hour(30 * 24 + 0.5), 'keep within_limits'],
  ['depth has fewer days', hour(8 * 24, { kind: 'depth' }), 'drop age'],
  [
    'an old hour that is not archived stays',
    hour(DAYS_31, { is_archived: false }),
    'keep not_archived',
  ],
  ['an old hour with late rows stays', hour(DAYS_31, { has_late_rows: true }), 'keep late_rows'],
  [
    'an old hour that a rollup has not seen stays',
    hour(DAYS_31, { is_ahead_of_rollup: true }),
    'keep rollup_behind',
  ],
  [
    'old depth that orderbook_topn has not read stays',
    hour(DAYS_31, { kind: 'depth', is_ahead_of_topn: true }),
    'keep topn_behind',
  ],
  [
    'an empty hour is dropped without an archive',
    hour(5, { is_archived: false, is_empty: true }),
    'drop empty',
  ],
  [
    'an empty hour that just ended may still get rows',
    hour(1.5, { is_archived: false, is_empty: true }),
    'keep not_over',
  ],
  [
    'a remainder of a dropped hour is dropped once it is archived',
    hour(5, { is_remainder: true }),
    'drop remainder',
  ],
  [
    'a remainder with rows that are not archived stays',
    hour(5, { is_remainder: true, has_late_rows: true }),
    'keep late_rows',
  ],
  ['the current hour stays', hour(0.5, { byte_count: 1e12 }), 'keep not_over'],
  ['a table derived from archived rows is dropped by age', topn(8 * 24), 'drop age'],
  [
    'a rollup has days of its own',
    hour(200 * 24, { kind: 'rollups', made_from: ['trades'] }),
    'drop age',
  ],
  [
    'a rollup that is not archived stays',
    hour(200 * 24, { kind: 'rollups', made_from: ['trades'], is_archived: false }),
    'keep not_archived',
  ],
] as const) {
  test(name, () => {
    expect(fates([state])).toEqual([`${state.partition} ${expected}`])
  })
}

test('a derived table stays while raw rows of its span wait for the archive', () => {
  const waiting = hour(8 * 24, { table_name: 'depth_events', kind: 'depth', is_archived: false })
  const next = topn(8 * 24 - 1)
  expect(fates([waiting, topn(8 * 24), next])).toEqual([
    `depth_events_${8 * 24} keep not_archived`,
    `orderbook_topn_${8 * 24} keep source_stays`,
    `orderbook_topn_${8 * 24 - 1} drop age`,
  ])
})

test('a rollup stays while any of its sources has to stay', () => {
  const depth = hour(8 * 24, { table_name: 'depth_events', kind: 'depth' })
  const books = topn(8 * 24, { has_late_rows: true })
  const rollup = hour(200 * 24, {
    table_name: 'depth_1s',
    kind: 'rollups',
    made_from: ['depth_events', 'orderbook_topn'],
    to: micros(NOW - 7 * DAY_US),
  })
  const fate = (states: readonly PartitionState[]) =>
    fates(states).find((line) => line.startsWith('depth_1s'))
  expect(fate([rollup, depth, books])).toBe(`depth_1s_${200 * 24} keep source_stays`)
  expect(fate([rollup, { ...depth, is_ahead_of_topn: true }])).toBe(
    `depth_1s_${200 * 24} keep source_stays`,
  )
  expect(fate([{ ...rollup, to: micros(NOW - 199 * DAY_US) }, depth, books])).toBe(
    `depth_1s_${200 * 24} drop age`,
  )
})

test('over the budget, the oldest hours are dropped until the rest fits; hours that must stay are skipped', () => {
  const budget = { ...GENEROUS, budget_bytes: 250 }
  const states = [hour(3), hour(6), hour(5, { is_archived: false }), hour(4), hour(7)]
  expect(fates(states, budget)).toEqual([
    'trades_7 drop budget',
    'trades_6 drop budget',
    'trades_5 keep not_archived',
    'trades_4 drop budget',
    'trades_3 keep within_limits',
  ])
})

test('partitions dropped by age count towards the budget; days of rollups are not part of it', () => {
  const budget = { ...GENEROUS, budget_bytes: 250 }
  const rollup = hour(300, {
    table_name: 'bt_1s',
    kind: 'rollups',
    made_from: ['book_ticker'],
    byte_count: 1e9,
    to: micros(NOW - 276 * HOUR_US),
  })
  expect(fates([hour(DAYS_31), rollup, hour(4), hour(3)], budget)).toEqual([
    `trades_${DAYS_31} drop age`,
    'bt_1s_300 keep within_limits',
    'trades_4 keep within_limits',
    'trades_3 keep within_limits',
  ])
})

test('hours of rollups count, and are dropped if they are archived', () => {
  const budget = { ...GENEROUS, budget_bytes: 250 }
  const rollup = (hours_ago: number, is_archived: boolean) =>
    hour(hours_ago, {
      table_name: 'bt_1s',
      kind: 'rollups',
      made_from: ['book_ticker'],
      is_archived,
    })
  expect(fates([rollup(6, false), rollup(5, true), hour(4), hour(3)], budget)).toEqual([
    'bt_1s_6 keep not_archived',
    'bt_1s_5 drop budget',
    'trades_4 drop budget',
    'trades_3 keep within_limits',
  ])
})

test('an hour can be dropped as soon as it has settled', () => {
  const soon = { ...GENEROUS, budget_bytes: 1, settle_us: 0.1 * HOUR_US }
  expect(fates([hour(1.05), hour(1.15)], soon)).toEqual([
    'trades_1.15 drop budget',
    'trades_1.05 keep not_over',
  ])
  expect(parseRetentionSettings({ ARCHIVE_DELAY_S: '120' }).settle_us).toBe(120_000_000)
})

test('0 days and a budget of 0 keep everything except empty partitions', () => {
  const none = parseRetentionSettings({
    RAW_DISK_BUDGET_GB: '0',
    RETENTION_DAYS_RAW: '0',
    RETENTION_DAYS_DEPTH: '0',
  })
  expect(fates([hour(1e4), hour(9_000, { is_empty: true, is_archived: false })], none)).toEqual([
    'trades_10000 keep within_limits',
    'trades_9000 drop empty',
  ])
})

test('all wrong settings are reported together', () => {
  expect(() =>
    parseRetentionSettings({
      RAW_DISK_BUDGET_GB: '-1',
      RETENTION_DAYS_RAW: '7.5',
      RETENTION_DAYS_ROLLUPS: 'x',
    }),
  ).toThrow(
    /RAW_DISK_BUDGET_GB is '-1'.*RETENTION_DAYS_RAW is '7.5'.*RETENTION_DAYS_ROLLUPS is 'x'/,
  )
})

test('units: days of 86 400 s, and a budget in gigabytes', () => {
  const { budget_bytes, days } = parseRetentionSettings({ RAW_DISK_BUDGET_GB: '0.5' })
  expect({ budget_bytes, days }).toEqual({
    budget_bytes: 5e8,
    days: { raw: 30, depth: 7, rollups: 180 },
  })
  expect(planRetention([hour(3), hour(2)], GENEROUS, NOW).used_bytes).toBe(200)
  expect(DAY_US).toBe(86_400_000_000)
})
