/** Bybit's REST API: the listing (paged), tickers and the time. */
import type { ListedMarket, RestSource } from '../source.ts'

export interface BybitAnswer {
  readonly status: number
  readonly body: string
}

const PREFIX = '/v5/market/'
const PAGE_MAX = 1_000
const PAGE_STANDARD = 500
/** XRPUSDT-05JUN26 */
const DATED = /-\d{2}[A-Z]{3}\d{2}$/

/** Undefined for other exchanges' paths. Errors also have status 200, as on Bybit. */
export function answerBybit(url: URL, source: RestSource): BybitAnswer | undefined {
  const { pathname, searchParams } = url
  if (!pathname.startsWith(PREFIX)) return undefined
  const time = source.nowMs()
  const answer = (retCode: number, retMsg: string, result: object): BybitAnswer => ({
    status: 200,
    body: JSON.stringify({ retCode, retMsg, result, retExtInfo: {}, time }),
  })
  if (searchParams.get('category') !== 'linear' && pathname !== `${PREFIX}time`) {
    return answer(10001, 'params error: Category is invalid', {})
  }
  switch (pathname.slice(PREFIX.length)) {
    case 'time': {
      const timeSecond = String(Math.floor(time / 1_000))
      return answer(0, 'OK', { timeSecond, timeNano: `${time}000000` })
    }
    case 'instruments-info': {
      const limit = Number(searchParams.get('limit') ?? PAGE_STANDARD)
      if (!(limit >= 1 && limit <= PAGE_MAX)) return answer(10001, 'params error: limit', {})
      const page = pageOf(source.listings(), searchParams.get('cursor') ?? '', limit)
      return answer(0, 'OK', { category: 'linear', ...page })
    }
    case 'tickers': {
      const rows = source.listings().flatMap(({ symbol }) => source.ticker24h(symbol) ?? [])
      const list = rows.map(({ symbol, lastPrice, quoteVolume }) => ({
        symbol,
        lastPrice,
        turnover24h: quoteVolume,
      }))
      return answer(0, 'OK', { category: 'linear', list })
    }
  }
  return { status: 404, body: '' }
}

/** Sorted by name. A cursor is the last symbol of the previous page. */
function pageOf(listings: readonly ListedMarket[], cursor: string, limit: number) {
  const last = /^last=(.+)$/.exec(decodeURIComponent(cursor))?.[1] ?? ''
  const rest = listings
    .filter(({ is_trading, symbol }) => is_trading && symbol > last)
    .toSorted((a, b) => (a.symbol < b.symbol ? -1 : 1))
  const list = rest.slice(0, limit)
  const is_last = list.length === rest.length
  const nextPageCursor = is_last ? '' : encodeURIComponent(`last=${list.at(-1)!.symbol}`)
  return { list: list.map(instrument), nextPageCursor }
}

function instrument(listing: ListedMarket): object {
  return {
    symbol: listing.symbol,
    contractType: DATED.test(listing.symbol) ? 'LinearFutures' : 'LinearPerpetual',
    status: 'Trading',
    baseCoin: listing.base_asset,
    quoteCoin: listing.quote_asset,
    launchTime: '1584230400000',
    deliveryTime: '0',
    deliveryFeeRate: '',
    priceScale: String(listing.price_decimals),
    priceFilter: { minPrice: listing.tick_size, maxPrice: '9999999', tickSize: listing.tick_size },
    lotSizeFilter: {
      maxOrderQty: '9999999',
      minOrderQty: listing.step_size,
      qtyStep: listing.step_size,
    },
    unifiedMarginTrade: true,
    fundingInterval: 480,
    settleCoin: listing.quote_asset,
    isPreListing: false,
    preListingInfo: null,
  }
}
