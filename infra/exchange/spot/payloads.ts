/** Payloads as Binance spot writes them, field for field. */
import { levelsText, type PayloadStyle } from '../sim/payloads.ts'

const DECIMALS = 8

export const SPOT_STYLE: PayloadStyle = {
  intervals_ms: {
    bookTicker: [undefined],
    aggTrade: [undefined],
    trade: [undefined],
    depth: [undefined, 100],
  },
  depth_interval_ms: 1_000,
  has_trade_windows: false,
  decimals: DECIMALS,
  bookTicker: ({ symbol, text }, quote) =>
    `{"u":${quote.u},"s":"${symbol}","b":"${text.price(quote.bid)}","B":"${text.qty(quote.bid_qty)}","a":"${text.price(quote.ask)}","A":"${text.qty(quote.ask_qty)}"}`,
  aggTrade: ({ symbol, text }, trade, sent_ms) => {
    const { id, ts_ms, price, qty, first_id, last_id, is_buyer_maker } = trade
    return `{"e":"aggTrade","E":${sent_ms},"s":"${symbol}","a":${id},"p":"${text.price(price)}","q":"${text.qty(qty)}","f":${first_id},"l":${last_id},"T":${ts_ms},"m":${is_buyer_maker},"M":true}`
  },
  trade: ({ symbol, text }, { id, price, qty, is_buyer_maker }, ts_ms) =>
    `{"e":"trade","E":${ts_ms},"s":"${symbol}","t":${id},"p":"${text.price(price)}","q":"${text.qty(qty)}","T":${ts_ms},"m":${is_buyer_maker},"M":true}`,
  // Spot has no `pu`: the first id (U) shows which frame precedes.
  depth: ({ symbol, text }, { sent_ms, last_u, previous_u, bids, asks }) =>
    `{"e":"depthUpdate","E":${sent_ms},"s":"${symbol}","U":${previous_u + 1},"u":${last_u},"b":${levelsText(text, bids)},"a":${levelsText(text, asks)}}`,
  partialDepth: ({ text }, { last_u, bids, asks }) =>
    `{"lastUpdateId":${last_u},"bids":${levelsText(text, bids)},"asks":${levelsText(text, asks)}}`,
}
