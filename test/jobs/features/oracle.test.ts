/**
 * features_1s of the BTC recording against an independent reference, computed with exact decimals
 * from the same frames. FEEDS_DIR names the folder of recordings.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { insertQuotes, insertSymbols, insertTrades, readRecording } from '../market.ts'
import { createStand, readWithDuckDb } from '../stand.ts'

const feeds = process.env['FEEDS_DIR']
const COLUMNS = {
  n_bbo: 'quote_count',
  ofi_cont2014_L1: 'ofi',
  bid: 'best_bid',
  bid_qty: 'bid_qty',
  ask: 'best_ask',
  ask_qty: 'ask_qty',
  mid: 'mid_close',
  spread: 'spread',
  microprice: 'weighted_mid',
  queue_imbalance: 'i1',
  n_trades: 'trade_count',
  taker_buy_qty: 'buy_volume',
  taker_sell_qty: 'sell_volume',
  notional: 'notional',
} as const

/** The reference rounds its quotients to this many decimal places. */
const QUOTIENT_DIGITS: Readonly<Record<string, number>> = { weighted_mid: 10, i1: 12 }

test.skipIf(feeds === undefined)(
  'every second of the BTC recording equals the exact reference, even over midnight (needs FEEDS_DIR)',
  async () => {
    const folder = join(feeds!, 'binance-usdm-btcusdt-20240808')
    const stand = await createStand()
    const { quotes, trades } = readRecording(join(folder, 'feed.ndjson.gz'))
    await insertSymbols(stand.pool, ['BTCUSDT'])
    await insertQuotes(stand.pool, quotes)
    await insertTrades(stand.pool, trades)
    const actual = new Map<number, Record<string, unknown>>()
    for (const date of ['2024-08-08', '2024-08-09']) {
      const { files } = (await stand.features(date)).sets[0]
      const rows = await readWithDuckDb(
        stand,
        files[0]!.key,
        (file) => `select epoch_us(ts)::double / 1e6 as sec, * from ${file}`,
      )
      for (const row of rows) actual.set(row['sec'] as number, row)
    }
    const [head, ...lines] = readFileSync(
      join(folder, 'ref_features_1s_usdm_btcusdt_20240808.csv'),
      'utf8',
    )
      .trim()
      .split(/\r?\n/)
    const names = head!.split(',')
    expect(actual.size).toBe(lines.length)
    // The reference's first second begins before the recording's first quote.
    for (const line of lines.slice(1)) {
      const cells = Object.fromEntries(line.split(',').map((cell, i) => [names[i]!, Number(cell)]))
      const row = actual.get(cells['sec']!)!
      for (const [theirs, ours] of Object.entries(COLUMNS)) {
        const [expected, found] = [cells[theirs]!, Number(row[ours])]
        const digits = QUOTIENT_DIGITS[ours]
        const written = digits === undefined ? found : Number(found.toFixed(digits))
        expect(written, `${ours} at ${cells['sec']}`).toBe(expected)
      }
    }
  },
)
