/**
 * Files of Binance's public archive (data.binance.vision): their lines. Source: the README of
 * binance/binance-public-data. Futures files have milliseconds; spot files have microseconds since
 * 2025-01-01. Some files begin with a header. ts_ingest is ts_exchange, because the archive has no
 * time of receipt.
 */
import { type FileKind, idOf, type LineParser, numberOf, type Parsed, rejected } from './kind.ts'

/** Milliseconds of any year that we live to see are below this; microseconds are above. */
const MICROS_FROM = 1e14
const MICROS_PER_MS = 1_000
const SILENCE_US = 300_000_000

export function microsOf(text: string | undefined): number | undefined {
  const value = idOf(text)
  if (value === undefined || value === 0) return undefined
  return value < MICROS_FROM ? value * MICROS_PER_MS : value
}

/** Spot files write True and False. */
function flagOf(text: string | undefined): boolean | undefined {
  const word = text?.toLowerCase()
  return word === 'true' ? true : word === 'false' ? false : undefined
}

/** One row a line; a first line that does not begin with a number is a header. */
export function linewise(of: (cells: readonly string[]) => readonly Parsed[]): () => LineParser {
  return () => {
    let is_first = true
    return {
      parse(line) {
        const may_be_header = is_first
        is_first = false
        if (line === '' || (may_be_header && !/^[-\d]/.test(line))) return []
        return of(line.split(','))
      },
      end: () => [],
    }
  }
}

function aggTrade(cells: readonly string[]): readonly Parsed[] {
  const [id, price, qty, first, last, ts, is_buyer_maker] = cells
  return trade({ id, price, qty, ts, is_buyer_maker }, [idOf(first) ?? null, idOf(last) ?? null])
}

function singleTrade(cells: readonly string[]): readonly Parsed[] {
  const [id, price, qty, , ts, is_buyer_maker] = cells
  return trade({ id, price, qty, ts, is_buyer_maker }, [null, null])
}

interface TradeText {
  readonly id: string | undefined
  readonly price: string | undefined
  readonly qty: string | undefined
  readonly ts: string | undefined
  readonly is_buyer_maker: string | undefined
}

function trade(
  text: TradeText,
  trade_ids: readonly [number | null, number | null],
): readonly Parsed[] {
  const id = idOf(text.id)
  const [price, qty] = [numberOf(text.price), numberOf(text.qty)]
  const ts = microsOf(text.ts)
  const is_buyer_maker = flagOf(text.is_buyer_maker)
  if (id === undefined) return rejected('no id')
  if (price === undefined || qty === undefined) return rejected('no price or quantity')
  if (price === 0 || qty === 0) return [{ kind: 'void', id }]
  if (price < 0 || qty < 0) return rejected('a negative price or quantity')
  if (ts === undefined) return rejected('no time')
  if (is_buyer_maker === undefined) return rejected('no side')
  const cells = [ts, ts, id, price, qty, null, ...trade_ids, is_buyer_maker]
  const [first, last] = trade_ids
  const fills = first === null || last === null ? undefined : ([first, last] as const)
  return [{ kind: 'row', ts_exchange: ts, id, fills, cells }]
}

function bookTicker(cells: readonly string[]): readonly Parsed[] {
  const id = idOf(cells[0])
  const ts = microsOf(cells[5])
  if (id === undefined || ts === undefined) return rejected('no id or time')
  const sides = [cells.slice(1, 3), cells.slice(3, 5)].map(([price, qty]) => {
    const pair = [numberOf(price), numberOf(qty)] as const
    return pair[0] === undefined || pair[1] === undefined ? undefined : pair
  })
  const [bid, ask] = sides
  if (bid === undefined || ask === undefined) return rejected('no price or quantity')
  const orNull = ([price, qty]: readonly (number | undefined)[]): readonly (number | null)[] =>
    price === 0 || qty === 0 ? [null, null] : [price!, qty!]
  const [best_bid, bid_qty] = orNull(bid)
  const [best_ask, ask_qty] = orNull(ask)
  const row = [ts, ts, id, best_bid!, best_ask!, bid_qty!, ask_qty!]
  return [{ kind: 'row', ts_exchange: ts, id, cells: row }]
}

const trades = {
  table: 'trades',
  identity: 'id',
  is_stamped_once: true,
  ids_are_consecutive: true,
  silence_us: undefined,
} as const

export const BINANCE_KINDS: readonly FileKind[] = [
  { name: 'aggTrades', ...trades, trades_are: 'aggregated', createParser: linewise(aggTrade) },
  { name: 'trades', ...trades, trades_are: 'single', createParser: linewise(singleTrade) },
  {
    name: 'bookTicker',
    table: 'book_ticker',
    identity: 'key',
    is_stamped_once: true,
    ids_are_consecutive: false,
    silence_us: SILENCE_US,
    createParser: linewise(bookTicker),
  },
]
