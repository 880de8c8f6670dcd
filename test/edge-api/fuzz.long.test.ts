/**
 * Random requests made from the OpenAPI document, sent to the worker in a workerd of its own and to
 * the API on Node: never a 500, and every answer is in its schema. `npm run fuzz:edge`;
 * FUZZ_REQUESTS and FUZZ_SEED choose others.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeAll, expect, test } from 'vitest'
import { silentLogger } from '#core/node/log.ts'
import { parseNodeConfig } from '../../edge-api/node/config.ts'
import { startNodeServer } from '../../edge-api/node/server.ts'
import { startWorkerd } from '../../infra/local/workerd/start.ts'
import { atFileEnd } from '../support/file-end.ts'
import { workerBundle } from '../support/worker-bundle.ts'
import { startClusterEngine } from './cluster-engine.ts'
import { readContract, type Ask } from './contract.ts'
import { fillForInputs, fuzz } from './fuzz.ts'
import { startEdge } from './support.ts'

const COUNT = Number(process.env['FUZZ_REQUESTS'] ?? 10_000)
const SEED = Number(process.env['FUZZ_SEED'] ?? 20_240_808)

const edge = await startEdge()
const bindings = { ...edge.bindings, ...(await startClusterEngine(edge)).bindings }
const bundle = await workerBundle()
const dir = await mkdtemp(join(tmpdir(), 'booktape-fuzz-'))
atFileEnd(() => rm(dir, { recursive: true, force: true }))
beforeAll(() => fillForInputs(edge))

async function fuzzAt(url: string): Promise<Readonly<Record<number, number>>> {
  const ask: Ask = (path, init) => fetch(url + path, { redirect: 'manual', ...init })
  return fuzz(ask, await readContract(ask), { seed: SEED, count: COUNT })
}

test(`${COUNT} requests to the worker (seed ${SEED})`, async () => {
  const revoked_file = join(dir, 'revoked-tokens')
  const worker = await startWorkerd({
    port: 0,
    bundle,
    bindings,
    dir: join(dir, 'w'),
    revoked_file,
  })
  try {
    expect((await fuzzAt(worker.url))[200]).toBeGreaterThan(0.05)
  } finally {
    await worker.stop()
  }
})

test(`${COUNT} requests to the API on Node (seed ${SEED})`, async () => {
  const config = parseNodeConfig({ PORT: '0', RATE_PER_ADDRESS: '1000000' })
  const server = await startNodeServer(config, bindings, bundle.assets_dir, silentLogger)
  try {
    expect((await fuzzAt(server.url))[200]).toBeGreaterThan(0.05)
  } finally {
    server.http.closeAllConnections()
    server.http.close()
  }
})
