/**
 * `npm run bench:lake`: what a commit to a table of the lake costs, as the table grows to
 * `--files` files (default 10,000): one commit with all but the last `--single`, then that many of
 * one file each, an hour apart, with an expiry each day; then `--late` new versions of old hours.
 * Prints requests, bytes and times.
 */
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { silentLogger } from '#core/node/log.ts'
import type { ObjectStore } from '#core/node/object-store.ts'
import { archiveKey } from '#core/object-keys.ts'
import { RAW_TABLES } from '#core/tables.ts'
import { dayOf, HOUR_US, micros } from '#core/time.ts'
import type { SymbolRows } from '../jobs/columns/columns.ts'
import { changesOfHours, type LakeHour } from '../jobs/lake/archived-hours.ts'
import { commitFiles } from '../jobs/lake/commit.ts'
import { expireTable } from '../jobs/lake/expire.ts'
import { archivedLakeTable } from '../jobs/lake/format/table.ts'
import { openPointer } from '../jobs/lake/pointer.ts'
import { SnapshotFiles } from '../jobs/lake/snapshot-files.ts'
import { createTableFile } from '../jobs/parquet/table-file.ts'
import { quantile } from './quantile.ts'
import { withServices } from './services.ts'

const { values } = parseArgs({
  options: {
    files: { type: 'string', default: '10000' },
    single: { type: 'string', default: '200' },
    late: { type: 'string', default: '50' },
  },
})
const [file_count, single_count] = [Number(values.files), Number(values.single)]
const late_count = Number(values.late)
const EXCHANGE = 'binance-futures'
const FIRST = micros(Date.parse('2024-01-01T00:00:00Z') * 1_000)
const KEEP_MS = 7 * 86_400_000
const HOUR_MS = 3_600_000
const table = archivedLakeTable('trades')
const signal = new AbortController().signal

await withServices(async ({ dir, pool, store: real }) => {
  const counts = { requests: 0, written_bytes: 0 }
  const store = counting(real, counts)
  const hours: LakeHour[] = []
  for (let i = 0; i < file_count; i++) hours.push(await makeHour(real, dir, i, 1))
  // Expiry deletes by the store's clock, so the commits are in the future.
  let now_ms = Date.now() + 365 * 86_400_000
  const commit = async (some: readonly LakeHour[]): Promise<number> => {
    const began_ms = performance.now()
    const options = { pool, store, table, now: () => now_ms, signal }
    await commitFiles({ ...options, changes: async () => changesOfHours({ store }, table, some) })
    return performance.now() - began_ms
  }
  const bulk_count = file_count - single_count
  const bulk_ms = await commit(hours.slice(0, bulk_count))
  print(`${bulk_count} files in one commit`, [bulk_ms], counts)
  const times: number[] = []
  for (const [i, hour] of hours.slice(bulk_count).entries()) {
    now_ms += HOUR_MS
    times.push(await commit([hour]))
    if ((i + 1) % 24 !== 0) continue
    const expiry = { pool, store: real, keep_ms: KEEP_MS, log: silentLogger, now: () => now_ms }
    await expireTable({ ...expiry, signal }, table)
  }
  print(`${single_count} commits of one file`, times, counts)
  const late_times: number[] = []
  for (let i = 0; i < late_count; i++) {
    const late = await makeHour(real, dir, Math.floor((i * bulk_count) / late_count), 2)
    now_ms += HOUR_MS
    late_times.push(await commit([late]))
  }
  if (late_count > 0) print(`${late_count} new versions of old hours`, late_times, counts)
  const { metadata } = (await (await openPointer({ pool, store }, table)).current())!
  const files = new SnapshotFiles(real, table)
  const manifests = await files.currentManifests(metadata)
  const list_path = metadata.snapshots.at(-1)!['manifest-list']
  const list_bytes = (await real.get(files.keyOf(list_path)))!.length
  process.stdout.write(
    `metadata.json ${JSON.stringify(metadata).length} bytes, ${metadata.snapshots.length} ` +
      `snapshots; manifest list ${list_bytes} bytes, ${manifests.length} manifests of ` +
      `${manifests.reduce((sum, one) => sum + one.manifest_length, 0)} bytes\n`,
  )
})

function counting(
  store: ObjectStore,
  counts: { requests: number; written_bytes: number },
): ObjectStore {
  const sized = (body: Uint8Array | string): void => {
    counts.requests++
    counts.written_bytes += Buffer.byteLength(body)
  }
  return {
    ...store,
    get: (key) => (counts.requests++, store.get(key)),
    readRange: (key, from, to) => (counts.requests++, store.readRange(key, from, to)),
    put: (key, body, type) => (sized(body), store.put(key, body, type)),
    putIfAbsent: (key, body, type) => (sized(body), store.putIfAbsent(key, body, type)),
    delete: (key) => (counts.requests++, store.delete(key)),
  }
}

function print(
  what: string,
  times_ms: readonly number[],
  counts: { requests: number; written_bytes: number },
): void {
  const sorted = times_ms.toSorted((a, b) => a - b)
  const [p50, p95] = [0.5, 0.95].map((share) => quantile(sorted, share).toFixed(0))
  const each = (sum: number): string => (sum / times_ms.length).toFixed(0)
  process.stdout.write(
    `${what}: p50 ${p50} ms, p95 ${p95} ms, ${each(counts.requests)} requests and ` +
      `${each(counts.written_bytes)} bytes written each\n`,
  )
  counts.requests = 0
  counts.written_bytes = 0
}

/** A file with one trade. */
async function makeHour(
  store: ObjectStore,
  dir: string,
  i: number,
  version: number,
): Promise<LakeHour> {
  const hour = micros(FIRST + i * HOUR_US)
  const path = join(dir, 'hour.parquet')
  const shape = RAW_TABLES.trades
  const file = await createTableFile({
    path,
    table: shape,
    codec: 'zstd',
    exchange: EXCHANGE,
    facts: {},
  })
  await file.writeGroup('BTCUSDT', oneTrade(hour, i), { from: 0, to: 1 })
  await file.finish()
  await file.close()
  const object_key = archiveKey('trades', EXCHANGE, dayOf(hour), i % 24, version)
  await store.putFile(object_key, path, 'application/vnd.apache.parquet')
  const { size } = await stat(path)
  return { exchange: EXCHANGE, hour, version, object_key, byte_count: size }
}

function oneTrade(ts: number, id: number): SymbolRows {
  const numbers = [ts, ts + 5_000, id, 60_000, 0.5, 0.5, id, id].map((value) => ({
    kind: 'numbers' as const,
    values: Float64Array.of(value),
    nulls: undefined,
  }))
  return { row_count: 1, columns: [...numbers, { kind: 'flags', values: Uint8Array.of(1) }] }
}
