import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { parseFeed, parseSymbols, tradeStreamOf } from '../../infra/local/feed.ts'

const dir = mkdtempSync(join(tmpdir(), 'booktape-feed-'))
afterAll(() => rmSync(dir, { recursive: true }))

test('sim, live and none are feeds; the message for a missing file has its path', async () => {
  expect(await parseFeed('none')).toEqual({ kind: 'none' })
  await expect(parseFeed('nowhere.ndjson')).rejects.toThrow(
    /nowhere\.ndjson is not sim, live or none/,
  )
})

test('a file that is not a recording is refused with the line and the expected content', async () => {
  const file = join(dir, 'shopping.txt')
  writeFileSync(file, 'milk\nbread\n')
  await expect(parseFeed(file)).rejects.toThrow(/line 1/)
})

test('symbols keep their case and duplicates are removed; a path is refused', () => {
  expect(parseSymbols('btc_usd, ETHUSDT,btc_usd')).toEqual(['btc_usd', 'ETHUSDT'])
  expect(parseSymbols(undefined)).toBeUndefined()
  expect(() => parseSymbols('BTCUSDT,../etc')).toThrow(/"\.\.\/etc"/)
  expect(() => parseSymbols('')).toThrow(/""/)
})

test('raw trades are chosen only if a recording has no aggregated trades', async () => {
  const write = async (streams: readonly string[]) => {
    const file = join(dir, `${streams.length}-${streams[0]!.replace('@', '-')}.ndjson`)
    const frames = streams.map((stream) =>
      JSON.stringify({ t: 'ws', ts: 1, data: JSON.stringify({ stream, data: { s: 'BTCUSDT' } }) }),
    )
    writeFileSync(
      file,
      [
        JSON.stringify({ t: 'header', exchange: 'binance-futures', symbols: ['BTCUSDT'] }),
        ...frames,
      ].join('\n'),
    )
    const feed = await parseFeed(file)
    return feed.kind === 'recording' ? tradeStreamOf(feed.summary) : undefined
  }
  expect(await write(['btcusdt@trade'])).toBe('trade')
  expect(await write(['btcusdt@trade', 'btcusdt@aggTrade'])).toBe('aggTrade')
  expect(await write(['btcusdt@bookTicker'])).toBe('aggTrade')
})
