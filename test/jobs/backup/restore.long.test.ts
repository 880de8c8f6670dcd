/**
 * A backup restored into an empty database: every table, the lake, and what goes on from there.
 * Times are of the past, and jobs run by a clock of the test.
 */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { silentLogger } from '#core/node/log.ts'
import { knownMigrations, migrate, migrateWithin } from '#core/node/migrate.ts'
import { createPool, type Pool, withClient } from '#core/node/pool.ts'
import { backupManifestKey } from '#core/object-keys.ts'
import { fromMillis, HOUR_US, micros } from '#core/time.ts'
import { composeApp } from '../../../edge-api/compose.ts'
import { runArchive } from '../../../jobs/archive/run-archive.ts'
import type { TableHour } from '../../../jobs/archive/records.ts'
import { copyHourOut, selectSymbolNames, sumRows } from '../../../jobs/backup/lake-rows.ts'
import { type Manifest, readManifest } from '../../../jobs/backup/manifest.ts'
import { runBackup } from '../../../jobs/backup/run-backup.ts'
import { columnsOf, sumTable } from '../../../jobs/backup/state-tables.ts'
import { TABLE_FATES, tablesOf } from '../../../jobs/backup/tables.ts'
import { runRestore } from '../../../jobs/restore/run-restore.ts'
import { dropPartition } from '../../../jobs/retention/drop.ts'
import { selectPartitions } from '../../../jobs/retention/partitions.ts'
import { runRollups } from '../../../jobs/rollups/run-rollups.ts'
import { createTopnJob } from '../../../jobs/topn/run-topn.ts'
import { fillHour } from '../../support/market-hours.ts'
import { CONNECT_LIMIT_MS } from '../../support/patience.ts'
import { startEdge } from '../../edge-api/support.ts'
import { temporaryDirectory } from '../../ingestor/writer/support.ts'

const edge = await startEdge()
const { store } = edge
let pool: Pool = edge.pool
const never = new AbortController().signal
const PASSPHRASE = 'a passphrase of the test'
const settings = { keep_count: 1, key_file: undefined, passphrase: PASSPHRASE }
const work_dir = temporaryDirectory()
let now_ms = Date.parse('2026-03-31T17:20:00Z')
const now = (): number => now_ms
const HOURS = ['14', '15', '16', '17'].map((hour) => `2026-03-31T${hour}:00:00Z`)
const pools: Pool[] = []
afterAll(() => Promise.all(pools.map((one) => one.end())))

async function makeDerived(): Promise<void> {
  const topn = createTopnJob({
    pool,
    cadence: { min_us: 1_000_000, max_us: 60_000_000 },
    log: silentLogger,
    now,
  })
  for (let run = 0; run < 3; run++) {
    now_ms += 30_000
    await topn.run(never)
    await runRollups({ pool, log: silentLogger, now, signal: never })
  }
}
const archive = (): Promise<unknown> =>
  runArchive({ pool, store, codec: 'zstd', work_dir, log: silentLogger, now })
const backUp = (kind: 'full' | 'state') =>
  runBackup({ pool, store, settings, work_dir, kind, log: silentLogger, now, signal: never })
const restore = (options: Partial<Parameters<typeof runRestore>[0]> = {}) =>
  runRestore({
    pool,
    store,
    work_dir,
    secret: Buffer.from(PASSPHRASE),
    backup_id: undefined,
    range: undefined,
    onProgress: () => undefined,
    signal: never,
    ...options,
  })

/** As if Postgres had burnt. A pool remembers prepared types, so it is a new one. */
async function burn(): Promise<void> {
  await pool.query(
    'drop schema if exists marketdata cascade; drop schema if exists graphile_worker cascade',
  )
  pool = createPool(edge.database_url, 'test', 4, CONNECT_LIMIT_MS)
  pools.push(pool)
}

/** Column checksums of every hour of a lake table that Postgres has. */
async function hotSums(): Promise<Readonly<Record<string, unknown>>> {
  return withClient(pool, async (client) => {
    const names = await selectSymbolNames(client)
    const found: Record<string, unknown> = {}
    for (const name of tablesOf('lake')) {
      for (const hour of HOURS) {
        const ts = micros(Date.parse(hour) * 1_000)
        const table_hour = { table_name: name, hour: ts } as TableHour
        const digits = hour.slice(0, 13).replaceAll(/[-T]/g, '')
        const { rows } = await client.query('select to_regclass($1) as found', [
          name.endsWith('_1s') ? `marketdata.${name}` : `marketdata.${name}_${digits}`,
        ])
        if (rows[0].found === null) continue
        const sums = await sumRows(table_hour, copyHourOut(client, table_hour), names)
        if (sums.row_count > 0) found[`${name} ${hour}`] = [sums.row_count, sums.toChecksums()]
      }
    }
    return found
  })
}

/** What restoring may change of a table: nothing, except for these. */
const TOUCHED: Readonly<Record<string, readonly string[]>> = {
  archive: ['dropped_at', 'table_row_count', '(row)'],
  invalidations: ['logged_xid', '(row)'],
  job_runs: ['status', 'finished_at', 'error', '(row)'],
}

async function stateSums(): Promise<Readonly<Record<string, unknown>>> {
  return withClient(pool, async (client) => {
    const found: Record<string, unknown> = {}
    for (const name of [...tablesOf('state'), ...tablesOf('history')]) {
      const { row_count, checksums } = await sumTable(client, name, await columnsOf(client, name))
      const kept = Object.entries(checksums).filter(([column]) => !TOUCHED[name]?.includes(column))
      found[name] = [row_count, Object.fromEntries(kept)]
    }
    return found
  })
}

/** Before the oldest hour left Postgres. */
let at_first: Readonly<Record<string, unknown>> = {}

const app = composeApp(edge.bindings, {
  now: () => fromMillis(now_ms),
  report: () => undefined,
})

/** What callers of the edge API get of the whole time, hot or cold. */
async function answers(): Promise<readonly string[]> {
  const span = 'from=2026-03-31T13:00:00Z&to=2026-03-31T20:00:00Z&limit=1000'
  const paths = ['BTCUSDT?exchange=binance-futures', '币安人生USDT?exchange=binance-spot'].flatMap(
    (symbol) => [
      `/v1/trades/${symbol}&${span}`,
      `/v1/quotes/${symbol}&${span}`,
      `/v1/depth/${symbol}&${span}`,
      `/v1/orderbook-topn/${symbol}&${span}`,
      `/v1/candles/${symbol}&interval=1m&${span}`,
    ],
  )
  const found: string[] = []
  for (const path of [...paths, '/v1/gaps', '/v1/symbols']) {
    const response = await app.request(encodeURI(path))
    const body = (await response.json()) as { rows?: readonly unknown[] }
    found.push(`${path} ${response.status} ${JSON.stringify(body)}`)
  }
  return found
}

/** A market of two symbols: the newest hour is not archived, the oldest has left Postgres. */
beforeAll(async () => {
  await pool.query(`
    insert into marketdata.symbols (exchange, symbol) values
      ('binance-futures', 'BTCUSDT'), ('binance-spot', '币安人生USDT');
    insert into marketdata.symbol_history (symbol_id, valid_from, is_active) values (1, now(), true);
    insert into marketdata.gaps (symbol_id, channel, from_ts, to_ts, cause, detected_at, repair_note)
      values (1, 'trades', '2026-03-31T14:00:01Z', '2026-03-31T14:00:02Z', 'restart', now(), E'a\\ttab\\nand "more" \\\\N');
    insert into marketdata.prices (ticker, price, timestamp, ts_ingest, created_at)
      values ('btc_usd', 61800.1234567890123, now(), now(), now());
    insert into marketdata.audit (audit_id, at, program, instance, actor, origin, action, request, revision, before, after)
      values (gen_random_uuid(), now(), 'ingestor', 'a', 'alice', 'unix socket', 'scale', '{"count":5}', 1, '{}', '{"n":"ü"}');
    insert into marketdata.tape_positions (ingestor_id, tape_id, tape_position) values ('a', 'tape', 4711);
    insert into marketdata.stream_offsets (ingestor_id, symbol_id, channel, last_id, ts_exchange, ts_ingest)
      values ('a', 1, 'trades', 5, '2026-03-31T16:00:00Z', '2026-03-31T16:00:00Z');
    insert into marketdata.conflicts (ingestor_id, table_name, symbol_id, ts_exchange, kept, refused)
      values ('a', 'trades', 1, now(), '{"price":1.5}', '{"price":2}')`)
  for (const hour of HOURS.slice(0, 3)) {
    for (const symbol_id of [1, 2]) await fillHour(pool, symbol_id, hour, 60)
  }
  await makeDerived()
  await archive()
  at_first = await hotSums()
  const [oldest] = HOURS.map((hour) => Date.parse(hour) * 1_000)
  for (const state of await selectPartitions(pool)) {
    if (state.from === oldest && state.to === oldest! + HOUR_US) await dropPartition(pool, state)
  }
  await pool.query(
    `insert into marketdata.job_runs (job, job_window, status, attempt, started_at)
     values ('features', '2026-03-30', 'running', 1, now())`,
  )
})

test('every table of the schema is backed up, in the lake, or left out for a reason', async () => {
  const { rows } = await pool.query<{ name: string }>(
    `select relname as name from pg_class where relnamespace = 'marketdata'::regnamespace
     and relkind in ('r', 'p') and not relispartition`,
  )
  expect(Object.keys(TABLE_FATES).toSorted()).toEqual(rows.map(({ name }) => name).toSorted())
})

let full_id = ''
test('a full backup and a restore give every table and every hour the same column checksums', async () => {
  const before = { state: await stateSums(), hot: at_first }
  expect(Object.keys(before.hot).length).toBeGreaterThan(20)
  expect(Object.keys(await hotSums()).length).toBeLessThan(Object.keys(before.hot).length)
  const { id, part_count } = await backUp('full')
  full_id = id
  expect(part_count).toBeGreaterThan(tablesOf('state').length + 6)
  const jobs = await stateSums()
  await burn()
  const said: string[] = []
  const range = { from: fromMillis(Date.parse(HOURS[0]!)), to: fromMillis(now_ms) }
  const result = await restore({ range, onProgress: (sentence) => void said.push(sentence) })
  expect(result.backup_id).toBe(id)
  expect(said.join('\n')).toContain('trades 2026-03-31T16: 120 rows from the backup.')
  const after = { state: await stateSums(), hot: await hotSums() }
  // The run of the backup itself was recorded after its snapshot, and had begun before it.
  expect({ ...after.state, job_runs: null }).toEqual({ ...before.state, job_runs: null })
  expect((after.state['job_runs'] as number[])[0]).toBe((jobs['job_runs'] as number[])[0])
  expect(after.hot).toEqual(before.hot)
  const { rows } = await pool.query(
    "select count(*)::int as count from marketdata.job_runs where status = 'running'",
  )
  expect(rows).toEqual([{ count: 0 }])
})

test('what comes next has new ids, rollups have nothing to do, and nothing is archived twice', async () => {
  const { rows } = await pool.query<{ id: string }>(
    "insert into marketdata.symbols (exchange, symbol) values ('binance-spot', 'NEW') returning id",
  )
  expect(Number(rows[0]!.id)).toBeGreaterThan(2)
  const before = await hotSums()
  await makeDerived()
  expect(await hotSums()).toEqual(before)
  expect(await archive()).toMatchObject({ file_count: 0 })
})

test('a database that is not empty is refused in words, and stays as it is', async () => {
  const before = await stateSums()
  await expect(restore()).rejects.toMatchObject({
    code: 'database_not_empty',
    message: expect.stringMatching(/^The database is not empty: marketdata\.\w+ has rows\.$/),
  })
  expect(await stateSums()).toEqual(before)
})

test('hours that were archived after the backup come from the lake, late rows and all', async () => {
  await makeDerived()
  now_ms = Date.parse('2026-03-31T19:10:00Z')
  await fillHour(pool, 1, HOURS[3]!, 60)
  await pool.query(
    `insert into marketdata.symbols (exchange, symbol) values ('binance-futures', 'LISTEDLATER')`,
  )
  const { rows } = await pool.query<{ id: string }>(
    "select id from marketdata.symbols where symbol = 'LISTEDLATER'",
  )
  await fillHour(pool, Number(rows[0]!.id), HOURS[3]!, 20)
  await makeDerived()
  await archive()
  const before = await hotSums()
  await burn()
  const range = { from: fromMillis(Date.parse(HOURS[0]!)), to: fromMillis(now_ms) }
  await restore({ range, backup_id: full_id })
  expect(await hotSums()).toEqual(before)
  expect(await archive()).toMatchObject({ file_count: 0 })
  const facts = await pool.query(
    `select count(*)::int as hours, count(distinct object_key)::int as files from marketdata.archive
     where dropped_at is null`,
  )
  expect(facts.rows[0].hours).toBe(facts.rows[0].files)
})

test('an interrupted restore goes on, and gives the same rows', async () => {
  const before = await hotSums()
  await burn()
  const range = { from: fromMillis(Date.parse(HOURS[0]!)), to: fromMillis(now_ms) }
  const stopping = new AbortController()
  const first = restore({
    range,
    backup_id: full_id,
    signal: stopping.signal,
    onProgress: (sentence) => {
      if (sentence.startsWith('3 of ')) stopping.abort(new Error('Stopped.'))
    },
  })
  await expect(first).rejects.toThrow('Stopped.')
  const half = await hotSums()
  expect(Object.keys(half).length).toBeLessThan(Object.keys(before).length)
  await expect(restore({ backup_id: '20260101T000000Z-00000000' })).rejects.toMatchObject({
    code: 'restore_begun',
  })
  // The range is that of the first call.
  await restore()
  expect(await hotSums()).toEqual(before)
  await expect(restore()).rejects.toMatchObject({ code: 'database_not_empty' })
})

test('only what the recorder needs is loaded without a range; callers get the same from the lake', async () => {
  const before = await answers()
  expect(before.filter((answer) => !answer.includes(' 200 '))).toEqual([])
  expect(before.join().length).toBeGreaterThan(100_000)
  await burn()
  await restore({ backup_id: full_id })
  expect(await answers()).toEqual(before)
  const { rows } = await pool.query<{ hour: string; is_hot: boolean }>(
    `select distinct to_char(hour, 'HH24') as hour, dropped_at is null as is_hot
     from marketdata.archive where table_name = 'trades' order by 1`,
  )
  expect(rows).toEqual([
    { hour: '14', is_hot: false },
    { hour: '15', is_hot: false },
    { hour: '16', is_hot: false },
    { hour: '17', is_hot: true },
  ])
})

test('a failure before the state is in place leaves the database empty', async () => {
  await burn()
  const { manifest } = await readManifest(store, full_id)
  const part = manifest.parts.find(({ table_name }) => table_name === 'conflicts')!
  const bytes = (await store.get(part.object_key))!
  const changed = Buffer.from(bytes)
  changed[20]! ^= 1
  await store.put(part.object_key, changed, 'application/octet-stream')
  await expect(restore({ backup_id: full_id })).rejects.toMatchObject({ code: 'backup_damaged' })
  await store.put(part.object_key, bytes, 'application/octet-stream')
  const { rows } = await pool.query("select to_regnamespace('marketdata') is null as is_empty")
  expect(rows).toEqual([{ is_empty: true }])
})

test('a wrong key, no key, a changed manifest and a newer build are refused in words', async () => {
  const wrong = { secret: Buffer.from('another passphrase'), backup_id: full_id }
  await expect(restore(wrong)).rejects.toMatchObject({ code: 'backup_wrong_key' })
  const none = { secret: undefined, backup_id: full_id }
  await expect(restore(none)).rejects.toMatchObject({ code: 'backup_needs_key' })
  const key = backupManifestKey(full_id)
  const text = Buffer.from((await store.get(key))!).toString()
  const change = async (edit: (manifest: Manifest) => Manifest): Promise<void> => {
    const stored = JSON.parse(text) as { manifest: Manifest }
    const changed = { ...stored, manifest: edit(stored.manifest) }
    await store.put(key, JSON.stringify(changed), 'application/json')
  }
  await change((manifest) => ({ ...manifest, taken_at: '2026-01-01T00:00:00.000000Z' }))
  await expect(restore({ backup_id: full_id })).rejects.toMatchObject({ code: 'backup_damaged' })
  await change((manifest) => ({ ...manifest, format: 2 }))
  await expect(restore({ backup_id: full_id })).rejects.toThrow(
    'has format 2, and this build reads up to 1',
  )
  await store.put(key, text, 'application/json')
})

test('a backup of an older schema is loaded into it and then migrated', async () => {
  await burn()
  const known = [...(await knownMigrations()).keys()]
  const later = known.filter((name) => name >= '0104')
  await withClient(pool, async (client) => {
    await client.query('begin')
    await migrateWithin(
      client,
      known.filter((name) => !later.includes(name)),
    )
    await client.query(`insert into marketdata.symbols (exchange, symbol) values ('deribit', 'btc_usd');
      insert into marketdata.ingestors values ('a', 'deribit', 'host', 1, '0.1.0', now(), null, 'live', 'recording', 0, 1, 1, 1, now());
      commit`)
  })
  const { id } = await backUp('state')
  await burn()
  await restore({ backup_id: id })
  const { rows } = await pool.query(
    `select ingestor_id, uncommitted_bytes, (select count(*)::int from marketdata.symbols where exchange = 'deribit') as symbols,
       (select count(*)::int from marketdata.schema_migrations) as migrations
     from marketdata.ingestors`,
  )
  const migrations = known.length
  expect(rows).toEqual([{ ingestor_id: 'a', uncommitted_bytes: null, symbols: 1, migrations }])
})

test('a migrated database without rows counts as empty; a backup of a newer build is refused', async () => {
  await burn()
  await migrate(pool)
  await restore({ backup_id: full_id })
  const { id } = await runBackup({
    pool,
    store,
    settings: { ...settings, passphrase: undefined },
    work_dir,
    kind: 'state',
    log: silentLogger,
    now,
    signal: never,
  })
  const { manifest } = await readManifest(store, id)
  const migrations = [...manifest.migrations, { name: '9999_future.sql', sha256: 'x' }]
  const newer = { manifest: { ...manifest, migrations }, signature: null }
  await store.put(backupManifestKey(id), JSON.stringify(newer), 'application/json')
  await burn()
  await expect(restore({ backup_id: id })).rejects.toThrow('lacks the migration 9999_future.sql')
})

test('a state backup refers to the prices and facts of the full one, and old backups are deleted', async () => {
  await restore({ backup_id: full_id })
  now_ms += 60_000
  // The full backup has the rows of the first file, and not those of the second.
  for (const [file, imported_at] of [
    ['first.zip', '2026-03-01T00:00:00Z'],
    ['second.zip', new Date(now_ms).toISOString()],
  ]) {
    await pool.query(
      `insert into marketdata.imports (file, source, kind, symbol_id, table_name, from_ts, to_ts,
         sha256, byte_count, line_count, added_count, removed_count, known_count, repeated_count,
         void_count, rejected_count, missing_count, imported_at)
       select $1, 'binance', 'metrics', min(id), 'open_interest', '2024-03-29', '2024-03-30', 'ab',
         9, 288, 288, 0, 0, 0, 0, 0, 0, $2 from marketdata.symbols`,
      [file, imported_at],
    )
  }
  const { id } = await backUp('state')
  await burn()
  await restore({ backup_id: id })
  const { rows: files } = await pool.query('select file from marketdata.imports order by file')
  expect(files).toEqual([{ file: 'first.zip' }])
  const { manifest } = await readManifest(store, id)
  expect(manifest.parts.find(({ table_name }) => table_name === 'prices')?.backup_id).toBe(full_id)
  expect(manifest.parts.every(({ hour }) => hour === null)).toBe(true)
  const expired: string[] = []
  for (let i = 0; i < 2; i++) {
    now_ms += 60_000
    expired.push(...(await backUp('full')).expired)
  }
  expect(expired).toContain(full_id)
  expect(expired).toContain(id)
  expect(await store.list(`backups/${full_id}/`)).toEqual([])
})
