/** What the sequence check needs from an event: its id and what precedes it. */
import { type MarketEvent, orderOf } from '#core/market.ts'
import type { SequencedEvent } from './sequence-state.ts'

/** For an event that `connection` delivered. */
export function sequencedEvent(event: MarketEvent, connection: number): SequencedEvent {
  const { ts_exchange, ts_ingest } = event
  const id = orderOf(event)
  // A whole state with id 1: the exchange has restarted its numbering.
  const restarts_numbering = id === 1 && (event.kind === 'depth' || event.kind === 'book_ticker')
  const follows = followsOf(event)
  return {
    id,
    follows,
    fills: fillsOf(event),
    restarts_numbering,
    ts_exchange,
    ts_ingest,
    connection,
  }
}

function fillsOf(event: MarketEvent): SequencedEvent['fills'] {
  if (event.kind !== 'trade') return undefined
  const { first_trade_id: first, last_trade_id: last } = event
  return first === null || last === null ? undefined : { first, last }
}

/** Whether the ids count what a gap misses, and can be used to request its trades. */
export function hasCountedIds(event: MarketEvent): boolean {
  return !((event.kind === 'trade' || event.kind === 'void_trade') && event.seq !== undefined)
}

/** The id that the event follows; undefined if ids only grow. */
function followsOf(event: MarketEvent): number | undefined {
  switch (event.kind) {
    case 'trade':
    case 'void_trade':
      return event.seq === undefined ? event.agg_trade_id - 1 : undefined
    case 'depth':
      if (event.depth_kind === 'partial') return undefined
      // A snapshot in the stream replaces the diff with its id.
      if (event.depth_kind === 'snapshot') return event.final_update_id - 1
      return event.prev_final_update_id ?? (event.first_update_id ?? event.final_update_id) - 1
    default:
      return undefined
  }
}
