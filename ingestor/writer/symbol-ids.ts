/**
 * The writer's access to marketdata.symbols: a cache of names to ids, the exchanges' listings, and
 * symbols that appear in a frame before any listing.
 */
import type { Client } from '#core/node/pool.ts'
import type { Exchange, Instrument } from '#core/symbols.ts'
import { type Micros, toIso } from '#core/time.ts'
import { type Refused, storeApart } from './apart.ts'
import type { RefusedRecord } from './dead-letters.ts'
import { storableText, textFault } from './storable-text.ts'
import type { StreamKey } from './stream-table.ts'

export type Name = Pick<StreamKey, 'exchange' | 'symbol'>

/** How long a refused symbol waits before the next try. */
const REFUSED_MS = 60_000

/** Everything that an exchange listed at one time. */
export interface ListedInstruments {
  readonly exchange: Exchange
  /** Receive time of the answer. */
  readonly listed_at: Micros
  readonly instruments: readonly Instrument[]
}

export interface SymbolTable {
  has(name: Name): boolean
  /** The id of a known symbol; throws for any other. */
  idOf(name: Name): number
  /**
   * Registers the names. Returns those that Postgres refuses, with the reason; they are tried again
   * after REFUSED_MS.
   */
  register(names: readonly Name[]): Promise<readonly Refused<Name>[]>
  /**
   * Writes the listings, and a history row for each change. A symbol that a listing leaves out
   * becomes inactive. Of two entries for one symbol the later is used. A listing older than the
   * symbol's last one changes nothing. Returns the entries that Postgres refuses; the others are
   * written.
   */
  takeListings(listings: readonly ListedInstruments[]): Promise<readonly RefusedRecord[]>
}

/** `client` must not be in a transaction when register and takeListings are called. */
export function createSymbolTable(client: Client): SymbolTable {
  const ids = new Map<string, number>()
  const refusals = new Map<string, Refused<Name> & { readonly until_ms: number }>()
  return {
    has: (name) => ids.has(keyOf(name)),
    idOf(name) {
      const id = ids.get(keyOf(name))
      if (id === undefined) throw new Error(`Symbol ${name.symbol} was not registered.`)
      return id
    },
    async register(names) {
      const missing = namesOf(names).filter((name) => !ids.has(keyOf(name)))
      const now_ms = performance.now()
      const due = missing.filter((name) => now_ms >= (refusals.get(keyOf(name))?.until_ms ?? 0))
      for (const refusal of await registerApart(client, due, ids)) {
        refusals.set(keyOf(refusal.item), { ...refusal, until_ms: now_ms + REFUSED_MS })
      }
      const refused = missing.filter((name) => !ids.has(keyOf(name)))
      return refused.flatMap((name) => refusals.get(keyOf(name)) ?? [])
    },
    async takeListings(listings) {
      const refused: RefusedRecord[] = []
      for (const { exchange, listed_at, instruments } of listings) {
        const latest = [...new Map(instruments.map((item) => [keyOf(item), item])).values()]
        if (latest.length === 0) continue
        // One listing at a time, or two ingestors that update the same symbols could deadlock.
        await client.query("begin; select pg_advisory_xact_lock(hashtext('booktape.listing'))")
        const names = latest.map(({ symbol }) => storableText(symbol))
        const [storable, faulty] = sortOut(latest)
        const taken = await storeApart(client, storable, async (part) => {
          const values = [JSON.stringify(part), exchange, toIso(listed_at), names]
          return (await client.query(TAKE_LISTING, values)).rowCount ?? 0
        })
        await client.query('commit')
        for (const { item, cause } of [...faulty, ...taken.refused]) {
          refused.push({ table_name: 'symbols', record: item, cause })
        }
      }
      return refused
    },
  }
}

/** Removes repeated names. */
function namesOf(keys: readonly Name[]): readonly Name[] {
  const names = keys.map(({ exchange, symbol }) => ({ exchange, symbol }))
  return [...new Map(names.map((name) => [keyOf(name), name])).values()]
}

/** Adds the ids to `ids` and returns the names that Postgres refuses. */
async function registerApart(
  client: Client,
  names: readonly Name[],
  ids: Map<string, number>,
): Promise<readonly Refused<Name>[]> {
  const [storable, faulty] = sortOut(names)
  if (storable.length === 0) return faulty
  await client.query('begin')
  const { refused } = await storeApart(client, storable, async (part) => {
    const columns = [part.map((name) => name.exchange), part.map((name) => name.symbol)]
    await client.query(REGISTER, columns)
    const { rows } = await client.query<{ exchange: string; symbol: string; id: string }>(
      SELECT_IDS,
      columns,
    )
    for (const row of rows) ids.set(keyOf(row), Number(row.id))
    return rows.length
  })
  await client.query('commit')
  return [...faulty, ...refused]
}

/** Splits items by whether Postgres can store their texts. */
function sortOut<T extends object>(items: readonly T[]): [readonly T[], readonly Refused<T>[]] {
  const faulty = items.flatMap((item) => {
    const cause = textFault(item)
    return cause === undefined ? [] : [{ item, cause }]
  })
  const left_out = new Set(faulty.map(({ item }) => item))
  return [items.filter((item) => !left_out.has(item)), faulty]
}

function keyOf({
  exchange,
  symbol,
}: {
  readonly exchange: string
  readonly symbol: string
}): string {
  return `${exchange} ${symbol}`
}

// Existing rows are left out first, because every conflict would use up an id.
const REGISTER = `insert into marketdata.symbols (exchange, symbol)
  select exchange, symbol from unnest($1::text[], $2::text[]) as new (exchange, symbol)
  where not exists (
    select from marketdata.symbols s where s.exchange = new.exchange and s.symbol = new.symbol)
  order by exchange, symbol
  on conflict (exchange, symbol) do nothing`

const SELECT_IDS = `select s.exchange, s.symbol, s.id
  from unnest($1::text[], $2::text[]) as named (exchange, symbol)
  join marketdata.symbols s using (exchange, symbol)`

/**
 * One statement, so symbols and history never disagree. Its parts see the tables as they were
 * before it: `known` holds the old rows, and no part sees what `added` inserts.
 */
const TAKE_LISTING = `with named as (
    select exchange, symbol, instrument_type, base_asset, quote_asset, is_active, tick_size, step_size,
      coalesce(may_rest, false) as may_rest
    from jsonb_to_recordset($1::jsonb) as l (exchange text, symbol text, instrument_type text,
      base_asset text, quote_asset text, is_active boolean, tick_size double precision,
      step_size double precision, may_rest boolean)
  ), known as (
    select id, exchange, symbol, instrument_type, base_asset, quote_asset, is_active, tick_size,
      step_size, may_rest, listed_at
    from marketdata.symbols
    where exchange = $2 and (listed_at is null or listed_at <= $3::timestamptz)
  ), listed as (
    select k.id, l.instrument_type, l.base_asset, l.quote_asset, l.is_active, l.tick_size, l.step_size,
      l.may_rest
    from named l join known k using (exchange, symbol)
    union all
    select k.id, k.instrument_type, k.base_asset, k.quote_asset, false, k.tick_size, k.step_size,
      k.may_rest
    from known k
    where k.listed_at is not null
      and not exists (select from unnest($4::text[]) as l (symbol) where l.symbol = k.symbol)
  ), updated as (
    update marketdata.symbols s
    set instrument_type = l.instrument_type, base_asset = l.base_asset, quote_asset = l.quote_asset,
      is_active = l.is_active, tick_size = l.tick_size, step_size = l.step_size, may_rest = l.may_rest,
      listed_at = $3::timestamptz
    from listed l where s.id = l.id
  ), added as (
    insert into marketdata.symbols (exchange, symbol, instrument_type, base_asset, quote_asset,
      is_active, tick_size, step_size, may_rest, listed_at)
    select exchange, symbol, instrument_type, base_asset, quote_asset, is_active, tick_size,
      step_size, may_rest, $3::timestamptz
    from named l
    where not exists (
      select from marketdata.symbols s where s.exchange = l.exchange and s.symbol = l.symbol)
    order by exchange, symbol
    on conflict (exchange, symbol) do nothing
    returning id, instrument_type, is_active, tick_size, step_size
  ), changed as (
    select l.id, l.instrument_type, l.is_active, l.tick_size, l.step_size
    from listed l join known k using (id)
    where k.listed_at is null
      or (k.instrument_type, k.is_active, k.tick_size, k.step_size)
        is distinct from (l.instrument_type, l.is_active, l.tick_size, l.step_size)
    union all
    select id, instrument_type, is_active, tick_size, step_size from added
  )
  insert into marketdata.symbol_history
    (symbol_id, valid_from, instrument_type, is_active, tick_size, step_size)
  select id, $3::timestamptz, instrument_type, is_active, tick_size, step_size from changed
  on conflict (symbol_id, valid_from) do nothing`
