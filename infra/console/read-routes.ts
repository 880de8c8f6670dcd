/** What the console's API says. What it changes is in manage-routes.ts. */
import { z } from 'zod'
import type { DoorApp } from '#core/node/door/app.ts'
import { type EventHub, VIEWERS_MAX } from '#core/node/door/events.ts'
import type { ObjectStore } from '#core/node/object-store.ts'
import type { Pool } from '#core/node/pool.ts'
import { Problem } from '#core/problem.ts'
import { describeError } from '#core/errors.ts'
import { validate } from '../../jobs/validation/run-validation.ts'
import type { RetentionSettings } from '../../jobs/retention/settings.ts'
import { selectStatistics } from '../../jobs/retention/statistics.ts'
import { selectAudit } from './data/audit.ts'
import { readDatabase } from './data/database.ts'
import type { DatasetReader } from './data/datasets.ts'
import { selectDayGaps, selectSymbolGaps } from './data/gaps.ts'
import { readJobs, readRun } from './data/jobs.ts'
import { whileThere } from './data/read.ts'
import { selectMinutes } from './data/symbol.ts'
import { readValidation } from './data/validation.ts'
import type { Fleet } from './ingestors/fleet.ts'
import { checked, DayText, query } from './query.ts'
import { shared } from './shared.ts'
import type { Watch } from './state/watch.ts'
import type { AuditView, Identity, SymbolDetail } from './wire.ts'

export interface ReadDeps {
  readonly pool: Pool
  readonly fleet: Fleet
  readonly watch: Watch
  readonly datasets: DatasetReader
  readonly store: ObjectStore
  readonly retention: RetentionSettings
  readonly events: EventHub
}

const DATABASE_MS = 10_000
const VALIDATION_MS = 10_000
const AUDIT_LIMIT_MS = 2_000

/** Postgres stores no NUL, and no name has such characters. */
const Name = z
  .string()
  .min(1)
  .max(64)
  .regex(/^[^\p{Cc}\p{Cs}]*$/u, { error: 'no control characters' })

export function addReadRoutes(app: DoorApp, deps: ReadDeps): void {
  const { pool, watch, datasets, store, retention, events } = deps
  const database = shared(DATABASE_MS, () => readDatabase(pool, retention, Date.now()))
  const statistics = shared(DATABASE_MS, () =>
    whileThere(() => selectStatistics(pool, retention, Date.now())),
  )
  const validation = shared(VALIDATION_MS, () =>
    whileThere(() => validate(pool, Date.now(), store)),
  )

  app.get('/', (c) => {
    const routes = app.routes.filter(({ method }) => method !== 'ALL')
    return c.json({
      routes: [...new Set(routes.map(({ method, path }) => `${method} ${path}`))].toSorted(),
    })
  })
  app.get('/me', (c) => {
    const { scope, name } = c.get('caller')
    return c.json({ scope, name } satisfies Identity)
  })
  app.get('/summary', (c) => {
    query(c, {})
    return c.json(watch.snapshot())
  })
  for (const path of ['/monitor', '/events']) {
    app.get(path, (c) => {
      const stream = events.open(c.req.raw.signal)
      if (stream === undefined) {
        const detail = `${VIEWERS_MAX} viewers watch already.`
        throw new Problem(503, 'too_many_viewers', 'There are too many viewers.', detail)
      }
      return c.body(stream, 200, { 'content-type': 'text/event-stream' })
    })
  }
  app.get('/history', async (c) => c.json({ points: await watch.history() }))
  app.get('/streams', async (c) => {
    query(c, {})
    return c.json(await watch.streams())
  })
  app.get('/symbols/:exchange/:symbol', async (c) => {
    const asked = { exchange: c.req.param('exchange'), symbol: c.req.param('symbol') }
    const shape = z.strictObject({ exchange: Name, symbol: Name })
    const { exchange, symbol } = checked(shape, asked, ['exchange', 'symbol'])
    return c.json(await readSymbol(deps, exchange, symbol))
  })
  app.get('/gaps', async (c) => {
    const { date } = query(c, { date: DayText })
    return c.json(await selectDayGaps(pool, date))
  })
  app.get('/jobs', async (c) => {
    const { job } = query(c, { job: Name.optional() })
    return c.json(await readJobs(pool, job, Date.now()))
  })
  app.get('/jobs/:id{[0-9]{1,18}}', async (c) => {
    const run = await readRun(pool, c.req.param('id'))
    if (run === undefined) throw missing('run')
    return c.json(run)
  })
  app.get('/datasets', async (c) => c.json(await datasets.list()))
  app.get('/datasets/:name/months/:month{[0-9]{4}-[0-9]{2}}', async (c) =>
    c.json({ days: await datasets.month(c.req.param('name'), c.req.param('month')) }),
  )
  app.get('/datasets/:name/:date', async (c) => {
    const { date } = checked(z.object({ date: DayText }), c.req.param(), ['date'])
    const day = await datasets.day(c.req.param('name'), date)
    if (day === undefined) throw missing('published day')
    return c.json(day)
  })
  // A link for a browser; a page that shows a token asks for JSON and follows it itself.
  app.get('/datasets/:name/:date/files/:file', async (c) => {
    const { date } = checked(z.object({ date: DayText }), c.req.param(), ['date'])
    const url = await datasets.signedUrl(c.req.param('name'), date, c.req.param('file'))
    if (url === undefined) throw missing('file')
    const wants_json = c.req.header('accept')?.startsWith('application/json') === true
    return wants_json ? c.json({ url }) : c.redirect(url, 302)
  })
  app.get('/db-stats', async (c) => c.json(await database()))
  // As `npx booktape db-stats` prints them.
  app.get('/statistics', async (c) => c.json(await statistics()))
  // As jobs stored it, and as it is now.
  app.get('/validation', async (c) => c.json(await readValidation(pool, Date.now())))
  app.get('/validate', async (c) => c.json(await validation()))
  app.get('/audit', async (c) => c.json(await readAudit(deps)))
}

async function readSymbol(
  { pool, fleet }: ReadDeps,
  exchange: string,
  symbol: string,
): Promise<SymbolDetail> {
  const answers = (await fleet.streams()).filter((one) => one.exchange === exchange)
  const streams = answers.flatMap(({ ingestor_id, streams: all }) =>
    all.filter((stream) => stream.symbol === symbol).map((stream) => ({ ...stream, ingestor_id })),
  )
  let minutes: SymbolDetail['minutes'] = []
  let gaps: SymbolDetail['gaps'] = []
  let gaps_error: string | null = null
  try {
    gaps = await selectSymbolGaps(pool, exchange, symbol)
    minutes = await selectMinutes(pool, exchange, symbol, Date.now())
  } catch (error) {
    gaps_error = describeError(error)
  }
  return { exchange, symbol, streams, minutes, gaps, gaps_error }
}

/** While the database is away, as the ingestors' own logs have it. */
async function readAudit({ pool, fleet }: ReadDeps): Promise<AuditView> {
  try {
    return { entries: await selectAudit(pool), source: 'database' }
  } catch {
    const answers = await Promise.all(
      fleet.views().map(async ({ ingestor_id }) => {
        const asked = fleet.ask(ingestor_id, { path: '/audit', limit_ms: AUDIT_LIMIT_MS })
        const answer = await asked?.catch(() => undefined)
        return answer?.status === 200 ? (answer.body as Pick<AuditView, 'entries'>).entries : []
      }),
    )
    const entries = answers.flat().toSorted((left, right) => (left.at < right.at ? 1 : -1))
    return { entries, source: 'ingestors' }
  }
}

function missing(what: string): Problem {
  return new Problem(404, 'not_found', `There is no such ${what}.`, 'It may have been replaced.')
}
