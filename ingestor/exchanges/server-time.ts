/** The exchange's clock from the answer to a question for its time. */
import type { ServerTime } from './adapter.ts'
import { isFields } from './fields.ts'

/** `field`: the one of the answer that holds milliseconds since 1970. */
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
