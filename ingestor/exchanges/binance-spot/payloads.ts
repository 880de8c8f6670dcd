/** Turns payloads of Binance spot, from socket or REST, into market events. */
import type { BookTicker, DepthEvent, Trade, VoidTrade } from '#core/market.ts'
import type { Micros } from '#core/time.ts'
import type { WireRestTrade } from '../binance-rest.ts'
import {
  field,
  type Fields,
  flagField,
  idField,
  levelsField,
  quoteSide,
  Rejection,
  symbolField,
} from '../fields.ts'
import { isMarkedVoid, tradeAmounts } from '../void-trade.ts'
import type { WireAggTrade, WireBook, WireBookTicker, WireDepthUpdate, WireTrade } from './wire.ts'

export const EXCHANGE = 'binance-spot'

/** Reads a time in the requested unit: timeField or exactMicrosField of fields.ts. */
export type ReadTime = (fields: Fields, name: string) => Micros

/** The payload has no time, so the receive time is used. */
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
  const identity = {
    exchange: EXCHANGE,
    symbol,
    ts_exchange: readTime(wire, name('T')),
    ts_ingest,
    agg_trade_id: idField(wire, name('a')),
  } as const
  const amounts = tradeAmounts(wire, name('p'), name('q'), isMarkedVoid(wire))
  if (amounts === undefined) return { kind: 'void_trade', ...identity }
  return {
    kind: 'trade',
    ...identity,
    ...amounts,
    non_rpi_qty: null,
    first_trade_id: idField(wire, name('f')),
    last_trade_id: idField(wire, name('l')),
    is_buyer_maker: flagField(wire, name('m')),
  }
}

export function readTrade(wire: Fields, ts_ingest: Micros, readTime: ReadTime): Trade | VoidTrade {
  const symbol = symbolField(wire, field<WireTrade>('s'))
  const names: FillNames<WireTrade> = { id: 't', price: 'p', qty: 'q', time: 'T', maker: 'm' }
  return readFill(wire, symbol, ts_ingest, readTime, names)
}

export function readRestTrade(
  wire: Fields,
  symbol: string,
  ts_ingest: Micros,
  readTime: ReadTime,
): Trade | VoidTrade {
  const names: FillNames<WireRestTrade> = {
    id: 'id',
    price: 'price',
    qty: 'qty',
    time: 'time',
    maker: 'isBuyerMaker',
  }
  return readFill(wire, symbol, ts_ingest, readTime, names)
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

/** A snapshot or partial book. Only stream or path names its symbol, and it has no time. */
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

/** The names of a fill's fields, which differ between socket and REST. */
type FillNames<Wire> = Readonly<
  Record<'id' | 'price' | 'qty' | 'time' | 'maker', keyof Wire & string>
>

function readFill<Wire>(
  wire: Fields,
  symbol: string,
  ts_ingest: Micros,
  readTime: ReadTime,
  names: FillNames<Wire>,
): Trade | VoidTrade {
  const identity = {
    exchange: EXCHANGE,
    symbol,
    ts_exchange: readTime(wire, names.time),
    ts_ingest,
    agg_trade_id: idField(wire, names.id),
  } as const
  const amounts = tradeAmounts(wire, names.price, names.qty, isMarkedVoid(wire))
  if (amounts === undefined) return { kind: 'void_trade', ...identity }
  return {
    kind: 'trade',
    ...identity,
    ...amounts,
    non_rpi_qty: null,
    first_trade_id: null,
    last_trade_id: null,
    is_buyer_maker: flagField(wire, names.maker),
  }
}
