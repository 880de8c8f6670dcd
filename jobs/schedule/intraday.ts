/** When the day that is on is built anew: so often as was asked for, and never most of the time. */
import { dayOf, fromMillis } from '#core/time.ts'

export interface IntradayOptions {
  /** Between two builds; 0: none. */
  readonly intraday_features_s: number
  /** The time now, in milliseconds since 1970. */
  readonly now: () => number
}

export interface Intraday {
  /** `ask` is called with the payload of a build that is due. */
  start(ask: (payload: unknown) => void): void
  stop(): void
  /** Runs a build. One of the day that is on tells how long to rest before the next one. */
  note(payload: unknown, build: () => Promise<void>): Promise<void>
}

/**
 * A build that takes twenty seconds is followed by eighty seconds of rest, or more. Most take a
 * few: they go on where the one before ended, and what is left is to copy the day's files.
 */
const REST_PER_WORK = 4

export function createIntraday({ intraday_features_s, now }: IntradayOptions): Intraday {
  let timer: NodeJS.Timeout | undefined
  let is_building = false
  let rest_until_ms = 0
  return {
    start(ask) {
      if (intraday_features_s === 0) return
      timer = setInterval(() => {
        if (is_building || performance.now() < rest_until_ms) return
        ask({ date: dayOf(fromMillis(now())), intraday: true })
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
