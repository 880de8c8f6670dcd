/** One run at a time per window, and a row that records how it ended. */
import { expect, test } from 'vitest'
import { OperatorError } from '#core/errors.ts'
import { silentLogger } from '#core/node/log.ts'
import { createPool } from '#core/node/pool.ts'
import { selectRuns } from '../../../jobs/runs/run-list.ts'
import { runJob, type RunLog } from '../../../jobs/runs/run.ts'
import { until } from '../../ingestor/support.ts'
import { createTestDatabase } from '../../support/database.ts'

const { pool } = await createTestDatabase()
let clock_ms = Date.parse('2024-08-09T00:10:00Z')

function run<T extends { row_count: number; byte_count: number }>(
  job_window: string,
  work: (log: RunLog) => Promise<T>,
  attempt = 1,
): Promise<T> {
  const now = (): number => (clock_ms += 1_000)
  return runJob(pool, { job: 'test', job_window, attempt, now, log: silentLogger }, work)
}

const rowsOf = async (job_window: string): Promise<readonly Record<string, unknown>[]> =>
  (
    await pool.query(
      `select status, attempt, row_count, byte_count, error, log_lines,
         finished_at > started_at as has_taken_time
       from marketdata.job_runs where job_window = $1 order by id`,
      [job_window],
    )
  ).rows

test('a successful run has its counts and its log in its row', async () => {
  const result = await run('a', async (log) => {
    log.info({ symbol_count: 3 }, 'Building.')
    const running = await rowsOf('a')
    expect(running).toMatchObject([{ status: 'running', row_count: null }])
    return { row_count: 5, byte_count: 7 }
  })
  expect(result).toEqual({ row_count: 5, byte_count: 7 })
  expect(await rowsOf('a')).toMatchObject([
    {
      status: 'done',
      attempt: 1,
      row_count: '5',
      byte_count: '7',
      error: null,
      has_taken_time: true,
      log_lines: [{ level: 'info', msg: 'Building.', symbol_count: 3 }],
    },
  ])
})

test('the row of a run that is on has its lines already, and all of them afterwards', async () => {
  const linesOf = async (): Promise<readonly string[]> =>
    ((await rowsOf('live'))[0]!['log_lines'] as { msg: string }[]).map(({ msg }) => msg)
  await run('live', async (log) => {
    log.info({}, 'One.')
    log.info({}, 'Two.')
    await expect.poll(linesOf).toEqual(['One.', 'Two.'])
    expect(await rowsOf('live')).toMatchObject([{ status: 'running' }])
    log.info({}, 'Three.')
    return { row_count: 0, byte_count: 0 }
  })
  expect(await linesOf()).toEqual(['One.', 'Two.', 'Three.'])
  expect(await rowsOf('live')).toMatchObject([{ status: 'done' }])
})

test('a failed run says why and what to do, and rethrows', async () => {
  const fail = (): Promise<never> =>
    Promise.reject(new OperatorError('broken', 'It broke.', { hint: 'Fix it.' }))
  await expect(run('b', fail, 4)).rejects.toMatchObject({ code: 'broken' })
  expect(await rowsOf('b')).toMatchObject([
    {
      status: 'failed',
      attempt: 4,
      error: 'It broke. Fix it.',
      log_lines: [{ level: 'error', code: 'broken', msg: 'The run failed.' }],
    },
  ])
})

test('a second run of the same window is refused during the first; one of another window is not', async () => {
  const done = { row_count: 0, byte_count: 0 }
  await run('c', async () => {
    await expect(run('c', () => Promise.resolve(done))).rejects.toMatchObject({
      code: 'run_in_progress',
      retryable: true,
    })
    await run('d', () => Promise.resolve(done))
    return done
  })
  expect(await rowsOf('c')).toHaveLength(1)
  await run('c', () => Promise.resolve(done))
  expect(await rowsOf('c')).toMatchObject([{ status: 'done' }, { status: 'done' }])
})

test('the next run of a window closes the row of a killed run', async () => {
  await pool.query(
    `insert into marketdata.job_runs (job, job_window, status, attempt, started_at)
     values ('test', 'e', 'running', 1, '2024-08-09')`,
  )
  await run('e', () => Promise.resolve({ row_count: 1, byte_count: 1 }))
  expect(await rowsOf('e')).toMatchObject([
    { status: 'failed', error: 'The process ended during the run.' },
    { status: 'done' },
  ])
})

test('a run that logs without end keeps its first lines', async () => {
  await run('f', (log) => {
    for (let i = 0; i < 2_000; i++) log.info({ i }, 'Again.')
    return Promise.resolve({ row_count: 0, byte_count: 0 })
  })
  const [row] = await rowsOf('f')
  expect(row!['log_lines']).toHaveLength(500)
})

test('the list of runs begins with the newest', async () => {
  const runs = await selectRuns(pool, 2)
  expect(runs.map(({ job_window }) => job_window)).toEqual(['f', 'e'])
  expect(runs[0]).toMatchObject({ status: 'done', row_count: '0', elapsed_s: expect.any(Number) })
})

test('a run whose lock breaks is still recorded, and the next statement takes the lock again', async () => {
  const holders = async (): Promise<readonly number[]> => {
    const { rows } = await pool.query<{ pid: number }>(
      `select l.pid from pg_locks l join pg_database d on d.oid = l.database
       where l.locktype = 'advisory' and d.datname = current_database()`,
    )
    return rows.map(({ pid }) => pid)
  }
  const nothing = { row_count: 0, byte_count: 0 }
  await run('broken', async (log) => {
    const [pid] = await holders()
    await pool.query('select pg_terminate_backend($1)', [pid])
    await until('its session is gone', async () => (await holders()).length === 0)
    log.info({}, 'Still here.')
    await until('the lock is taken again', async () => (await holders()).length === 1)
    const other = createPool(pool.options.connectionString!, 'other', 2)
    const options = { job: 'test', job_window: 'broken', attempt: 1, now: Date.now }
    const again = runJob(other, { ...options, log: silentLogger }, async () => nothing)
    await expect(again).rejects.toThrow('already running')
    await other.end()
    return nothing
  })
  expect(await rowsOf('broken')).toMatchObject([{ status: 'done' }])
  expect(await holders()).toEqual([])
})
