/** An event as the sequence of its stream sees it: its id, and what it says of those before. */
import { type MarketEvent, orderOf } from '#core/market.ts'
import type { SequencedEvent } from './sequence-state.ts'

/** Of the stream that a socket brings. */
export function sequencedEvent(event: MarketEvent, connection: number): SequencedEvent {
  const { ts_exchange, ts_ingest } = event
  const id = orderOf(event)
  // What shows a whole state under the first id of all: the exchange has begun to count anew.
  const begins_anew = id === 1 && (event.kind === 'depth' || event.kind === 'book_ticker')
  const follows = followsOf(event)
  return { id, follows, fills: fillsOf(event), begins_anew, ts_exchange, ts_ingest, connection }
}

function fillsOf(event: MarketEvent): SequencedEvent['fills'] {
  if (event.kind !== 'trade') return undefined
  const { first_trade_id: first, last_trade_id: last } = event
  return first === null || last === null ? undefined : { first, last }
}

/** Ids by which a hole can be measured, and its trades be asked for. */
export function hasCountedIds(event: MarketEvent): boolean {
  return !((event.kind === 'trade' || event.kind === 'void_trade') && event.seq !== undefined)
}

/** The id before this event with which nothing is missing; undefined where ids only grow. */
function followsOf(event: MarketEvent): number | undefined {
  switch (event.kind) {
    case 'trade':
    case 'void_trade':
      return event.seq === undefined ? event.agg_trade_id - 1 : undefined
    case 'depth':
      if (event.depth_kind === 'partial') return undefined
      // Of a stream: it stands in the place of the diff with its id.
      if (event.depth_kind === 'snapshot') return event.final_update_id - 1
      return event.prev_final_update_id ?? (event.first_update_id ?? event.final_update_id) - 1
    default:
      return undefined
  }
}
