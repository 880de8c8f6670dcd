/** Whether a service answers, and since when. */
import { describeError } from '#core/errors.ts'
import type { ServiceView } from '../wire.ts'

export interface Service {
  readonly view: ServiceView
  /** Undefined if the service does not answer; the view then gives the reason. */
  watch<T>(use: () => Promise<T>): Promise<T | undefined>
}

export function createService(): Service {
  let view: ServiceView = { is_up: true, since: new Date().toISOString(), error: null }
  const note = (error: string | null): void => {
    const is_up = error === null
    const since = is_up === view.is_up ? view.since : new Date().toISOString()
    view = { is_up, since, error }
  }
  return {
    get view() {
      return view
    },
    async watch(use) {
      try {
        const value = await use()
        note(null)
        return value
      } catch (error) {
        note(shortened(describeError(error)))
        return undefined
      }
    },
  }
}

function shortened(text: string): string {
  const plain = text.replace(/^Postgres does not answer: /, '').split('\n')[0]!
  const short = plain.length > 160 ? `${plain.slice(0, 160)}…` : plain
  return short.replace(/\. What needs no database.*$/, '').replace(/\.$/, '')
}
