/** What an ingestor says of itself, and whether it records as it should. */
import type { StatusView, StreamView } from '../../../ingestor/control/view.ts'

export interface View {
  readonly status: StatusView
  readonly streams: readonly StreamView[]
}

/** What is missing, as a sentence; undefined: it records by itself as it should. */
export function whyNotRecording({ status }: View): string | undefined {
  const { state, actual } = status
  if (state === 'paused') return undefined
  if (state !== 'live') return `its state is ${state}`
  const { streams_wanted, streams_heard, streams_refused } = actual
  if (streams_wanted === 0) return 'it has no streams yet'
  const missing = streams_wanted - streams_refused - streams_heard
  return missing > 0 ? `${missing} of ${streams_wanted} streams are not heard yet` : undefined
}

/** Symbols whose book is in sequence here. */
export function booksInSequence({ streams }: View): ReadonlySet<string> {
  const books = streams.filter(({ is_book_in_sequence }) => is_book_in_sequence === true)
  return new Set(books.map(({ symbol }) => symbol))
}

/** A change of what is recorded, as the admin API takes it. */
export interface Change {
  readonly path: '/symbols' | '/channels' | '/depth'
  readonly body: unknown
}

/**
 * What `now` records and `next` shall not, because the settings were changed: `now` has to leave
 * it out first, so that the gap ledger says when that was, and why.
 */
export function changesToLeaveOut(now: View, next: View): readonly Change[] {
  const [from, to] = [now.status, next.status]
  const wanted = new Set(to.actual.symbols)
  const kept = from.actual.symbols.filter((symbol) => wanted.has(symbol))
  const channels = from.desired.channels.filter((one) => to.desired.channels.includes(one))
  const is_other_depth = JSON.stringify(from.desired.depth) !== JSON.stringify(to.desired.depth)
  return [
    ...(kept.length < from.actual.symbols.length && kept.length > 0
      ? [{ path: '/symbols', body: { symbols: kept } } as const]
      : []),
    ...(channels.length < from.desired.channels.length && channels.length > 0
      ? [{ path: '/channels', body: { channels } } as const]
      : []),
    ...(is_other_depth ? [{ path: '/depth', body: { symbols: to.desired.depth } } as const] : []),
  ]
}
