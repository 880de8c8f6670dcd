/** Decides when the current day is rebuilt: as often as configured, but never most of the time. */
import { dayOf, fromMillis } from '#core/time.ts'

export interface IntradayOptions {
  /** Seconds between two builds; 0: no builds. */
  readonly intraday_features_s: number
  /** Current time, in milliseconds since 1970. */
  readonly now: () => number
}

export interface Intraday {
  /** Calls `enqueue` with the payload of each build that is due. */
  start(enqueue: (payload: unknown) => void): void
  stop(): void
  /** Runs a build. The duration of a build of the current day sets the rest before the next. */
  note(payload: unknown, build: () => Promise<void>): Promise<void>
}

/**
 * A build of twenty seconds is followed by at least eighty seconds of rest. Most builds take a few
 * seconds: they continue where the last one ended, and only copy the rest of the day's files.
 */
const REST_PER_WORK = 4

export function createIntraday({ intraday_features_s, now }: IntradayOptions): Intraday {
  let timer: NodeJS.Timeout | undefined
  let is_building = false
  let rest_until_ms = 0
  return {
    start(enqueue) {
      if (intraday_features_s === 0) return
      timer = setInterval(() => {
        if (is_building || performance.now() < rest_until_ms) return
        enqueue({ date: dayOf(fromMillis(now())), intraday: true })
      }, intraday_features_s * 1_000)
    },
    stop: () => clearInterval(timer),
    async note(payload, build) {
      if ((payload as { readonly intraday?: unknown } | null)?.intraday !== true) return build()
      const began_ms = performance.now()
      is_building = true
      try {
        await build()
      } finally {
        is_building = false
        const took_ms = performance.now() - began_ms
        rest_until_ms = performance.now() + took_ms * REST_PER_WORK
      }
    },
  }
}
