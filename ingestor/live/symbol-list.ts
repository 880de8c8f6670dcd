/** The symbols of the database: their ids, and the decimals of their prices and quantities. */
import type { Decimals } from '#core/decimal-text.ts'
import { type Pool, withClient } from '#core/node/pool.ts'
import { decimalsOf, type Instrument } from '#core/symbols.ts'
import { Fault } from './fault.ts'

export interface ListedSymbol extends Decimals {
  /** Undefined until the writer has added the symbol. */
  readonly id: number | undefined
  readonly exchange: string
  readonly symbol: string
}

const NO_DECIMALS: Decimals = { price_decimals: null, qty_decimals: null }

export class SymbolList {
  readonly #pool: Pool
  #symbols = new Map<string, ListedSymbol[]>()

  constructor(pool: Pool) {
    this.#pool = pool
  }

  async read(): Promise<void> {
    const { rows } = await withClient(this.#pool, (client) =>
      client.query<{
        id: number
        exchange: string
        symbol: string
        tick_size: number | null
        step_size: number | null
      }>('select id::float8 as id, exchange, symbol, tick_size, step_size from marketdata.symbols'),
    )
    const symbols = new Map<string, ListedSymbol[]>()
    for (const { id, exchange, symbol, tick_size, step_size } of rows) {
      const listed = { id, exchange, symbol, ...decimals(tick_size, step_size) }
      symbols.set(symbol, [...(symbols.get(symbol) ?? []), listed])
    }
    this.#symbols = symbols
  }

  /** Takes a listing from the tape, perhaps before the database has it. */
  takeListing(instruments: readonly Instrument[]): void {
    for (const { exchange, symbol, tick_size, step_size } of instruments) {
      const others = (this.#symbols.get(symbol) ?? []).filter((one) => one.exchange !== exchange)
      const id = this.find(exchange, symbol)?.id
      this.#symbols.set(symbol, [
        ...others,
        { id, exchange, symbol, ...decimals(tick_size, step_size) },
      ])
    }
  }

  find(exchange: string, symbol: string): ListedSymbol | undefined {
    return this.#symbols.get(symbol)?.find((one) => one.exchange === exchange)
  }

  decimals(exchange: string, symbol: string): Decimals {
    return this.find(exchange, symbol) ?? NO_DECIMALS
  }

  /** Throws a Fault if the name is unknown, or if several exchanges list it. */
  choose(symbol: string, exchange: string | undefined): ListedSymbol {
    const listed = this.#symbols.get(symbol) ?? []
    const found = listed.filter((one) => exchange === undefined || one.exchange === exchange)
    const [only, ...others] = found
    if (only === undefined) {
      const where = exchange === undefined ? '' : ` of ${JSON.stringify(exchange.slice(0, 64))}`
      const name = JSON.stringify(symbol.slice(0, 64))
      throw new Fault('unknown_symbol', `There is no symbol ${name}${where}.`)
    }
    if (others.length === 0) return only
    const exchanges = found.map((one) => one.exchange).join(', ')
    throw new Fault('ambiguous_symbol', `${symbol} is listed by ${exchanges}: name the exchange.`)
  }
}

function decimals(tick_size: number | null, step_size: number | null): Decimals {
  return {
    price_decimals: tick_size === null ? null : decimalsOf(tick_size),
    qty_decimals: step_size === null ? null : decimalsOf(step_size),
  }
}
