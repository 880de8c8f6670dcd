/**
 * Files whose oddities a seed decides: either exactly their rows are in the table, or a clear error
 * and no row; and the file that is mended gives its rows. SEED chooses others.
 */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { OperatorError } from '#core/errors.ts'
import { putFile } from '../../../bench/import/zip.ts'
import { is_long } from '../../support/long.ts'
import { createStand } from '../stand.ts'
import { folderOf, run, wanted } from './made-files.ts'
import { oddFile, type OddFile } from './odd-files.ts'

const stand = await createStand()
const FIRST = Number(process.env['SEED'] ?? 1)
const COUNT = is_long ? 300 : 24
const REFUSALS = ['import_checksum', 'import_damaged', 'import_other_file']

async function rowsOf({ kind, exchange, symbol }: OddFile): Promise<readonly string[]> {
  const us = (column: string): string => `(extract(epoch from ${column}) * 1000000)::int8::text`
  const [table, cells] =
    kind === 'bookTicker'
      ? ['book_ticker', 'update_id, best_bid, bid_qty, best_ask, ask_qty']
      : ['trades', 'agg_trade_id, price, qty, first_trade_id, last_trade_id, is_buyer_maker']
  const { rows } = await stand.pool.query<{ row: readonly unknown[] }>({
    text: `select jsonb_build_array(${us('ts_exchange')}, ${us('ts_ingest')}, ${cells}) as row
      from marketdata.${table} t join marketdata.symbols s on s.id = t.symbol_id
      where s.exchange = $1 and s.symbol = $2`,
    values: [exchange, symbol],
  })
  return rows.map(({ row }) => row.join(' ')).toSorted()
}

const knownFiles = async ({ path }: OddFile): Promise<number> => {
  const { rowCount } = await stand.pool.query('select from marketdata.imports where file = $1', [
    path,
  ])
  return rowCount!
}

for (let seed = FIRST; seed < FIRST + COUNT; seed++) {
  const odd = oddFile(seed)
  test(`${seed}: ${odd.oddities.join(', ')}`, async () => {
    const { source, exchange, kind, date, symbol, path, outcome, rows } = odd
    const of = wanted(date, date, { source, exchange, kinds: [kind], symbols: [symbol] })
    await putFile(folderOf(stand), path, odd.bytes)
    if (odd.checksum !== undefined) {
      await writeFile(join(folderOf(stand), `${path}.CHECKSUM`), odd.checksum)
    }
    const [result] = await run(stand, of)
    if (outcome !== 'either') expect(result!.kind).toBe(outcome === 'rows' ? 'imported' : 'failed')
    if (result!.kind === 'failed') {
      expect(result!.error).toBeInstanceOf(OperatorError)
      expect(REFUSALS).toContain((result!.error as OperatorError).code)
      expect(await rowsOf(odd)).toEqual([])
      expect(await knownFiles(odd)).toBe(0)
      await putFile(folderOf(stand), path, odd.mended)
      expect(await run(stand, of)).toMatchObject([{ kind: 'imported' }])
    }
    expect(await rowsOf(odd)).toEqual(rows)
    expect(await knownFiles(odd)).toBe(1)
  })
}
