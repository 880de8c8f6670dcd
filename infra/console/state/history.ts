/**
 * The last hour of a few figures, a point every five seconds. Kept in memory: it begins with the
 * console.
 */
import type { HistoryPoint } from '../wire.ts'

const POINTS_MAX = 720

export interface History {
  readonly points: readonly HistoryPoint[]
  add(point: HistoryPoint): void
}

export function createHistory(): History {
  const points: HistoryPoint[] = []
  return {
    points,
    add(point) {
      points.push(point)
      if (points.length > POINTS_MAX) points.shift()
    },
  }
}
