import { readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { silentLogger } from '#core/node/log.ts'
import { RAW_TABLES } from '#core/tables.ts'
import { micros } from '#core/time.ts'
import { openDeadLetters } from '../../../ingestor/writer/dead-letters.ts'
import { joinRows, RowBuffer } from '../../../ingestor/writer/row-buffer.ts'
import { temporaryDirectory } from './support.ts'

test('the file never exceeds its limit, and the previous file is kept', async () => {
  const path = join(temporaryDirectory(), 'deep', 'dead.ndjson')
  const letters = openDeadLetters(path, silentLogger, 2_000)
  const row = {
    ts_exchange: micros(1_772_000_000_000_000),
    ts_ingest: micros(1_772_000_000_000_001),
    update_id: 1,
    best_bid: 1,
    best_ask: 2,
    bid_qty: 3,
    ask_qty: 4,
  }
  const buffer = new RowBuffer(RAW_TABLES.book_ticker)
  buffer.push({ kind: 'book_ticker', exchange: 'binance-futures', symbol: 'BTCUSDT', ...row })
  const rows = joinRows(RAW_TABLES.book_ticker, [{ symbol_id: 1, rows: buffer }])
  for (let position = 0; position < 40; position++) {
    await letters.write([{ rows, index: 0, cause: new Error('refused') }], position, position + 1)
    expect(statSync(path).size).toBeLessThanOrEqual(2_000)
  }
  const lines = readFileSync(path, 'utf8').trimEnd().split('\n')
  expect(JSON.parse(lines.at(-1)!)).toEqual({
    table: 'book_ticker',
    sqlstate: '',
    error: 'refused',
    tape_from: 39,
    tape_to: 40,
    row: { ...row, symbol_id: 1 },
  })
  const before = readFileSync(`${path}.1`, 'utf8').trimEnd().split('\n')
  const first = JSON.parse(lines[0]!) as { tape_from: number }
  expect(JSON.parse(before.at(-1)!)).toMatchObject({ tape_from: first.tape_from - 1 })
})
