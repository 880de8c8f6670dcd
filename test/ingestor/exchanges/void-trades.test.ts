/** Every adapter applies the same rule to void trades, from sockets and over REST. */
import { expect, test } from 'vitest'
import { micros } from '#core/time.ts'
import type { ExchangeAdapter, Parsed, StreamChoice } from '../../../ingestor/exchanges/adapter.ts'
import { binance_futures } from '../../../ingestor/exchanges/binance-futures/adapter.ts'
import { binance_spot } from '../../../ingestor/exchanges/binance-spot/adapter.ts'
import { bybit_linear } from '../../../ingestor/exchanges/bybit-linear/adapter.ts'

const NOW = micros(1_785_000_000_123_456)
const T = 1_785_000_000_000

interface Amounts {
  readonly price: string
  readonly qty: string
  /** Binance's value of X. */
  readonly kind?: string
}

type Source = (ids: readonly number[], amounts: (id: number) => Amounts) => Parsed

function choiceOf(
  adapter: ExchangeAdapter,
  trade_stream: StreamChoice['trade_stream'],
): StreamChoice {
  return { channels: adapter.channels, trade_stream }
}

const socket =
  (adapter: ExchangeAdapter, event: 'aggTrade' | 'trade'): Source =>
  ([id], amounts) => {
    const { price: p, qty: q, kind: X } = amounts(id!)
    const ids = event === 'trade' ? { t: id } : { a: id, f: 1, l: 1 }
    const payload = { e: event, E: T, T, s: 'BTCUSDT', p, q, X, m: true, ...ids }
    return adapter.parse(Buffer.from(JSON.stringify(payload)), NOW, choiceOf(adapter, event))
  }

const rest =
  (adapter: ExchangeAdapter, path: string, event: 'aggTrade' | 'trade'): Source =>
  (ids, amounts) => {
    const list = ids.map((id) => {
      const { price, qty, kind: X } = amounts(id)
      if (event === 'aggTrade') return { a: id, p: price, q: qty, f: 1, l: 1, T, m: true, X }
      return { id, price, qty, time: T, isBuyerMaker: true, X }
    })
    return adapter.parseRest(
      `${path}?symbol=BTCUSDT`,
      JSON.stringify(list),
      NOW,
      choiceOf(adapter, event),
    )
  }

const bybit: Source = (ids, amounts) => {
  const data = ids.map((id) => {
    const { price: p, qty: v, kind } = amounts(id)
    const i = `${String(id).padStart(8, '0')}-0000-5000-8000-000000000000`
    return {
      T,
      s: 'BTCUSDT',
      S: 'Buy',
      p,
      v,
      i,
      BT: kind !== undefined && kind !== 'MARKET',
      seq: id,
    }
  })
  const frame = { topic: 'publicTrade.BTCUSDT', type: 'snapshot', ts: T, data }
  return bybit_linear.parse(
    Buffer.from(JSON.stringify(frame)),
    NOW,
    choiceOf(bybit_linear, 'trade'),
  )
}

const SOURCES = {
  'futures aggTrade': socket(binance_futures, 'aggTrade'),
  'futures trade': socket(binance_futures, 'trade'),
  'futures /aggTrades': rest(binance_futures, '/fapi/v1/aggTrades', 'aggTrade'),
  'futures /historicalTrades': rest(binance_futures, '/fapi/v1/historicalTrades', 'trade'),
  'spot aggTrade': socket(binance_spot, 'aggTrade'),
  'spot trade': socket(binance_spot, 'trade'),
  'spot /aggTrades': rest(binance_spot, '/api/v3/aggTrades', 'aggTrade'),
  'spot /historicalTrades': rest(binance_spot, '/api/v3/historicalTrades', 'trade'),
  'bybit publicTrade': bybit,
}

const MARKET: Amounts = { price: '1900.00', qty: '0.500' }
const ODD: Amounts = { price: 'n/a', qty: '1' }

function kindsOf(parsed: Parsed): readonly string[] {
  return parsed.kind === 'events' ? parsed.events.map(({ kind }) => kind) : [parsed.kind]
}

for (const [name, source] of Object.entries(SOURCES)) {
  for (const [what, change, kind] of [
    ['a trade', {}, 'trade'],
    ['a trade that is marked MARKET', { kind: 'MARKET' }, 'trade'],
    ['nothing traded', { qty: '0.000' }, 'void_trade'],
    ['no price', { price: '0' }, 'void_trade'],
    ['neither', { price: '0.00', qty: '0' }, 'void_trade'],
    ['a mark of another kind', { kind: 'INSURANCE_FUND' }, 'void_trade'],
  ] as const) {
    test(`${name}: ${what} is a ${kind}`, () => {
      expect(kindsOf(source([1], () => ({ ...MARKET, ...change })))).toEqual([kind])
    })
  }
}

for (const name of [
  'futures /aggTrades',
  'futures /historicalTrades',
  'spot /aggTrades',
  'spot /historicalTrades',
  'bybit publicTrade',
] as const) {
  test(`${name}: an unreadable element is rejected in its position, and the others are read`, () => {
    const parsed = SOURCES[name]([1, 2, 3, 4], (id) => (id === 3 ? ODD : MARKET))
    expect(kindsOf(parsed)).toEqual(['trade', 'trade', 'trade'])
    const odd = parsed.kind === 'events' ? parsed.odd : undefined
    expect(odd).toMatchObject([{ reason: 'bad_field', events_before: 2 }])
  })
}

test('the stream of a list loses the event of an unreadable element', () => {
  expect(bybit([1, 2], (id) => (id === 1 ? ODD : MARKET))).toMatchObject({
    odd: [{ affected: { symbol: 'BTCUSDT', channel: 'trades' }, events_before: 0 }],
  })
  const marks = ['1.5', 'x', '1.7'].map((p, index) => {
    return { e: 'markPriceUpdate', E: T, s: `S${index}USDT`, p, P: '1', i: '1', r: '0.1', T }
  })
  const parsed = binance_futures.parse(
    Buffer.from(JSON.stringify(marks)),
    NOW,
    choiceOf(binance_futures, 'trade'),
  )
  expect(parsed).toMatchObject({
    events: [{ symbol: 'S0USDT' }, { symbol: 'S2USDT' }],
    odd: [{ affected: { symbol: 'S1USDT', channel: 'mark_price' } }],
  })
})
