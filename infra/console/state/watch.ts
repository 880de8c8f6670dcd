/**
 * Polls the whole installation and keeps one snapshot for all viewers. It polls more often while
 * somebody watches. Each kind of look has a time limit and never runs twice at once.
 */
import { describeError } from '#core/errors.ts'
import type { Logger } from '#core/node/log.ts'
import type { Pool } from '#core/node/pool.ts'
import { type Report, REPORT_STALE_S } from '#core/validation.ts'
import type { RetentionSettings } from '../../../jobs/retention/settings.ts'
import { readRetentionPlan, readDisk } from '../data/database.ts'
import type { DatasetReader } from '../data/datasets.ts'
import { countGaps } from '../data/gaps.ts'
import { createHistoryStore } from '../data/history.ts'
import { readNewestRuns } from '../data/jobs.ts'
import { whileThere } from '../data/read.ts'
import { isStale, selectNewest } from '../data/validation.ts'
import type { Fleet } from '../ingestors/fleet.ts'
import type {
  DatasetNews,
  DiskView,
  HistoryPoint,
  RunView,
  Snapshot,
  StreamsView,
  Totals,
} from '../wire.ts'
import { createGrowthBook } from './growth.ts'
import { createHistory } from './history.ts'
import { createPaceBook } from './pace.ts'
import { createRecentBook } from './recent.ts'
import { createService } from './service.ts'
import { judgeStreams } from './streams.ts'
import { createTotalsBook } from './totals.ts'
import { type Facts, findTroubles, levelOf, sentenceOf } from './troubles.ts'

export interface Watch {
  snapshot(): Snapshot
  /** Changes whenever viewers should get a snapshot at once. */
  digest(): string
  /** All streams with their current pace. */
  streams(): Promise<StreamsView>
  history(): Promise<readonly HistoryPoint[]>
  /** Looks at once, after a change. */
  lookNow(): void
  stop(): void
}

export interface WatchOptions {
  readonly pool: Pool
  readonly fleet: Fleet
  readonly datasets: DatasetReader
  readonly retention: RetentionSettings
  readonly log: Logger
  isWatched(): boolean
}

const TICK_MS = 500
const POINT_MS = 5_000

/** Period of each look: while somebody watches, and otherwise. */
const EVERY_MS = {
  ingestors: [1_000, 5_000],
  find: [2_000, 5_000],
  streams: [1_500, 15_000],
  runs: [3_000, 30_000],
  gaps: [5_000, 30_000],
  store: [15_000, 60_000],
  disk: [30_000, 60_000],
  validation: [10_000, 30_000],
  history: [15_000, 15_000],
} as const
type Look = keyof typeof EVERY_MS

export function startWatch(options: WatchOptions): Watch {
  const { pool, fleet, datasets, retention, log } = options
  const database = createService()
  const store = createService()
  const history = createHistory()
  const history_store = createHistoryStore(pool)
  const paces = createPaceBook()
  const growth = createGrowthBook()
  const totals_book = createTotalsBook()
  const recent_book = createRecentBook()
  let recent: Facts['recent'] = new Map()
  let totals: Totals | undefined
  let streams: StreamsView | undefined
  let runs: { readonly running: readonly RunView[]; readonly failed: readonly RunView[] } = {
    running: [],
    failed: [],
  }
  let gaps: Snapshot['gaps'] = null
  let disk: DiskView | undefined
  let report: Report | undefined
  const began_ms = Date.now()
  let news: readonly DatasetNews[] = []
  let point: HistoryPoint | null = null
  let point_at_ms = -Infinity

  const readStreams = async (): Promise<StreamsView> => {
    streams = judgeStreams(await fleet.streams(), fleet.views(), paces, Date.now())
    return streams
  }
  const looks: Record<Look, () => Promise<void>> = {
    async ingestors() {
      await fleet.refresh()
      totals = totals_book.add(fleet.views(), Date.now())
      recent = recent_book.add(fleet.views(), Date.now())
    },
    async find() {
      await database.watch(() => whileThere(() => fleet.find(pool)))
    },
    async streams() {
      await readStreams()
    },
    async runs() {
      if (database.view.is_up) runs = await readNewestRuns(pool)
    },
    async gaps() {
      gaps = database.view.is_up ? await countGaps(pool) : null
    },
    async store() {
      news = (await store.watch(() => datasets.newest())) ?? news
    },
    async disk() {
      if (!database.view.is_up) return
      const now_ms = Date.now()
      const plan = await readRetentionPlan(pool, retention, now_ms)
      disk = await readDisk(pool, plan, growth.add(plan, now_ms), now_ms)
    },
    async validation() {
      if (database.view.is_up) report = await selectNewest(pool)
    },
    async history() {
      if (database.view.is_up) await history.sync(history_store)
    },
  }
  const last_ms = new Map<Look, number>()
  const running = new Set<Look>()

  const take = async (look: Look): Promise<void> => {
    running.add(look)
    last_ms.set(look, performance.now())
    try {
      await looks[look]()
    } catch (error) {
      log.debug({ code: 'look_failed', look, error: describeError(error) }, 'A look failed.')
    } finally {
      running.delete(look)
    }
  }
  const tick = (): void => {
    const now_ms = performance.now()
    const column = options.isWatched() ? 0 : 1
    for (const [look, every] of Object.entries(EVERY_MS) as [Look, readonly [number, number]][]) {
      const is_due = now_ms - (last_ms.get(look) ?? -Infinity) >= every[column]
      if (is_due && !running.has(look)) void take(look)
    }
    if (now_ms - point_at_ms >= POINT_MS) {
      point_at_ms = now_ms
      point = pointOf(totals, Date.now())
      history.add(point)
    }
  }
  const timer = setInterval(tick, TICK_MS)
  setImmediate(tick)

  const facts = (): Facts => ({
    ingestors: fleet.views(),
    streams,
    totals,
    recent,
    database: database.view,
    store: store.view,
    disk,
    failed: runs.failed,
    report,
    // Earlier, the installation may just have started.
    are_checks_late: Date.now() - began_ms > REPORT_STALE_S * 1_000 && isStale(report, Date.now()),
  })
  return {
    async history() {
      // A new console first reads the points that an earlier one stored.
      await take('history')
      return history.points
    },
    streams: readStreams,
    snapshot() {
      const found = facts()
      const troubles = findTroubles(found)
      return {
        at: new Date().toISOString(),
        level: levelOf(troubles),
        sentence: sentenceOf(troubles, found),
        troubles,
        totals: totals ?? null,
        ingestors: found.ingestors,
        database: database.view,
        store: store.view,
        disk: disk ?? null,
        newest_datasets: news,
        gaps,
        running: runs.running,
        failed: runs.failed,
        point,
      }
    },
    digest() {
      const found = facts()
      const codes = findTroubles(found).map(({ code }) => code)
      const states = found.ingestors.map(
        ({ reach, status }) => `${reach} ${status?.state} ${status?.desired.revision}`,
      )
      const jobs = [...runs.running, ...runs.failed].map(({ id, status }) => `${id} ${status}`)
      return [...codes, ...states, database.view.is_up, store.view.is_up, ...jobs].join('|')
    },
    lookNow() {
      last_ms.clear()
      tick()
    },
    stop: () => clearInterval(timer),
  }
}

function pointOf(totals: Totals | undefined, now_ms: number): HistoryPoint {
  const at_s = Math.round(now_ms / 1_000)
  if (totals === undefined) return [at_s, null, null, null, null]
  const { events_per_s, rows_per_s, lag_ms, tape_backlog_bytes } = totals
  return [
    at_s,
    Math.round(events_per_s),
    Math.round(rows_per_s),
    Math.round(lag_ms),
    tape_backlog_bytes,
  ]
}
