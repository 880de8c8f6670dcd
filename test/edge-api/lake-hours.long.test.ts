/**
 * Every hour of the archive has the same rows in the lake, as icebird reads it, and in the API:
 * counts and checksums of all columns, before and after late rows, a rebuild, retention and expiry.
 * Times are compared in milliseconds, which is what icebird reads; DuckDB compares microseconds.
 */
import { createHash } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DuckDBInstance } from '@duckdb/node-api'
import { describe, expect, test } from 'vitest'
import { ARCHIVED_NAMES, type ArchivedTable, isDerived } from '#core/archived-tables.ts'
import type { ObjectStore } from '#core/node/object-store.ts'
import type { Pool } from '#core/node/pool.ts'
import { RAW_CHANNELS, type RawChannel } from '#core/tables.ts'
import { type Day, dayRange, HOUR_US, type Micros, micros, toIso } from '#core/time.ts'
import { createRandom } from '../../infra/exchange/sim/random.ts'
import { runArchive } from '../../jobs/archive/run-archive.ts'
import { expireTable } from '../../jobs/lake/expire.ts'
import { archivedLakeTable } from '../../jobs/lake/format/table.ts'
import { openPointer } from '../../jobs/lake/pointer.ts'
import { SnapshotFiles } from '../../jobs/lake/snapshot-files.ts'
import { dropPartition } from '../../jobs/retention/drop.ts'
import { selectPartitions } from '../../jobs/retention/partitions.ts'
import { runRollups } from '../../jobs/rollups/run-rollups.ts'
import { createTopnJob } from '../../jobs/topn/run-topn.ts'
import { insertListed, insertRows, LISTED, makeRows, type Row } from '../jobs/archive/rows.ts'
import { runLakeJob } from '../jobs/lake/commits.ts'
import { insertTape } from '../jobs/signals/market.ts'
import { startClockedEdge } from './clocked-edge.ts'
import type { Ask } from './contract.ts'
import { checksums, checksumsOfLake, rowsOfApi } from './lake-rows.ts'

const DAY = '2024-08-08' as Day
const { from: DAY_START } = dayRange(DAY)
const TAPE = { exchange: 'binance-futures', symbol: 'TAPEUSDT' }
const INSTRUMENTS = [...LISTED.map(([exchange, symbol]) => ({ exchange, symbol })), TAPE]
const DAYS_8_MS = 8 * 86_400_000

for (const seed of [1, 77, 23_757]) {
  describe(`seed ${seed}`, () => {
    testHours(seed)
  })
}

function testHours(seed: number): void {
  const random = createRandom(seed)
  const pick = (count: number): number => Math.floor(random() * count)
  // Some in the tape's two, some not; the last one is of the next day.
  const hours = [...new Set([3, 22, pick(22), pick(22), 24])]
    .toSorted((a, b) => a - b)
    .map((hour) => micros(DAY_START + hour * HOUR_US))
  // The book of the tape begins just before its first hour.
  const tape_hours = [21, 22, 23].map((hour) => DAY_START + hour * HOUR_US)
  const all_hours = [...new Set([...hours, ...tape_hours])]

  test('counts and checksums of every hour and column are equal', async () => {
    const { pool, store, clock, ask, work_dir, common, reported } =
      await startClockedEdge('2024-08-09T12:00:00Z')
    const { signal } = new AbortController()
    await insertListed(pool)
    for (const name of RAW_CHANNELS) {
      for (const hour of hours) {
        await insertRows(pool, name, randomRows(name, hour, 20 + pick(180), random))
      }
    }
    await insertTape(pool, TAPE.symbol, seed, toIso(micros(DAY_START + 22 * HOUR_US)), 65)
    const cadence = { min_us: 1_000_000, max_us: 10_000_000 }
    await createTopnJob({ ...common, cadence }).run(signal)
    await runRollups({ ...common, signal })
    const archive = (): Promise<unknown> =>
      runArchive({ ...common, store, codec: 'zstd', work_dir })
    await archive()
    await runLakeJob({ pool, store })

    const expectEqual = async (): Promise<void> => {
      for (const name of ARCHIVED_NAMES) {
        const in_lake = await checksumsOfLake(store, name)
        expect(in_lake.size, name).toBeGreaterThan(0)
        const in_api = checksums(name, await rowsOfApi(ask, name, INSTRUMENTS, all_hours))
        const archived = await archivedHours(pool, name)
        const hours_of_api = [...in_api].filter(([key]) => archived.has(key.slice(0, 13)))
        // A derived hour stays in Postgres until something comes after it.
        if (!isDerived(name)) expect(hours_of_api).toHaveLength(in_api.size)
        expect([name, Object.fromEntries(in_lake)]).toEqual([
          name,
          Object.fromEntries(hours_of_api),
        ])
      }
    }
    await expectEqual()
    const old = new Map<ArchivedTable, number>()
    const before = new Map<ArchivedTable, unknown>()
    for (const name of RAW_CHANNELS) {
      const id = await currentId({ pool, store }, name)
      old.set(name, id)
      before.set(name, await snapshotFacts({ pool, store }, name, id))
    }
    const expectOld = async (): Promise<void> => {
      for (const [name, id] of old) {
        expect(await snapshotFacts({ pool, store }, name, id)).toEqual(before.get(name))
      }
    }

    for (const name of RAW_CHANNELS) {
      const hour = hours[pick(hours.length)]!
      await insertRows(pool, name, randomRows(name, micros(hour + 1), 10 + pick(20), random, 1e6))
      await pool.query(
        `insert into marketdata.invalidations (consumer, table_name, symbol_id, lowest, greatest)
         select 'archive', $1, 1, $2, $3`,
        [name, toIso(hour), toIso(micros(hour + HOUR_US - 1))],
      )
    }
    await archive()
    const results = await runLakeJob({ pool, store })
    for (const name of RAW_CHANNELS) {
      const { snapshots, removed_files } = results.get(`raw.${name}`)!
      expect([name, snapshots.map(({ summary }) => summary['operation'])]).toEqual([
        name,
        ['overwrite'],
      ])
      expect(removed_files).toBeGreaterThan(0)
    }
    await expectEqual()
    await expectOld()

    await runLakeJob({ pool, store }, { which: 'all' })
    await expectEqual()
    await expectOld()

    for (const state of await selectPartitions(pool)) await dropPartition(pool, state)
    clock.now_ms += 60_000
    for (const name of ARCHIVED_NAMES) {
      const options = { pool, store, keep_ms: 0, log: common.log, signal }
      const now = (): number => Date.now() + DAYS_8_MS
      await expireTable({ ...options, now }, archivedLakeTable(name))
    }
    await expectEqual()
    for (const name of RAW_CHANNELS) await expectSameMicros({ pool, store, ask, work_dir }, name)
    for (const [name, id] of old) {
      await expect(checksumsOfLake(store, name, id)).rejects.toThrow(`${id} not found`)
    }
    expect(reported).toEqual([])
  })

  interface Services {
    readonly pool: Pool
    readonly store: ObjectStore
  }

  async function currentId(services: Services, name: ArchivedTable): Promise<number> {
    const pointer = await openPointer(services, archivedLakeTable(name))
    return (await pointer.current())!.metadata['current-snapshot-id']
  }

  /** What it means: its rows, and the bytes of its files. */
  async function snapshotFacts(services: Services, name: ArchivedTable, id: number) {
    const sums = Object.fromEntries(await checksumsOfLake(services.store, name, id))
    const hash = createHash('sha256')
    for (const key of await keysOf(services, name, id)) {
      hash.update(key).update((await services.store.get(key))!)
    }
    return { sums, files: hash.digest('hex') }
  }

  async function keysOf(
    services: Services,
    name: ArchivedTable,
    id?: number,
  ): Promise<readonly string[]> {
    const table = archivedLakeTable(name)
    const { metadata } = (await (await openPointer(services, table)).current())!
    const wanted = id ?? metadata['current-snapshot-id']
    const snapshots = metadata.snapshots.filter((one) => one['snapshot-id'] === wanted)
    const files = new SnapshotFiles(services.store, table)
    const paths = await files.pathsOf(snapshots)
    return [...paths].map((path) => files.keyOf(path)).toSorted()
  }

  /** Sums of the times, as DuckDB reads them in the files that the current snapshot lists. */
  async function expectSameMicros(
    {
      ask,
      work_dir,
      ...services
    }: Services & {
      readonly ask: Ask
      readonly work_dir: string
    },
    name: RawChannel,
  ): Promise<void> {
    const files: string[] = []
    for (const key of await keysOf(services, name)) {
      files.push(join(work_dir, key.replaceAll('/', '_')))
      await writeFile(files.at(-1)!, (await services.store.get(key))!)
    }
    const instance = await DuckDBInstance.create(':memory:')
    const connection = await instance.connect()
    const found = await connection.runAndReadAll(
      `select exchange, symbol, count(*)::int as n,
         sum(epoch_us(ts_exchange))::varchar as exchange_us,
         sum(epoch_us(ts_ingest))::varchar as ingest_us
       from read_parquet([${files.map((file) => `'${file}'`).join(', ')}])
       group by all order by all`,
    )
    const in_files = found.getRowObjectsJS()
    connection.closeSync()
    instance.closeSync()
    const rows = await rowsOfApi(ask, name, INSTRUMENTS, all_hours)
    const by_instrument = Map.groupBy(rows, ([one]) => `${one.exchange} ${one.symbol}`)
    const in_api = [...by_instrument.values()].map((some) => {
      const sum = (column: string): string =>
        String(some.reduce((total, [, row]) => total + microsOf(row[column]), 0n))
      const [exchange_us, ingest_us] = [sum('ts_exchange'), sum('ts_ingest')]
      return { ...some[0]![0], n: some.length, exchange_us, ingest_us }
    })
    const order = (sums: readonly object[]): readonly string[] =>
      sums.map((row) => JSON.stringify(row)).toSorted()
    expect([name, order(in_files)]).toEqual([name, order(in_api)])
  }
}

/** Such as 2024-08-08T13. */
async function archivedHours(pool: Pool, name: ArchivedTable): Promise<ReadonlySet<string>> {
  const { rows } = await pool.query<{ hour: Date }>(
    'select distinct hour from marketdata.archive where table_name = $1',
    [name],
  )
  return new Set(rows.map(({ hour }) => hour.toISOString().slice(0, 13)))
}

function microsOf(iso: unknown): bigint {
  const [, seconds, fraction = ''] = /^([^.]+?)(?:\.(\d+))?Z$/.exec(String(iso))!
  return BigInt(Date.parse(`${seconds}Z`)) * 1_000n + BigInt(fraction.padEnd(6, '0'))
}

/** Rows as in the archive's tests, with numbers of up to eight decimals that depend on the seed. */
function randomRows(
  name: RawChannel,
  hour: Micros,
  count: number,
  random: () => number,
  first_id = 0,
): readonly Row[] {
  const awkward = (value: number): number => {
    const scale = 10 ** Math.floor(random() * 9)
    return Math.round(value * (1 + random() / 7) * scale) / scale
  }
  return makeRows(name, count, hour).map((row) =>
    Object.fromEntries(
      Object.entries(row).map(([column, value]): [string, unknown] => {
        if (column === 'symbol_id') return [column, value]
        if (column.endsWith('_id'))
          return [column, value === null ? null : Number(value) + first_id]
        if (typeof value === 'number') return [column, awkward(value)]
        if (!Array.isArray(value)) return [column, value]
        const levels = value as readonly (readonly [number, number])[]
        return [column, levels.map(([price, qty]) => [awkward(price), awkward(qty)])]
      }),
    ),
  )
}
