/** `npx booktape import`, as people run it: imports a day, builds its datasets, and ends. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { manifestKey } from '#core/object-keys.ts'
import { parseDay } from '#core/time.ts'
import { putFile, zipOf } from '../../../bench/import/zip.ts'
import { createStand, type Stand } from '../../jobs/stand.ts'

const CLI = join(import.meta.dirname, '../../../infra/cli/booktape.mjs')
const DAY = '2024-03-29'
const DAY_MS = Date.parse(`${DAY}T00:00:00Z`)

function start({ dir, database_url, store_config: store }: Stand) {
  const args = ['import', 'binance', '--kinds', 'klines', '--symbols', 'BTCUSDT']
  const days = ['--from', DAY, '--to', DAY, '--folder', join(dir, 'files')]
  const child = spawn(process.execPath, [CLI, ...args, ...days], {
    env: {
      PATH: process.env['PATH'] ?? '',
      DATABASE_URL: database_url,
      WORK_DIR: join(dir, 'work'),
      S3_ENDPOINT: store.endpoint,
      S3_BUCKET: store.bucket,
      S3_REGION: store.region,
      S3_ACCESS_KEY_ID: store.access_key_id,
      S3_SECRET_ACCESS_KEY: store.secret_access_key,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const ended = Promise.all([once(child, 'exit'), text(child.stdout), text(child.stderr)])
  return { child, ended: ended.then(([[code], out, err]) => ({ code: code as number, out, err })) }
}

async function putKlines(stand: Stand, minutes: readonly number[]): Promise<void> {
  const lines = minutes.map((minute) => {
    const ms = DAY_MS + minute * 60_000
    return `${ms},100,102,99,101,7,${ms + 59_999},700,12,3,300,0`
  })
  const path = `data/futures/um/daily/klines/BTCUSDT/1m/BTCUSDT-1m-${DAY}.zip`
  await putFile(join(stand.dir, 'files'), path, zipOf('a.csv', `${lines.join('\n')}\n`))
}

const MINUTES = Array.from({ length: 1_440 }, (_, minute) => minute)

test('a day of klines is imported, published and in the lake, and its exit code says that rows lack', async () => {
  const stand = await createStand()
  await putKlines(stand, MINUTES.slice(0, 1_000))
  const first = await start(stand).ended
  expect(first).toMatchObject({ code: 1, err: '' })
  expect(first.out.split('\n')).toEqual([
    `${DAY} BTCUSDT klines_1m: 1000 rows added: NOT WHOLE: rows are missing in one place, first after 16:39:00`,
    `  klines of ${DAY}: done`,
    '  lake: done',
    '  retention: done',
    `${DAY} NOT WHOLE: BTCUSDT klines_1m: rows are missing in one place, first after 16:39:00`,
    '',
  ])
  const bytes = await stand.store.get(manifestKey('klines', 1, parseDay(DAY)!))
  expect(JSON.parse(Buffer.from(bytes!).toString())).toMatchObject({ row_count: 1_000 })
})

test('a command that is killed does not leave its process importing', async () => {
  const stand = await createStand()
  await putKlines(stand, MINUTES)
  // The import waits for this lock.
  const blocker = await stand.pool.connect()
  await blocker.query('begin')
  await blocker.query('lock table marketdata.imports in access exclusive mode')
  const { child } = start(stand)
  const waiting = async (): Promise<number> => {
    const { rows } = await stand.pool.query<{ n: number }>(
      `select count(*)::int as n from pg_stat_activity
       where application_name = 'booktape-cli' and datname = current_database()`,
    )
    return rows[0]!.n
  }
  await expect.poll(waiting, { timeout: 30_000 }).toBeGreaterThan(0)
  child.kill('SIGKILL')
  await blocker.query('rollback')
  blocker.release()
  await expect.poll(waiting, { timeout: 30_000 }).toBe(0)
})
