/**
 * Kept connections to the services behind the edge, lost at the moment of the next request: a
 * caller does not see it, neither in workerd nor on Node.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { fromMillis } from '#core/time.ts'
import { composeApp } from '../../edge-api/compose.ts'
import { startWorkerd } from '../../infra/local/workerd/start.ts'
import { createStand } from '../ingestor/live/stand.ts'
import { archiveHour, dropHour } from '../support/archive-hours.ts'
import { atFileEnd } from '../support/file-end.ts'
import { fillHour } from '../support/market-hours.ts'
import { workerBundle } from '../support/worker-bundle.ts'
import { startClusterEngine } from './cluster-engine.ts'
import type { Ask } from './contract.ts'
import { type CuttingRelay, startCuttingRelay } from '../support/cutting-relay.ts'
import { addQuotes, addSymbol, startEdge, TOKEN_SECRET } from './support.ts'

const HOUR_MS = 3_600_000
const QUESTIONS_EACH = 4

const edge = await startEdge({ own_store: true })
const engine = await startClusterEngine(edge)
const stand = await createStand('one')
stand.recordings[0]!.startWriter()
const live = await stand.startLive({ LIVE_PUBLIC: 'false', TOKEN_SECRET })

const id = await addSymbol(edge.pool, 'BTCUSDT')
const now_ms = Date.now()
for (const ms of [now_ms, (Math.floor(now_ms / HOUR_MS) + 1) * HOUR_MS]) {
  await addQuotes(edge.pool, id, [[new Date(ms).toISOString(), 7, 61800.2, 61800.3, 0.5, 12.041]])
}
await fillHour(edge.pool, id, '2024-08-07T22:00:00Z', 50)
const archived = await archiveHour(edge.pool, edge.store, 'trades', '2024-08-07T22:00:00Z')
await dropHour(edge.pool, archived)

const rangeOf = (i: number): string => `from=2024-08-07T22:00:00Z&to=2024-08-07T22:${10 + i}:00Z`
/** What the caller gets. Every question is asked once, so no cache has its answer. */
const QUESTIONS: readonly (readonly [status: number, pathOf: (i: number) => string])[] = [
  [200, (i) => `/v1/trades/BTCUSDT?limit=${i}`],
  [200, (i) => `/v1/quotes/BTCUSDT/latest?max_age_s=${5_000 + i}`],
  [200, (i) => `/v1/trades/BTCUSDT?${rangeOf(i)}`],
  [404, (i) => `/v1/datasets/features_1s/2024-08-0${i}`],
  [200, (i) => `/v1/clusters/BTCUSDT?${rangeOf(i)}`],
  [200, () => '/v1/trades/BTCUSDT?wait=0'],
]

async function inWorkerd(bindings: Readonly<Record<string, string>>): Promise<Ask> {
  const dir = await mkdtemp(join(tmpdir(), 'booktape-lost-'))
  const revoked_file = join(dir, 'revoked-tokens')
  const bundle = await workerBundle()
  const server = await startWorkerd({ port: 0, bundle, bindings, dir, revoked_file })
  atFileEnd(async () => {
    await server.stop()
    await rm(dir, { recursive: true })
  })
  return (path, init) => fetch(server.url + path, init)
}

async function inNode(bindings: Readonly<Record<string, string>>): Promise<Ask> {
  const app = composeApp(bindings, { now: () => fromMillis(Date.now()), report: () => undefined })
  return async (path, init) => app.request(path, init)
}

test.each([
  ['workerd', inWorkerd],
  ['Node', inNode],
] as const)('in %s', async (_, start) => {
  const relays: CuttingRelay[] = []
  const bindings: Record<string, string> = {
    ...edge.bindings,
    ...engine.bindings,
    LIVE_URL: live.url,
  }
  for (const name of ['GATEWAY_URL', 'S3_ENDPOINT', 'CLUSTERS_URL', 'LIVE_URL'] as const) {
    const relay = await startCuttingRelay(bindings[name]!)
    relays.push(relay)
    bindings[name] = relay.url
  }
  const ask = await start(bindings)
  for (let i = 1; i <= QUESTIONS_EACH; i++) {
    for (const [expected, pathOf] of QUESTIONS) {
      for (const relay of relays) relay.loseKept()
      const response = await ask(pathOf(i))
      const text = await response.text()
      expect([pathOf(i), response.status], text).toEqual([pathOf(i), expected])
    }
  }
  const lost_counts = relays.map(({ lost_count }) => lost_count)
  expect(Math.min(...lost_counts), lost_counts.join()).toBeGreaterThanOrEqual(QUESTIONS_EACH - 1)
})
