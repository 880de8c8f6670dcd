/** Payloads about the book and about positions: depth, mark price, forced orders. */
import type { DepthEvent, Liquidation, MarkPrice } from '#core/market.ts'
import type { Micros } from '#core/time.ts'
import type { DepthStream } from '../adapter.ts'
import {
  decimalField,
  field,
  idField,
  levelsField,
  positiveField,
  Rejection,
  signedDecimalField,
  symbolField,
  timeField,
  type Fields,
} from '../fields.ts'
import { EXCHANGE } from './letters.ts'
import type { WireDepthSnapshot, WireDepthUpdate, WireForceOrder, WireMarkPrice } from './wire.ts'

export function readDepthUpdate(
  wire: Fields,
  depth_stream: DepthStream,
  ts_ingest: Micros,
): DepthEvent {
  const name = field<WireDepthUpdate>
  const first_update_id = idField(wire, name('U'))
  const final_update_id = idField(wire, name('u'))
  const prev_final_update_id = idField(wire, name('pu'))
  if (first_update_id > final_update_id || prev_final_update_id > final_update_id) {
    throw new Rejection('out_of_range', 'U and pu: expected at most u')
  }
  const is_partial = depth_stream !== 'diff'
  return {
    kind: 'depth',
    exchange: EXCHANGE,
    symbol: symbolField(wire, name('s')),
    ts_exchange: timeField(wire, name('T')),
    ts_ingest,
    depth_kind: is_partial ? 'partial' : 'diff',
    first_update_id: is_partial ? null : first_update_id,
    final_update_id,
    prev_final_update_id: is_partial ? null : prev_final_update_id,
    bids: levelsField(wire, name('b')),
    asks: levelsField(wire, name('a')),
  }
}

/** A snapshot from REST. Only the path names its symbol. */
export function readSnapshot(wire: Fields, symbol: string, ts_ingest: Micros): DepthEvent {
  const name = field<WireDepthSnapshot>
  return {
    kind: 'depth',
    exchange: EXCHANGE,
    symbol,
    ts_exchange: timeField(wire, name('T')),
    ts_ingest,
    depth_kind: 'snapshot',
    first_update_id: null,
    final_update_id: idField(wire, name('lastUpdateId')),
    prev_final_update_id: null,
    bids: levelsField(wire, name('bids')),
    asks: levelsField(wire, name('asks')),
  }
}

export function readMarkPrice(wire: Fields, ts_ingest: Micros): MarkPrice {
  const name = field<WireMarkPrice>
  const has_funding = wire[name('r')] !== '' && wire[name('T')] !== 0
  return {
    kind: 'mark_price',
    exchange: EXCHANGE,
    symbol: symbolField(wire, name('s')),
    ts_exchange: timeField(wire, name('E')),
    ts_ingest,
    mark_price: positiveField(wire, name('p')),
    index_price: decimalField(wire, name('i')) || null,
    settle_price: decimalField(wire, name('P')) || null,
    funding_rate: has_funding ? signedDecimalField(wire, name('r')) : null,
    next_funding_at: has_funding ? timeField(wire, name('T')) : null,
  }
}

/** `order` is the frame's `o`. */
export function readLiquidation(order: Fields, ts_ingest: Micros): Liquidation {
  const name = field<WireForceOrder['o']>
  const side = order[name('S')]
  if (side !== 'BUY' && side !== 'SELL') throw new Rejection('bad_field', 'S: expected BUY or SELL')
  return {
    kind: 'liquidation',
    exchange: EXCHANGE,
    symbol: symbolField(order, name('s')),
    ts_exchange: timeField(order, name('T')),
    ts_ingest,
    side: side === 'BUY' ? 'buy' : 'sell',
    price: positiveField(order, name('p')),
    average_price: decimalField(order, name('ap')),
    qty: positiveField(order, name('q')),
    filled_qty: decimalField(order, name('z')),
  }
}
