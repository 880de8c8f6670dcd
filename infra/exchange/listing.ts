/** Makes a symbol's listing from its name and its decimals. */
import type { ListedMarket } from './source.ts'

const QUOTE_ASSETS = ['USDT', 'USDC', 'FDUSD', 'BUSD', 'USD', 'BTC', 'ETH', 'BNB']

/** `tick_units` is the tick in units of the last decimal: 10 if 61800.20 moves by 0.10. */
export function createListing(
  symbol: string,
  price_decimals: number,
  qty_decimals: number,
  tick_units = 1,
): ListedMarket {
  const quote_asset =
    QUOTE_ASSETS.find((quote) => symbol.endsWith(quote) && symbol !== quote) ?? 'USDT'
  return {
    symbol,
    base_asset: symbol.endsWith(quote_asset) ? symbol.slice(0, -quote_asset.length) : symbol,
    quote_asset,
    price_decimals,
    qty_decimals,
    tick_size: (tick_units / 10 ** price_decimals).toFixed(price_decimals),
    step_size: (1 / 10 ** qty_decimals).toFixed(qty_decimals),
    is_trading: true,
  }
}
