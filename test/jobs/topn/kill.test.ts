/** `booktape jobs run topn` as a process that is killed during its work. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import type { Pool } from '#core/node/pool.ts'
import { programEnv } from '../../support/program-env.ts'
import { createStand, type Stand } from '../stand.ts'

const CLI = fileURLToPath(new URL('../../../infra/cli/booktape.mjs', import.meta.url))
const SYMBOL_COUNT = 8
const DIFF_COUNT = 2_000

/** Three minutes of depth per symbol, ten diffs a second, one level per diff. */
async function addDepth(pool: Pool): Promise<void> {
  await pool.query("select marketdata.ensure_hour('depth_events', '2026-03-01T12:00:00Z')")
  await pool.query(
    `with ids as (
       insert into marketdata.symbols (exchange, symbol)
       select 'binance-spot', 'S' || n || 'USDT' from generate_series(1, $1::int) n returning id
     )
     insert into marketdata.depth_events (ts_exchange, ts_ingest, symbol_id, depth_kind,
       first_update_id, final_update_id, bids, asks)
     select ts, ts, id, case n when 0 then 'snapshot' else 'diff' end, nullif(n, 0), n,
       case n when 0 then array(select array[100 - k, 1] from generate_series(1, 12) k)
         else array[array[99 - n % 7, n % 13]] end::float8[],
       case n when 0 then array(select array[100 + k, 1] from generate_series(1, 12) k) else '{}' end::float8[]
     from ids, generate_series(0, $2::int) n,
       lateral (select '2026-03-01T12:00:00Z'::timestamptz + n * interval '0.1 s' as ts) t`,
    [SYMBOL_COUNT, DIFF_COUNT],
  )
}

function startRun({ database_url, store_config, dir }: Stand) {
  const child = spawn(process.execPath, [CLI, 'jobs', 'run', 'topn'], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: programEnv({
      DATABASE_URL: database_url,
      S3_ENDPOINT: store_config.endpoint,
      S3_BUCKET: store_config.bucket,
      S3_REGION: store_config.region,
      S3_ACCESS_KEY_ID: store_config.access_key_id,
      S3_SECRET_ACCESS_KEY: store_config.secret_access_key,
      WORK_DIR: dir,
    }),
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => (output += chunk.toString()))
  return {
    child,
    exited: once(child, 'exit') as Promise<[number | null, string | null]>,
    output: () => output,
  }
}

async function doneCount(pool: Pool): Promise<number> {
  const { rows } = await pool.query<{ count: number }>(
    'select count(*)::int from marketdata.orderbook_topn_watermarks',
  )
  return rows[0]!.count
}

async function written(pool: Pool): Promise<string> {
  const { rows } = await pool.query<{ digest: string }>(
    `select count(*) || ' ' || md5(string_agg(t::text, ' ' order by symbol_id, ts_exchange)) as digest
     from marketdata.orderbook_topn t`,
  )
  return rows[0]!.digest
}

test('killed with -9 between two symbols and run again: the rows of an undisturbed run', async () => {
  const [quiet, killed] = [await createStand(), await createStand()]
  await Promise.all([addDepth(quiet.pool), addDepth(killed.pool)])
  const undisturbed = startRun(quiet)
  expect(await undisturbed.exited, undisturbed.output()).toEqual([0, null])
  expect(undisturbed.output()).toContain(`symbols: ${SYMBOL_COUNT}.`)

  // The run waits for this row of one of the later symbols.
  const holder = await killed.pool.connect()
  await holder.query('begin')
  await holder.query(
    `insert into marketdata.orderbook_topn_watermarks (symbol_id, covered_to)
     select id, 'epoch' from marketdata.symbols order by id offset 3 limit 1`,
  )
  const first = startRun(killed)
  await expect.poll(() => doneCount(killed.pool)).toBe(3)
  first.child.kill('SIGKILL')
  expect(await first.exited).toEqual([null, 'SIGKILL'])
  await holder.query('rollback')
  holder.release()
  // Postgres may take a while to notice, and keeps the lock until then.
  for (;;) {
    const again = startRun(killed)
    const [code] = await again.exited
    if (code === 0) break
    expect(again.output()).toContain('is already running')
  }
  expect(await written(killed.pool)).toBe(await written(quiet.pool))
  expect(await doneCount(killed.pool)).toBe(SYMBOL_COUNT)
  const { rows } = await killed.pool.query(
    'select status, error from marketdata.job_runs order by id',
  )
  expect(rows).toEqual([
    { status: 'failed', error: 'The process ended during the run.' },
    { status: 'done', error: null },
  ])

  // Once more: there is nothing to do, and nothing changes.
  const before = await written(killed.pool)
  const idle = startRun(killed)
  expect(await idle.exited, idle.output()).toEqual([0, null])
  expect(idle.output()).toContain('orderbook_topn: 0 rows')
  expect(await written(killed.pool)).toBe(before)
})
