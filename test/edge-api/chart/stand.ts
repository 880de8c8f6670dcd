/**
 * A simulated exchange with 200 symbols, what records it, and the chart page over it in workerd.
 */
import { join } from 'node:path'
import { afterAll } from 'vitest'
import { silentLogger } from '#core/node/log.ts'
import type { Pool } from '#core/node/pool.ts'
import { type ExchangeServer, startExchange } from '../../../infra/exchange/server.ts'
import { freePort } from '../../../infra/local/ports.ts'
import { startWorker } from '../../../infra/local/worker.ts'
import { parseConfig } from '../../../ingestor/live/config.ts'
import { type LiveServer, startLiveServer } from '../../../ingestor/live/live-server.ts'
import { startIngestor } from '../../ingestor/support.ts'
import { temporaryDirectory } from '../../ingestor/writer/support.ts'
import { workerBundle } from '../../support/worker-bundle.ts'
import { startClusterEngine } from '../cluster-engine.ts'
import { startEdge } from '../support.ts'

const SYMBOLS = [
  'BTCUSDT',
  'ETHUSDT',
  ...Array.from({ length: 198 }, (_, i) => `S${String(i + 1).padStart(3, '0')}USDT`),
]

export interface ChartStand {
  readonly url: string
  readonly pool: Pool
  readonly exchange: ExchangeServer
  stopLive(): Promise<void>
  startLive(): Promise<void>
}

export async function startChartStand(): Promise<ChartStand> {
  const edge = await startEdge()
  const exchange = await startExchange({
    port: 0,
    source: { kind: 'sim', seed: 11, symbols: SYMBOLS, events_per_s: 400 },
  })
  const dir = temporaryDirectory()
  const ingestor = startIngestor({
    DATABASE_URL: edge.database_url,
    INGESTOR_ID: 'one',
    TAPE_DIR: join(dir, 'tape'),
    EXCHANGE_WS_URL: exchange.ws_url,
    EXCHANGE_REST_URL: exchange.url,
    SYMBOLS: SYMBOLS.join(','),
    DEPTH_SYMBOLS: 'BTCUSDT',
  })
  await ingestor.ready
  const engine = await startClusterEngine(edge)
  const port = await freePort()
  let live: LiveServer | undefined
  const startLive = async (): Promise<void> => {
    const config = parseConfig({
      DATABASE_URL: edge.database_url,
      LIVE_TAPES: `one=${join(dir, 'tape')}`,
      LIVE_PUBLIC: 'true',
      LIVE_PORT: String(port),
      LIVE_DRAIN_S: '0',
      ...engine.bindings,
    })
    live = await startLiveServer(config, silentLogger, new AbortController().signal)
  }
  const stopLive = async (): Promise<void> => {
    await live?.stop()
    live = undefined
  }
  await startLive()
  const worker = await startWorker({
    port: 0,
    bundle: await workerBundle(),
    bindings: {
      ...edge.bindings,
      ...engine.bindings,
      PUBLIC_READ: 'read,datasets,ops,live',
      LIVE_URL: `http://127.0.0.1:${port}`,
    },
    persist_dir: join(dir, 'miniflare'),
  })
  afterAll(async () => {
    await worker.stop()
    await stopLive()
    ingestor.kill('SIGKILL')
    await ingestor.exited
    await exchange.stop()
  })
  return { url: worker.url, pool: edge.pool, exchange, startLive, stopLive }
}
