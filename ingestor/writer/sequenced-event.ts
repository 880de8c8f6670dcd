/** What the sequence check needs from an event: its id and what precedes it. */
import { type MarketEvent, orderOf } from '#core/market.ts'
import { micros } from '#core/time.ts'
import type { SequencedEvent } from './sequence-state.ts'

type Mutable<T> = { -readonly [K in keyof T]: T[K] }

/** Of every event in turn: an object for each would be a quarter of the writer's garbage. */
const reused: Mutable<SequencedEvent> = {
  id: 0,
  follows: undefined,
  fills: undefined,
  restarts_numbering: false,
  ts_exchange: micros(0),
  ts_ingest: micros(0),
  connection: 0,
}

/** For an event that `connection` delivered. Valid until the next call. */
export function sequencedEvent(event: MarketEvent, connection: number): SequencedEvent {
  const id = orderOf(event)
  reused.id = id
  reused.follows = followsOf(event)
  reused.fills = fillsOf(event)
  // A whole state with id 1: the exchange has restarted its numbering.
  reused.restarts_numbering = id === 1 && (event.kind === 'depth' || event.kind === 'book_ticker')
  reused.ts_exchange = event.ts_exchange
  reused.ts_ingest = event.ts_ingest
  reused.connection = connection
  return reused
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
