import { expect, test } from 'vitest'
import { createTestDatabase } from '../support/database.ts'

/** Computed in whole units of 1e-12, without the database's arithmetic. */
const DIGITS = 12
const units = (text: string): bigint => {
  const [whole = '0', part = ''] = text.split('.')
  return BigInt(whole + part.padEnd(DIGITS, '0'))
}
const double = (value: bigint, digits: number): number => Number(`${value}e-${digits}`)

test('spread and mid of a quote are the doubles nearest to the exact values', async () => {
  const { pool } = await createTestDatabase()
  await pool.query("select marketdata.ensure_hour('book_ticker', '2026-03-01T12:00:00Z')")
  const quotes = [
    ['61800.2', '61800.3'],
    ['61800.1', '61800.2'],
    ['0.00001234', '0.00001235'],
    ['0.0000004119', '0.000000412'],
    ['98765.123456', '98765.123457'],
    ['1868.41', '1868.42'],
    ['0.1', '0.3'],
    ['1000000.01', '1000000.02'],
  ] as const
  for (const [id, [bid, ask]] of quotes.entries()) {
    await pool.query(
      `insert into marketdata.book_ticker
         (ts_exchange, ts_ingest, symbol_id, update_id, best_bid, best_ask, bid_qty, ask_qty)
       values ('2026-03-01T12:00:00Z', now(), 1, $1, $2, $3, 1, 1)`,
      [id, bid, ask],
    )
  }
  const { rows } = await pool.query<{ spread: number; mid: number }>(
    'select spread, mid from marketdata.book_ticker order by update_id',
  )
  expect(rows).toEqual(
    quotes.map(([bid, ask]) => ({
      spread: double(units(ask) - units(bid), DIGITS),
      mid: double((units(ask) + units(bid)) * 5n, DIGITS + 1),
    })),
  )
  await pool.query(
    'update marketdata.book_ticker set best_bid = null, bid_qty = null where update_id = 0',
  )
  const one_sided = await pool.query(
    'select spread, mid from marketdata.book_ticker where update_id = 0',
  )
  expect(one_sided.rows).toEqual([{ spread: null, mid: null }])
})
