/**
 * The files beside the tape, without an ingestor: what they hold after crashes, edits and years.
 */
import { appendFileSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { randomUUID } from 'node:crypto'
import { expect, test } from 'vitest'
import { silentLogger } from '#core/node/log.ts'
import {
  type AuditEntry,
  openAuditLog,
  readNewestEntry,
} from '../../../ingestor/control/audit-log.ts'
import {
  desiredBy,
  environmentOf,
  readStartingPoint,
  writeDesired,
} from '../../../ingestor/control/desired.ts'
import { fromWire, toWire } from '../../../ingestor/control/wire.ts'
import type { DesiredState } from '../../../ingestor/desired-state.ts'
import { openUnchangedBook, UNCHANGED_MAX } from '../../../ingestor/control/unchanged.ts'
import { temporaryDirectory } from '../writer/support.ts'

const ENVIRONMENT: DesiredState = {
  recording: 'recording',
  symbols: ['BTCUSDT'],
  channels: ['book_ticker', 'trades'],
  depth: { kind: 'tier', tier: 1 },
}

function entry(revision: number, after: DesiredState, key?: string): AuditEntry {
  return {
    audit_id: randomUUID(),
    at: '2026-11-28T12:00:00.000Z',
    program: 'ingestor',
    instance: 'local',
    actor: 'local',
    origin: 'unix socket',
    action: 'scale',
    request: { count: 3 },
    revision,
    before: toWire(ENVIRONMENT),
    after: toWire(after),
    result: null,
    ...(key === undefined ? {} : { idempotency_key: key, fingerprint: 'f' }),
  }
}

const start = (dir: string, environment = ENVIRONMENT) =>
  readStartingPoint(dir, environment, silentLogger)

test('every wish is the same after its way through a file', () => {
  for (const wanted of [
    ENVIRONMENT,
    { ...ENVIRONMENT, recording: 'paused', symbols: 'all', depth: { kind: 'all' } },
    { ...ENVIRONMENT, symbols: { count: 50 }, depth: { kind: 'busiest', count: 7 } },
    { ...ENVIRONMENT, symbols: { tier: 2 }, depth: { kind: 'named', symbols: ['BTCUSDT'] } },
  ] as const) {
    expect(fromWire(JSON.parse(JSON.stringify(toWire(wanted))))).toEqual(wanted)
  }
})

test('without a file the environment says what is wanted', () => {
  const dir = temporaryDirectory()
  expect(start(dir)).toEqual({
    wanted: ENVIRONMENT,
    is_kept: false,
    is_steered: false,
    stored: undefined,
    is_file_behind: false,
    overridden: [],
  })
})

test('the last word wins, setting by setting', () => {
  const dir = temporaryDirectory()
  const changed: DesiredState = {
    ...ENVIRONMENT,
    recording: 'paused',
    symbols: { count: 50 },
    channels: ['trades'],
  }
  writeDesired(dir, desiredBy(entry(1, changed), environmentOf(ENVIRONMENT)))
  expect(start(dir)).toMatchObject({ wanted: changed, is_kept: true, overridden: [] })
  const later: DesiredState = { ...ENVIRONMENT, symbols: 'all' }
  expect(start(dir, later)).toMatchObject({
    wanted: { ...changed, symbols: 'all' },
    is_kept: false,
    overridden: ['symbols'],
  })
})

test('a state file that is behind the log, or cannot be read, gives way to the log', () => {
  const dir = temporaryDirectory()
  const log = openAuditLog(dir)
  const [first, second] = [
    { ...ENVIRONMENT, symbols: { count: 1 } },
    { ...ENVIRONMENT, symbols: { count: 2 } },
  ]
  log.append(entry(1, first))
  writeDesired(dir, desiredBy(entry(1, first), environmentOf(ENVIRONMENT)))
  expect(start(dir)).toMatchObject({ wanted: first, is_file_behind: false })
  log.append(entry(2, second))
  expect(start(dir)).toMatchObject({
    wanted: second,
    is_file_behind: true,
    stored: { revision: 2 },
  })
  for (const text of ['', '{"version":1', '{"version":2}', '[]']) {
    writeFileSync(join(dir, 'desired-state.json'), text)
    expect(start(dir), text).toMatchObject({ wanted: second, is_file_behind: true })
  }
  log.close()
})

test('a torn or foreign line is none, and what comes after it is whole', () => {
  const dir = temporaryDirectory()
  const file = join(dir, 'audit.ndjson')
  let log = openAuditLog(dir)
  log.append(entry(1, ENVIRONMENT))
  log.close()
  appendFileSync(file, '{"by":"another build"}\nnot json\n{"audit_id":"torn')
  expect(readNewestEntry(dir)?.revision).toBe(1)
  expect(readFileSync(file, 'utf8')).toContain('torn')
  log = openAuditLog(dir)
  log.append(entry(2, ENVIRONMENT))
  expect(log.entries().map(({ revision }) => revision)).toEqual([1, 2])
  log.close()
  const lines = readFileSync(file, 'utf8').split('\n')
  expect(lines).toHaveLength(5)
  expect(JSON.parse(lines[3]!).revision).toBe(2)
})

test('of a long log the newest thousand are at hand, and their keys', () => {
  const dir = temporaryDirectory()
  const file = join(dir, 'audit.ndjson')
  const padded = {
    ...ENVIRONMENT,
    symbols: Array.from({ length: 300 }, (_, at) => `S${at}PADDINGUSDT`),
  }
  const lines = Array.from({ length: 1_200 }, (_, at) =>
    JSON.stringify(entry(at + 1, padded, `key-${at + 1}`)),
  )
  writeFileSync(file, `${lines.join('\n')}\n`)
  const log = openAuditLog(dir)
  const revisions = log.entries().map(({ revision }) => revision)
  expect(revisions.at(-1)).toBe(1_200)
  expect(revisions).toEqual(revisions.map((_, at) => revisions[0]! + at))
  expect(revisions.length).toBeGreaterThan(500)
  expect(revisions.length).toBeLessThanOrEqual(1_000)
  expect(log.byKey('key-1200')?.revision).toBe(1_200)
  expect(log.byKey('key-1')).toBeUndefined()
  for (let at = 1_201; at <= 2_300; at++) log.append(entry(at, ENVIRONMENT, `key-${at}`))
  expect(log.entries()).toHaveLength(1_000)
  expect(log.byKey('key-1200')).toBeUndefined()
  expect(log.byKey('key-2300')?.revision).toBe(2_300)
  log.close()
})

test('of the requests that changed nothing the newest hundred are remembered over a restart', () => {
  const dir = temporaryDirectory()
  const result = {
    symbols_added: [],
    symbols_removed: [],
    symbols_added_count: 0,
    symbols_removed_count: 0,
    streams_added_count: 0,
    streams_removed_count: 0,
    streams_kept_count: 6,
    rest_weight: 0,
    duration_s: 0,
  }
  const answer = (at: number) => ({
    idempotency_key: `key-${at}`,
    fingerprint: 'f',
    revision: at,
    wanted: toWire(ENVIRONMENT),
    result,
  })
  let book = openUnchangedBook(dir, silentLogger)
  for (let at = 0; at <= UNCHANGED_MAX; at++) book.remember(answer(at))
  book = openUnchangedBook(dir, silentLogger)
  expect(book.byKey('key-0')).toBeUndefined()
  expect(book.byKey('key-1')).toEqual(answer(1))
  expect(book.byKey(`key-${UNCHANGED_MAX}`)).toEqual(answer(UNCHANGED_MAX))
  writeFileSync(join(dir, 'unchanged.json'), '[{"idempotency_key":"torn')
  book = openUnchangedBook(dir, silentLogger)
  expect(book.byKey('key-1')).toBeUndefined()
  book.remember(answer(7))
  expect(openUnchangedBook(dir, silentLogger).byKey('key-7')).toEqual(answer(7))
})
