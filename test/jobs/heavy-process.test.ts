/** A heavy task in a child process, as the daemon runs it. */
import { existsSync, globSync, readFileSync } from 'node:fs'
import { getPriority } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { dayOf, dayRange, fromMillis } from '#core/time.ts'
import { HEAVY_NICENESS, runInProcess } from '../../jobs/heavy-process.ts'
import { readManifest, versionOf } from '../support/published.ts'
import { insertQuotes, insertSymbols } from './market.ts'
import { createStand, NOON } from './stand.ts'

const stand = await createStand()
const { endpoint, bucket, region, access_key_id, secret_access_key } = stand.store_config
Object.assign(process.env, {
  DATABASE_URL: stand.database_url,
  S3_ENDPOINT: endpoint,
  S3_BUCKET: bucket,
  S3_REGION: region,
  S3_ACCESS_KEY_ID: access_key_id,
  S3_SECRET_ACCESS_KEY: secret_access_key,
  WORK_DIR: join(stand.dir, 'work'),
  LOG_LEVEL: 'silent',
})
const date = dayOf(fromMillis(NOON))
const never = new AbortController().signal
const day = (payload: unknown) => ({ kind: 'day', job: 'features', payload, attempt: 1 }) as const

test('it builds a day, passes an error on as its own, and ends early when it is aborted', async () => {
  await insertSymbols(stand.pool, ['BTCUSDT'])
  const ts = dayRange(date).to - 2e6
  await insertQuotes(stand.pool, [
    { symbol: 'BTCUSDT', ts, id: 1, bid: 1, bid_qty: 1, ask: 2, ask_qty: 1 },
  ])
  await runInProcess(day({ date }), never)
  expect(
    await readManifest(stand.store, 'features_1s', versionOf('features_1s'), date),
  ).toBeDefined()
  await expect(runInProcess(day({}), never)).rejects.toThrow(/needs a date/)

  const controller = new AbortController()
  const cancelled = new Error('cancelled')
  const building = runInProcess(day({ date }), controller.signal)
  const heavy = childPids().find((pid) => getPriority(pid) === HEAVY_NICENESS)
  expect(heavy).toBeDefined()
  const autogroup = `/proc/${heavy}/autogroup`
  if (existsSync(autogroup)) {
    expect(readFileSync(autogroup, 'utf8')).toMatch(new RegExp(`nice ${HEAVY_NICENESS}\n$`))
  }
  controller.abort(cancelled)
  await expect(building).rejects.toBe(cancelled)
})

function childPids(): readonly number[] {
  return globSync('/proc/[0-9]*/stat').flatMap((path) => {
    try {
      // PID (NAME) STATE PARENT ...
      const [, parent] = /\) \S (\d+)/.exec(readFileSync(path, 'utf8'))!
      return Number(parent) === process.pid ? [Number(path.split('/')[2])] : []
    } catch {
      // It has ended.
      return []
    }
  })
}
