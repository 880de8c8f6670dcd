/**
 * The last hour of a few figures, a point every five seconds. Postgres keeps them over a restart of
 * the console; while it is away, they wait here.
 */
import type { HistoryStore } from '../data/history.ts'
import type { HistoryPoint } from '../wire.ts'

const POINTS_MAX = 720

export interface History {
  readonly points: readonly HistoryPoint[]
  add(point: HistoryPoint): void
  /** Reads what an earlier console stored, once, and stores new points. */
  sync(store: HistoryStore): Promise<void>
}

export function createHistory(): History {
  let points: readonly HistoryPoint[] = []
  let unsaved: readonly HistoryPoint[] = []
  let has_loaded = false
  return {
    get points() {
      return points
    },
    add(point) {
      points = [...points, point].slice(-POINTS_MAX)
      unsaved = [...unsaved, point].slice(-POINTS_MAX)
    },
    async sync(store) {
      if (!has_loaded) {
        const earlier = await store.load()
        const first_s = points[0]?.[0] ?? Infinity
        points = [...earlier.filter(([at_s]) => at_s < first_s), ...points].slice(-POINTS_MAX)
        has_loaded = true
      }
      const some = unsaved
      await store.save(some)
      unsaved = unsaved.filter((point) => !some.includes(point))
    },
  }
}
