/** Reads the exchange's clock from its answer to a time request. */
import type { ServerTime } from './adapter.ts'
import { isFields } from './fields.ts'

/** `field`: the answer's field with milliseconds since 1970. */
export function serverTime(path: string, field: string): ServerTime {
  return {
    path,
    parse(body) {
      let answer: unknown
      try {
        answer = JSON.parse(body)
      } catch {
        return undefined
      }
      const ms = isFields(answer) ? answer[field] : undefined
      return typeof ms === 'number' && Number.isSafeInteger(ms) && ms > 0 ? ms : undefined
    },
  }
}
