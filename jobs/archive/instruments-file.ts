/** Writes raw/instruments.json, which gives readers names and decimals without the database. */
import type { InstrumentList, ListedInstrument } from '#core/instrument-list.ts'
import type { ObjectStore } from '#core/node/object-store.ts'
import type { Pool } from '#core/node/pool.ts'
import { INSTRUMENTS_KEY } from '#core/object-keys.ts'

/** Writes nothing if the list has not changed, or if the archive is empty. */
export async function writeInstruments(pool: Pool, store: ObjectStore): Promise<void> {
  const { rows: instruments } = await pool.query<ListedInstrument>(
    `select exchange, symbol, instrument_type, base_asset, quote_asset, is_active, tick_size, step_size
     from marketdata.symbols where exists (select from marketdata.archive)
     order by exchange collate "C", symbol collate "C"`,
  )
  if (instruments.length === 0) return
  const list: InstrumentList = { instruments }
  const text = `${JSON.stringify(list)}\n`
  const stored = await store.get(INSTRUMENTS_KEY)
  if (stored !== undefined && Buffer.from(stored).toString('utf8') === text) return
  await store.put(INSTRUMENTS_KEY, text, 'application/json')
}
