/** The examples of docs/api-examples.md for the shell and for TypeScript, run as they stand. */
import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { DAY_US, fromMillis, micros, toIso } from '#core/time.ts'
import { mintToken } from '#core/access-token.ts'
import { startWorker, type LocalWorker } from '../../infra/local/worker.ts'
import { workerBundle } from '../support/worker-bundle.ts'
import { publishRows } from '../support/dataset-file.ts'
import { addQuotes, addSymbol, addTrades, setLatest, startEdge, TOKEN_SECRET } from './support.ts'

const ROOT = new URL('../../', import.meta.url)
const text = await readFile(new URL('docs/api-examples.md', ROOT), 'utf8')
const blocks = (language: string): readonly string[] =>
  [...text.matchAll(new RegExp(`^\`\`\`${language}\n([^]*?)^\`\`\``, 'gm'))].map(
    (match) => match[1]!,
  )
const commands = blocks('sh').flatMap((block) =>
  block.split('\n').filter((line) => line.startsWith('curl ')),
)

const edge = await startEdge()
const dir = await mkdtemp(join(tmpdir(), 'booktape-examples-'))
const now = fromMillis(Date.now())
let worker: LocalWorker
let env: Record<string, string | undefined>

beforeAll(async () => {
  const id = await addSymbol(edge.pool, 'BTCUSDT')
  await addSymbol(edge.pool, 'ETHUSDT')
  const moment = toIso(micros(now - 5_000_000))
  await addQuotes(edge.pool, id, [[moment, 1, 61800.2, 61800.3, 0.5, 12]])
  await addTrades(edge.pool, id, [[moment, 1, 61800.2, 0.005]])
  await edge.pool.query("select marketdata.ensure_hour('depth_events', $1)", [moment])
  await edge.pool.query(
    `insert into marketdata.depth_events
       (ts_exchange, ts_ingest, symbol_id, depth_kind, final_update_id, bids, asks)
     values ($1, $1, $2, 'snapshot', 1, '{{61800.2,0.5}}', '{{61800.3,12.041}}')`,
    [moment, id],
  )
  await edge.pool.query(
    `insert into marketdata.open_interest (symbol_id, ts_exchange, open_interest)
     values ($1, '2024-03-29T00:05:00Z', 80000.5)`,
    [id],
  )
  const day = toIso(micros(now - DAY_US)).slice(0, 10)
  const times = [fromMillis(Date.parse(`${day}T12:00:00Z`))]
  await setLatest(
    edge.store,
    await publishRows(edge.store, 'features_1s', day, ['BTCUSDT'], times, ['ofi']),
  )
  worker = await startWorker({
    port: 0,
    bundle: await workerBundle(),
    bindings: { ...edge.bindings, PUBLIC_READ: 'false' },
    persist_dir: join(dir, 'state'),
  })
  const { text: TOKEN } = await mintToken(TOKEN_SECRET, ['read', 'datasets'], 1, now)
  env = { ...process.env, EDGE: worker.url, TOKEN }
})
afterAll(async () => {
  await worker?.stop()
  await rm(dir, { recursive: true })
})

test('there are examples to run', () => {
  expect([commands.length, blocks('ts').length]).toEqual([14, 2])
})

describe('curl', () => {
  for (const command of commands) {
    test(command.replace('curl -fsS ', '').slice(0, 100), async () => {
      const { stdout } = await promisify(execFile)('sh', ['-c', command], { env, cwd: dir })
      if (!command.includes(' -o '))
        return expect(stdout).toMatch(/BTCUSDT|features_1s|"ok"|61800|80000\.5/)
      expect((await stat(join(dir, 'yesterday.parquet'))).size).toBeGreaterThan(100)
    })
  }
})

for (const [index, expected] of ['BTCUSDT 5', '1\n'].entries()) {
  test(`TypeScript, example ${index + 1}`, async () => {
    const file = join(dir, `example-${index}.ts`)
    const client = new URL('edge-api/client/index.ts', ROOT).href
    await writeFile(file, blocks('ts')[index]!.replace('./edge-api/client/index.ts', client))
    const { stdout } = await promisify(execFile)(process.execPath, [file], { env })
    expect(stdout).toContain(expected.slice(0, 7))
  })
}
