/**
 * marketdata.symbols as the writer uses it: names to ids, with a cache; what the exchange lists;
 * and symbols that appear in a frame before any listing named them.
 */
import type { Client } from '#core/node/pool.ts'
import type { Instrument } from '#core/symbols.ts'
import type { StreamKey } from './stream-table.ts'

type Name = Pick<StreamKey, 'exchange' | 'symbol'>

export interface SymbolTable {
  has(name: Name): boolean
  /** The id of a known symbol; throws for any other. */
  idOf(name: Name): number
  /** Makes all of them known. */
  register(names: readonly Name[]): Promise<void>
  /** Writes what the exchange's listing says; the later of two entries for a symbol stands. */
  upsert(instruments: readonly Instrument[]): Promise<void>
}

/** `client` must not be in a transaction when register and upsert are called. */
export function createSymbolTable(client: Client): SymbolTable {
  const ids = new Map<string, number>()
  return {
    has: (name) => ids.has(keyOf(name)),
    idOf(name) {
      const id = ids.get(keyOf(name))
      if (id === undefined) throw new Error(`Symbol ${name.symbol} was not registered.`)
      return id
    },
    async register(names) {
      const missing = [...new Map(names.map((name) => [keyOf(name), name])).values()].filter(
        (name) => !ids.has(keyOf(name)),
      )
      if (missing.length === 0) return
      const columns = [missing.map((name) => name.exchange), missing.map((name) => name.symbol)]
      await client.query(REGISTER, columns)
      const { rows } = await client.query<{ exchange: string; symbol: string; id: string }>(
        SELECT_IDS,
        columns,
      )
      for (const row of rows) ids.set(keyOf(row), Number(row.id))
    },
    async upsert(instruments) {
      const latest = [...new Map(instruments.map((item) => [keyOf(item), item])).values()]
      if (latest.length === 0) return
      await client.query(UPSERT, [JSON.stringify(latest)])
    },
  }
}

function keyOf({ exchange, symbol }: { readonly exchange: string; readonly symbol: string }): string {
  return `${exchange} ${symbol}`
}

// Rows that are there already are left out first: a conflict would use up an id each time.
const REGISTER = `insert into marketdata.symbols (exchange, symbol)
  select exchange, symbol from unnest($1::text[], $2::text[]) as new (exchange, symbol)
  where not exists (
    select from marketdata.symbols s where s.exchange = new.exchange and s.symbol = new.symbol)
  on conflict (exchange, symbol) do nothing`

const SELECT_IDS = `select s.exchange, s.symbol, s.id
  from unnest($1::text[], $2::text[]) as named (exchange, symbol)
  join marketdata.symbols s using (exchange, symbol)`

const UPSERT = `with listed as (
    select exchange, symbol, instrument_type, base_asset, quote_asset, is_active, tick_size, step_size
    from jsonb_to_recordset($1::jsonb) as l (exchange text, symbol text, instrument_type text,
      base_asset text, quote_asset text, is_active boolean, tick_size double precision,
      step_size double precision)
  ), changed as (
    update marketdata.symbols s
    set instrument_type = l.instrument_type, base_asset = l.base_asset, quote_asset = l.quote_asset,
      is_active = l.is_active, tick_size = l.tick_size, step_size = l.step_size
    from listed l
    where s.exchange = l.exchange and s.symbol = l.symbol
      and (s.instrument_type, s.base_asset, s.quote_asset, s.is_active, s.tick_size, s.step_size)
        is distinct from
        (l.instrument_type, l.base_asset, l.quote_asset, l.is_active, l.tick_size, l.step_size)
  )
  insert into marketdata.symbols
    (exchange, symbol, instrument_type, base_asset, quote_asset, is_active, tick_size, step_size)
  select exchange, symbol, instrument_type, base_asset, quote_asset, is_active, tick_size, step_size
  from listed l
  where not exists (
    select from marketdata.symbols s where s.exchange = l.exchange and s.symbol = l.symbol)
  order by exchange, symbol
  on conflict (exchange, symbol) do nothing`
