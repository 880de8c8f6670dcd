/** Composes the console: the page, its API, and the watch that feeds both. */
import { createDoorApp } from '#core/node/door/app.ts'
import { createEventHub } from '#core/node/door/events.ts'
import { addMetricsRoute } from '#core/node/door/metrics-door.ts'
import { openTcpDoor } from '#core/node/door/listen.ts'
import type { Logger } from '#core/node/log.ts'
import { createObjectStore } from '#core/node/object-store.ts'
import { createPool } from '#core/node/pool.ts'
import type { ConsoleConfig } from './config.ts'
import { createDatasetReader } from './data/datasets.ts'
import { createFleet } from './ingestors/fleet.ts'
import { addManageRoutes } from './manage-routes.ts'
import { createConsoleMetrics } from './metrics.ts'
import { loadPage } from './page-files.ts'
import { addReadRoutes } from './read-routes.ts'
import { createSite } from './site.ts'
import { startWatch } from './state/watch.ts'

export interface Console {
  readonly url: string
  stop(): Promise<void>
}

/** One connection for the watch, one for requests. */
export const CONSOLE_CONNECTIONS = 2
const CONNECT_LIMIT_MS = 3_000

const STATUSES: Readonly<Record<string, number>> = {
  database_away: 503,
  database_refused: 502,
  object_store_unreachable: 503,
  object_store_refused: 502,
  object_too_large: 502,
  dataset_corrupt: 502,
  job_not_runnable: 422,
  bad_job_date: 422,
  no_queue: 409,
}

/** Errors: OperatorError control_port_taken. */
export async function startConsole(config: ConsoleConfig, log: Logger): Promise<Console> {
  const { tokens, hosts, is_open_to_read, retention } = config
  const page = await loadPage()
  if (page === undefined) {
    log.warn({ code: 'page_not_built' }, 'The page was not built; only the API is served.')
  }
  const pool = createPool(
    config.database_url,
    'booktape-console',
    CONSOLE_CONNECTIONS,
    CONNECT_LIMIT_MS,
  )
  const fleet = createFleet({ endpoints: config.ingestors, token: config.ingestor_token })
  const datasets = createDatasetReader(config.object_store)
  const store = createObjectStore(config.object_store)
  const watch = startWatch({
    pool,
    fleet,
    datasets,
    retention,
    log,
    isWatched: () => events.viewer_count > 0,
  })
  const events = createEventHub(
    () => watch.snapshot(),
    () => watch.digest(),
  )
  const metrics = createConsoleMetrics({
    snapshot: () => watch.snapshot(),
    viewerCount: () => events.viewer_count,
  })
  const api = createDoorApp({
    tokens,
    hosts,
    is_open_to_read,
    statuses: STATUSES,
    log,
    onAnswered: metrics.noteRequest,
  })
  addMetricsRoute(api, metrics.exposed)
  addReadRoutes(api, { pool, fleet, watch, datasets, store, retention, events })
  addManageRoutes(api, { pool, fleet, watch })
  const door = await openTcpDoor(createSite(page, api), config.host, config.port)
  log.info({ url: door.endpoint, page_gzip_bytes: page?.gzip_bytes ?? 0 }, 'The console is up.')
  return {
    url: door.endpoint,
    async stop() {
      watch.stop()
      events.stop()
      await door.close()
      store.close()
      // Do not wait for a query that hangs.
      void pool.end().catch(() => undefined)
    },
  }
}
