/** Replay of frames that are corrupt: they stay in their stream, byte for byte. */
import { expect, test } from 'vitest'
import { streamOf, unwrap } from '../../../infra/exchange/replay/frame.ts'

const TRADE = '{"stream":"sandusdt@aggTrade","data":{"e":"aggTrade","a":9445585,"s":"SANDUSDT"}}'

for (const [name, text, stream] of [
  ['after its stream', TRADE.replace('"data"', '{ta"'), 'sandusdt@aggTrade'],
  ['within its payload', TRADE.replace('"s":', '"s"{'), 'sandusdt@aggTrade'],
  ['cut short', TRADE.slice(0, 34), 'sandusdt@aggTrade'],
  ['of Bybit, cut short', '{"topic":"publicTrade.BTCUSDT","type":"snap', 'publicTrade.BTCUSDT'],
] as const) {
  test(`corrupt ${name}: sent on its own stream, as it is`, () => {
    expect(streamOf(text)).toBe(stream)
    const { payload, wrapped } = unwrap(text)
    expect(wrapped ? [text.includes(payload), wrapped] : payload).toEqual([true, true])
  })
}

test('a frame whose stream cannot be read belongs to none', () => {
  expect(streamOf(TRADE.slice(4))).toBeUndefined()
  expect(unwrap(TRADE.slice(4))).toEqual({ payload: TRADE.slice(4), wrapped: false })
})
