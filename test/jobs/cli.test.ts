/** `npx booktape jobs ...` against real services. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeEach, expect, test, vi } from 'vitest'
import { jobsCommand } from '../../infra/cli/jobs.ts'
import { insertQuotes, insertSymbols } from './market.ts'
import { createStand } from './stand.ts'

const stand = await createStand()
const data_dir = await mkdtemp(join(tmpdir(), 'booktape-cli-'))
afterAll(() => rm(data_dir, { recursive: true }))
const ts = Date.parse('2024-08-08T23:59:58Z') * 1_000
await insertSymbols(stand.pool, ['BTCUSDT'])
await insertQuotes(stand.pool, [
  { symbol: 'BTCUSDT', ts, id: 1, bid: 1, bid_qty: 1, ask: 2, ask_qty: 1 },
])

let output = ''
beforeEach(() => {
  output = ''
  vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    output += String(text)
    return true
  })
  const { endpoint, bucket, region, access_key_id, secret_access_key } = stand.store_config
  for (const [name, value] of Object.entries({
    DATABASE_URL: stand.database_url,
    S3_ENDPOINT: endpoint,
    S3_BUCKET: bucket,
    S3_REGION: region,
    S3_ACCESS_KEY_ID: access_key_id,
    S3_SECRET_ACCESS_KEY: secret_access_key,
  })) {
    vi.stubEnv(name, value)
  }
})
afterEach(() => {
  vi.restoreAllMocks()
  vi.unstubAllEnvs()
})

const jobs = (...args: readonly string[]): Promise<unknown> => {
  const command = jobsCommand()
  const quiet = (part: ReturnType<typeof jobsCommand>): void => {
    part.exitOverride().configureOutput({ writeErr: () => undefined })
    part.commands.forEach(quiet)
  }
  quiet(command)
  return command.parseAsync([...args, '--data-dir', data_dir], { from: 'user' })
}

test('run features prints one line per file: key, rows, bytes, sha256', async () => {
  await jobs('run', 'features', '--date', '2024-08-08')
  const lines = output.trimEnd().split('\n')
  expect(lines[0]).toBe('features_1s of 2024-08-08: 1 rows, symbols: 1.')
  expect(lines[4]).toBe('labels_1s of 2024-08-08: 1 rows, symbols: 1.')
  expect(lines).toHaveLength(8)
  for (const line of [...lines.slice(1, 4), ...lines.slice(5)]) {
    const [, key, bytes, sha256] =
      /^(\S+) {2}\d+ rows {2}(\d+) bytes {2}sha256 ([0-9a-f]{64})$/.exec(line)!
    const stored = await stand.store.get(key!)
    expect(stored!.byteLength).toBe(Number(bytes))
    expect(sha256).toHaveLength(64)
  }
})

test('run datasets lists the files and counts those of CSV; verify-dataset finds no fault', async () => {
  await jobs('run', 'datasets', '--date', '2024-08-08')
  const lines = output.trimEnd().split('\n')
  expect(lines[0]).toMatch(/^candles of 2024-08-08: \d+ rows, symbols: 1\.$/)
  expect(
    lines.filter((line) => line.startsWith('CSV files in the Tardis format: 1, ')),
  ).toHaveLength(1)
  output = ''
  await jobs('run', 'verify-dataset', '--dataset', 'quotes', '--date', '2024-08-08')
  expect(output).toMatch(/^quotes v1 of 2024-08-08: ok \(3 files, 1 rows, \d+ bytes\)\n$/)
  expect(process.exitCode).toBeUndefined()
  const manifest_key = 'datasets/quotes/v1/date=2024-08-08/manifest.json'
  const manifest = await stand.store.get(manifest_key)
  await stand.store.put(manifest_key, '[]', 'application/json')
  output = ''
  await jobs('run', 'verify-dataset', '--dataset', 'quotes', '--date', '2024-08-08')
  expect(output).toMatch(/: 1 found .*\n {2}- manifest.json: Its content is invalid/)
  expect(process.exitCode).toBe(1)
  process.exitCode = undefined
  await stand.store.put(manifest_key, manifest!, 'application/json')
})

test('stale-days says why a day is stale, and rebuilds it only on request', async () => {
  await jobs('run', 'stale-days', '--dry-run')
  expect(output).toBe('All published days are up to date.\n')
  await stand.store.delete('datasets/quotes/v1/date=2024-08-08/manifest.json')
  await stand.pool.query(
    `insert into marketdata.archive (exchange, table_name, hour, version, object_key, row_count, byte_count,
       sha256, checksums, min_ts_exchange, max_ts_exchange, archived_at, table_row_count, dropped_at)
     values ('deribit', 'trades', '2024-08-08T01:00:00Z', 1, '', 0, 0, '', '{}', now(), now(), now(), 0, now())`,
  )
  output = ''
  await jobs('run', 'stale-days', '--dry-run')
  expect(output).toBe('datasets of 2024-08-08: 1 of its datasets are not published.\n')
  await jobs('run', 'stale-days')
  expect(output).toMatch(/datasets of 2024-08-08: rebuilt\.\n$/)
  await stand.pool.query('delete from marketdata.archive')
})

test('ls shows what ran, and the reason of each failure', async () => {
  await expect(jobs('run', 'features', '--date', '2024-08-07')).rejects.toMatchObject({
    code: 'no_data',
  })
  await jobs('run', 'features', '--date', '2024-08-08')
  output = ''
  await jobs('ls', '--limit', '2')
  const [head, first, second] = output.split('\n')
  expect(head).toMatch(/^STARTED +JOB +WINDOW +STATUS/)
  expect(first).toMatch(/features +2024-08-08 +done +1 +1 +\d+/)
  expect(second).toMatch(
    /features +2024-08-07 +failed .*There are no quotes, trades or depth of 2024-08-07/,
  )
})

for (const date of ['2024-02-30', '8.8.2024', '20240808', '']) {
  test(`--date '${date}' is refused before any service is contacted`, async () => {
    await expect(jobs('run', 'features', '--date', date)).rejects.toThrow('YYYY-MM-DD')
  })
}

test('without a stack and without an environment it says how to get one', async () => {
  vi.stubEnv('DATABASE_URL', undefined)
  await expect(jobs('ls')).rejects.toMatchObject({
    code: 'no_stack',
    hint: expect.stringContaining('npm start'),
  })
})

test('a Postgres that does not answer is named without its password', async () => {
  vi.stubEnv('DATABASE_URL', 'postgres://u:hidden@127.0.0.1:1/db')
  const error = await jobs('ls').catch((caught: unknown) => caught)
  expect(error).toMatchObject({ code: 'postgres_unreachable' })
  expect(String((error as Error).message)).not.toContain('hidden')
})

test('run archive writes the due hours; run retention shows its plan before it acts', async () => {
  await jobs('run', 'archive')
  const key = 'raw/book_ticker/exchange=binance-futures/date=2024-08-08/hour=23.parquet'
  const [window, made, sum] = output.split('\n')
  expect([window, made?.trim()]).toEqual([
    expect.stringMatching(/^book_ticker 2024-08-08T23: 1 rows, \d+ bytes$/),
    key,
  ])
  expect(sum).toMatch(/^Hours: 1, new files: 1, 1 rows, \d+ bytes\.$/)
  expect(await stand.store.get(key)).toBeDefined()

  output = ''
  await jobs('run', 'archive', '--hour', '2024-08-08T23')
  expect(output).toContain('unchanged')

  output = ''
  await stand.pool.query("update marketdata.rollup_watermarks set watermark = 'infinity'")
  await jobs('run', 'retention', '--dry-run')
  expect(output).toMatch(
    /^Hourly partitions use \d+\.\d MB; limit: 7000\.0 MB\.\nPLAN +MB +PARTITION +WHY\n/,
  )
  expect(output).toMatch(/drop +\d+\.\d +book_ticker_2024080823 +past the age limit\n/)
  output = ''
  await jobs('run', 'retention')
  expect(output).toMatch(/\nDropped: 1 partitions, \d+\.\d MB\.\n$/)
})

for (const [option, value, hint] of [
  ['--hour', '2024-08-08T24', 'YYYY-MM-DDTHH'],
  ['--hour', '2024-08-08', 'YYYY-MM-DDTHH'],
  ['--codec', 'lz4', 'zstd, snappy, gzip'],
] as const) {
  test(`run archive ${option} ${value} is refused with what was expected`, async () => {
    await expect(jobs('run', 'archive', option, value)).rejects.toThrow(hint)
  })
}
