/**
 * Days of every dataset have the same rows in the lake, as icebird reads it, in their files, as
 * DuckDB reads them, and in the API where it has the dataset; before and after late rows.
 */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DuckDBInstance } from '@duckdb/node-api'
import { expect, test } from 'vitest'
import type { Manifest } from '#core/dataset.ts'
import { datasetFileKey } from '#core/object-keys.ts'
import { type Day, dayRange, type Micros, micros, parseDay, SECOND_US, toIso } from '#core/time.ts'
import { PUBLISHED } from '../../jobs/datasets/published.ts'
import { runDatasets } from '../../jobs/datasets/run-datasets.ts'
import { runFacts } from '../../jobs/datasets/run-facts.ts'
import { runFeatures } from '../../jobs/datasets/run-features.ts'
import { datasetTableName } from '../../jobs/lake/format/table.ts'
import { runLakeJob } from '../jobs/lake/commits.ts'
import { readMetadata, readTable } from '../jobs/lake/icebird.ts'
import { insertQuotes, insertTrades, type QuoteRow } from '../jobs/market.ts'
import { insertTape } from '../jobs/signals/market.ts'
import { insertFactDay, noteFactFile } from '../support/facts.ts'
import { readManifest } from '../support/published.ts'
import { startClockedEdge } from './clocked-edge.ts'
import { allPages, columnSums, millis, type PlainRow } from './lake-rows.ts'

/** Bars, features and lob_10 of a day use what the day before left. */
const DAYS = ['2024-08-07', '2024-08-08'].map((date) => parseDay(date)!)
const SYMBOL = 'TAPEUSDT'
const MINUTES = 40
/** Of the last day, which has a row for every second of it. */
const SPAN = 'from=2024-08-08T23:10:00Z&to=2024-08-09T00:00:01Z'
const SPAN_MS = Date.parse('2024-08-08T23:10:00Z')

/** The API's routes that answer with a dataset's rows. */
const ROUTES: Readonly<Record<string, string>> = {
  ...Object.fromEntries(
    ['features_1s', 'labels_1s'].map((name) => [name, `/v1/features/${SYMBOL}?dataset=${name}`]),
  ),
  signals: `/v1/signals/${SYMBOL}?exchange=binance-futures`,
  klines: `/v1/klines/${SYMBOL}?exchange=binance-futures`,
  open_interest: `/v1/open-interest/${SYMBOL}?exchange=binance-futures`,
}

for (const seed of [3, 90_210]) {
  test(`seed ${seed}: rows and checksums of every dataset are equal`, async () => {
    const { pool, store, clock, ask, work_dir, common } =
      await startClockedEdge('2024-08-09T12:00:00Z')
    for (const [i, day] of DAYS.entries()) {
      await insertTape(pool, SYMBOL, seed + i, toIso(firstOf(day)), MINUTES)
      await insertQuotes(pool, quotesOf(day, seed + i))
    }
    const { rows: symbols } = await pool.query<{ id: string }>('select id from marketdata.symbols')
    const symbol_id = Number(symbols[0]!.id)
    for (const day of DAYS) await insertFactDay(pool, symbol_id, day)
    const publish = async (): Promise<void> => {
      clock.now_ms += 60_000
      for (const date of DAYS) {
        const of_day = { ...common, store, date, work_dir }
        // Ten times as many rows: only of the first day, which begins with the tape.
        const symbols_100ms = date === DAYS[0] ? [SYMBOL] : []
        await runFeatures({ ...of_day, thread_count: 0, symbols_100ms, with_f32: true })
        await runFacts({ ...of_day, which: 'changed' })
        await runDatasets({ ...of_day, lob_symbols: [SYMBOL], depth_symbols: [SYMBOL] })
      }
      clock.now_ms += 1_000
      await runLakeJob({ pool, store }, { datasets: PUBLISHED, now: common.now })
    }

    const duckdb = await DuckDBInstance.create(':memory:')
    const connection = await duckdb.connect()
    const rowsOfFile = async (manifest: Manifest): Promise<readonly PlainRow[]> => {
      const name = `${manifest.dataset}.parquet`
      const path = join(work_dir, name)
      const key = datasetFileKey(manifest, manifest.date as Day, name)
      await writeFile(path, (await store.get(key))!)
      const found = await connection.runAndReadAll(`select * from read_parquet('${path}')`)
      return found.getRowObjectsJS()
    }
    const sumsOf = async (table: string, snapshot_id: number): Promise<object> => {
      const rows = await readTable(store, table, snapshot_id)
      return columnSums(Object.keys(rows[0]!), rows)
    }
    const expectEqual = async (): Promise<void> => {
      for (const set of PUBLISHED.sets) {
        const { dataset, schema_version } = set
        const found = await Promise.all(
          DAYS.map((day) => readManifest(store, dataset, schema_version, day)),
        )
        const manifests = found.filter((manifest) => manifest !== undefined)
        const in_files: PlainRow[] = []
        for (const manifest of manifests) {
          if (manifest.row_count > 0) {
            for (const row of await rowsOfFile(manifest)) in_files.push(row)
          }
        }
        expect(in_files.length, dataset).toBeGreaterThan(0)
        const names = manifests[0]!.columns.map(({ name }) => name)
        const in_lake = await readTable(store, tableOf(set))
        const sums = columnSums(names, in_lake)
        expect([dataset, sums]).toEqual([dataset, columnSums(names, in_files)])
        const route = ROUTES[dataset]
        if (route === undefined) continue
        const in_api = await allPages(ask, `${route}&${SPAN}&limit=1000`)
        const of_span = in_lake.filter(({ ts }) => millis(ts) >= SPAN_MS)
        const shown = names.filter((name) => in_api[0]![name] !== undefined)
        expect(shown.length, dataset).toBeGreaterThanOrEqual(5)
        expect([dataset, columnSums(shown, in_api)]).toEqual([dataset, columnSums(shown, of_span)])
      }
    }
    try {
      await publish()
      await expectEqual()
      const old = new Map<string, readonly [number, object]>()
      for (const table of PUBLISHED.sets.map(tableOf)) {
        const { 'current-snapshot-id': id } = await readMetadata(store, table)
        old.set(table, [id, await sumsOf(table, id)])
      }
      await insertTrades(pool, [
        {
          symbol: SYMBOL,
          ts: firstOf(DAYS[1]!) + 30_000_123,
          id: 9e9,
          price: 101,
          qty: 3,
          is_buyer_maker: true,
        },
      ])
      await pool.query(
        "delete from marketdata.open_interest where ts_exchange > '2024-08-08T23:30'",
      )
      await noteFactFile(pool, symbol_id, 'open_interest', DAYS[1]!)
      const [late] = quotesOf(DAYS[1]!, seed)
      await insertQuotes(pool, [{ ...late!, ts: late!.ts + 20_000_777, id: 1e6, bid_qty: 9 }])
      await publish()
      await expectEqual()
      for (const [table, [id, sums]] of old) {
        expect([table, await sumsOf(table, id)]).toEqual([table, sums])
      }
      const { 'current-snapshot-id': now_id } = await readMetadata(store, 'datasets.trades_v1')
      expect(now_id).not.toBe(old.get('datasets.trades_v1')![0])
    } finally {
      connection.closeSync()
      duckdb.closeSync()
    }
  })
}

function tableOf(set: (typeof PUBLISHED.sets)[number]): string {
  return `datasets.${datasetTableName(set.dataset, set.schema_version)}`
}

function firstOf(day: Day): Micros {
  return micros(dayRange(day).to - MINUTES * 60 * SECOND_US)
}

function quotesOf(day: Day, seed: number): readonly QuoteRow[] {
  return Array.from({ length: MINUTES * 30 }, (_, i) => ({
    symbol: SYMBOL,
    ts: firstOf(day) + i * 2_000_000 + ((i * seed) % 999_983) + 1,
    id: i,
    bid: 100 + ((i * seed) % 13) / 10,
    bid_qty: 1 + (i % 7) / 1_000,
    ask: 102 + ((i * seed) % 17) / 10,
    ask_qty: 2,
  }))
}
