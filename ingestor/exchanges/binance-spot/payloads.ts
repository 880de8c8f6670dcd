/** Payloads of Binance spot as market events, whichever way they came: socket or REST. */
import type { BookTicker, DepthEvent, Trade, VoidTrade } from '#core/market.ts'
import type { Micros } from '#core/time.ts'
import type { WireRestTrade } from '../binance-rest.ts'
import {
  decimalField,
  field,
  type Fields,
  flagField,
  idField,
  levelsField,
  positiveField,
  quoteSide,
  Rejection,
  symbolField,
} from '../fields.ts'
import type { WireAggTrade, WireBook, WireBookTicker, WireDepthUpdate, WireTrade } from './wire.ts'

export const EXCHANGE = 'binance-spot'

/** Reads a time in the unit that was asked for: timeField or exactMicrosField of fields.ts. */
export type ReadTime = (fields: Fields, name: string) => Micros

/** The exchange says no time: the receive time stands for it. */
export function readBookTicker(wire: Fields, ts_ingest: Micros): BookTicker {
  const name = field<WireBookTicker>
  const bid = quoteSide(wire, name('b'), name('B'))
  const ask = quoteSide(wire, name('a'), name('A'))
  return {
    kind: 'book_ticker',
    exchange: EXCHANGE,
    symbol: symbolField(wire, name('s')),
    ts_exchange: ts_ingest,
    ts_ingest,
    update_id: idField(wire, name('u')),
    best_bid: bid.price,
    bid_qty: bid.qty,
    best_ask: ask.price,
    ask_qty: ask.qty,
  }
}

export function readAggTrade(
  wire: Fields,
  symbol: string,
  ts_ingest: Micros,
  readTime: ReadTime,
): Trade | VoidTrade {
  const name = field<WireAggTrade>
  const trade = {
    exchange: EXCHANGE,
    symbol,
    ts_exchange: readTime(wire, name('T')),
    ts_ingest,
    agg_trade_id: idField(wire, name('a')),
  } as const
  const price = decimalField(wire, name('p'))
  const qty = decimalField(wire, name('q'))
  if (price === 0 || qty === 0) return { kind: 'void_trade', ...trade }
  return {
    kind: 'trade',
    ...trade,
    price,
    qty,
    non_rpi_qty: null,
    first_trade_id: idField(wire, name('f')),
    last_trade_id: idField(wire, name('l')),
    is_buyer_maker: flagField(wire, name('m')),
  }
}

export function readTrade(wire: Fields, ts_ingest: Micros, readTime: ReadTime): Trade {
  const name = field<WireTrade>
  return singleFill({
    symbol: symbolField(wire, name('s')),
    ts_exchange: readTime(wire, name('T')),
    ts_ingest,
    agg_trade_id: idField(wire, name('t')),
    price: positiveField(wire, name('p')),
    qty: positiveField(wire, name('q')),
    is_buyer_maker: flagField(wire, name('m')),
  })
}

export function readRestTrade(
  wire: Fields,
  symbol: string,
  ts_ingest: Micros,
  readTime: ReadTime,
): Trade {
  const name = field<WireRestTrade>
  return singleFill({
    symbol,
    ts_exchange: readTime(wire, name('time')),
    ts_ingest,
    agg_trade_id: idField(wire, name('id')),
    price: positiveField(wire, name('price')),
    qty: positiveField(wire, name('qty')),
    is_buyer_maker: flagField(wire, name('isBuyerMaker')),
  })
}

export function readDepthUpdate(wire: Fields, ts_ingest: Micros, readTime: ReadTime): DepthEvent {
  const name = field<WireDepthUpdate>
  const first_update_id = idField(wire, name('U'))
  const final_update_id = idField(wire, name('u'))
  if (first_update_id > final_update_id) {
    throw new Rejection('out_of_range', 'U: expected at most u')
  }
  return {
    kind: 'depth',
    exchange: EXCHANGE,
    symbol: symbolField(wire, name('s')),
    ts_exchange: readTime(wire, name('E')),
    ts_ingest,
    depth_kind: 'diff',
    first_update_id,
    final_update_id,
    prev_final_update_id: null,
    bids: levelsField(wire, name('b')),
    asks: levelsField(wire, name('a')),
  }
}

/** A book, whole or in part: stream or path alone names its symbol, and nothing its time. */
export function readBook(
  wire: Fields,
  symbol: string,
  depth_kind: 'partial' | 'snapshot',
  ts_ingest: Micros,
): DepthEvent {
  const name = field<WireBook>
  return {
    kind: 'depth',
    exchange: EXCHANGE,
    symbol,
    ts_exchange: ts_ingest,
    ts_ingest,
    depth_kind,
    first_update_id: null,
    final_update_id: idField(wire, name('lastUpdateId')),
    prev_final_update_id: null,
    bids: levelsField(wire, name('bids')),
    asks: levelsField(wire, name('asks')),
  }
}

function singleFill(
  fill: Omit<Trade, 'kind' | 'exchange' | 'non_rpi_qty' | 'first_trade_id' | 'last_trade_id'>,
): Trade {
  const unknown = { non_rpi_qty: null, first_trade_id: null, last_trade_id: null } as const
  return { kind: 'trade', exchange: EXCHANGE, ...fill, ...unknown }
}
