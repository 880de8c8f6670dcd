/** The example of docs/examples, as it is printed, on two simulated days. */
import { copyFile, mkdtemp, readFile, rm, stat } from 'node:fs/promises'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { serve } from '@hono/node-server'
import { expect, test } from 'vitest'
import { silentLogger } from '#core/node/log.ts'
import { fromMillis, parseDay } from '#core/time.ts'
import { composeApp } from '../../edge-api/compose.ts'
import { runFeatures } from '../../jobs/datasets/run-features.ts'
import { insertSymbols } from '../jobs/market.ts'
import { hasPython, python } from '../support/python.ts'
import { loadSimulation } from '../support/simulated-market.ts'
import { startEdge } from './support.ts'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))
const EXAMPLE = join(ROOT, 'docs/examples/train_and_validate.py')
const MODULE = join(ROOT, 'edge-api/python/booktape.py')
const PACKAGES = ['numpy', 'pandas', 'sklearn', 'matplotlib']
/** Noon of the day that is validated on. */
const NOON = Date.parse('2024-08-10T12:00:00Z')

test('the example is short enough to read', async () => {
  const lines = (await readFile(EXAMPLE, 'utf8')).trimEnd().split('\n')
  expect(lines.length).toBeLessThanOrEqual(65)
})

test.skipIf(!hasPython(...PACKAGES))(
  'trains on a simulated day, validates on the next, and plots (needs python3-pandas, -sklearn, -matplotlib)',
  async () => {
    const edge = await startEdge()
    const dir = await mkdtemp(join(tmpdir(), 'booktape-example-'))
    await insertSymbols(edge.pool, ['BTCUSDT'])
    const span = { symbol: 'BTCUSDT', length_s: 1_500, events_per_s: 12 }
    await loadSimulation(edge.pool, { ...span, seed: 4, from_ms: NOON - 34.5 * 3_600_000 })
    await loadSimulation(edge.pool, { ...span, seed: 5, from_ms: NOON - 10.5 * 3_600_000 })
    const job = {
      pool: edge.pool,
      store: edge.store,
      work_dir: join(dir, 'work'),
      log: silentLogger,
      now: () => NOON,
      thread_count: 0,
      symbols_100ms: [],
    }
    for (const date of ['2024-08-09', '2024-08-10']) {
      await runFeatures({ ...job, date: parseDay(date)! })
    }
    const app = composeApp(edge.bindings, {
      now: () => fromMillis(Date.now()),
      report: (error) => expect(error).toBeUndefined(),
    })
    const server = serve({ fetch: (request) => app.fetch(request), port: 0, hostname: '127.0.0.1' })
    try {
      await new Promise((resolve) => server.once('listening', resolve))
      for (const file of [EXAMPLE, MODULE]) await copyFile(file, join(dir, file.split('/').at(-1)!))
      const env = {
        BOOKTAPE_URL: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
        BOOKTAPE_CACHE: join(dir, 'cache'),
        MPLCONFIGDIR: dir,
        PYTHONDONTWRITEBYTECODE: '1',
      }
      // "yesterday" is the newest complete day; "latest" is today, as far as it was built.
      const args = [join(dir, 'train_and_validate.py'), 'BTCUSDT', 'yesterday', 'latest']
      const printed = await python(args, env, dir)
      expect(printed).toMatch(/missing: features_1s 2024-08-10: the day was not over/)
      const [, train, validate] = /^(\d+) rows to train on, (\d+) to validate/m.exec(printed)!
      expect(Math.min(Number(train), Number(validate))).toBeGreaterThan(1_000)
      // The simulator's mid is a random walk: a model that finds more than chance has seen ahead.
      for (const name of ['ridge', 'trees']) {
        const line = new RegExp(`^${name}: out-of-sample correlation (-?\\d\\.\\d+)$`, 'm')
        expect(Math.abs(Number(line.exec(printed)?.[1])), printed).toBeLessThan(0.3)
      }
      const png = await readFile(join(dir, 'train_and_validate.png'))
      expect(png.subarray(1, 4).toString()).toBe('PNG')
      expect((await stat(join(dir, 'train_and_validate.png'))).size).toBeGreaterThan(10_000)
    } finally {
      server.close()
      await rm(dir, { recursive: true })
    }
  },
)

test.skipIf(spawnSync('mypy', ['--version']).status !== 0)(
  'the types of booktape.py hold (skipped where mypy is not installed)',
  () => {
    const ran = spawnSync('mypy', ['--strict', '--cache-dir=/dev/null', MODULE], {
      encoding: 'utf8',
    })
    expect(ran.stdout).toContain('Success')
  },
)
