/** The state of each stream for people, as of the last record that the writer read. */
import type { Channel, GapCause } from '#core/market.ts'
import type { Micros } from '#core/time.ts'
import type { BookKeeper } from '../books/keeper.ts'
import { UNHEARD } from './sequence-state.ts'
import type { StreamTable } from './stream-table.ts'

export interface StreamReport {
  readonly symbol: string
  readonly channel: Channel
  /** Times of the newest event; null if there was none since the subscription. */
  readonly last_event: { readonly ts_exchange: Micros; readonly ts_ingest: Micros } | null
  readonly lost: { readonly cause: GapCause; readonly since: Micros } | null
  /** Whether the local book is in sequence; null for a stream without a book. */
  readonly is_book_synced: boolean | null
}

export function reportStreams(
  streams: StreamTable,
  books: Pick<BookKeeper, 'state'> | undefined,
): readonly StreamReport[] {
  return [...streams.all()].flatMap(({ exchange, symbol, channel, state }) => {
    if (state === undefined) return []
    const { ts_exchange, ts_ingest, deaf_cause, loss, last_id } = state
    const book = channel === 'depth_events' ? books?.state(exchange, symbol) : undefined
    return {
      symbol,
      channel,
      last_event: last_id === UNHEARD ? null : { ts_exchange, ts_ingest },
      lost:
        deaf_cause === undefined ? null : { cause: deaf_cause, since: loss?.lost_at ?? ts_ingest },
      is_book_synced: book === undefined ? null : book === 'synced',
    }
  })
}
