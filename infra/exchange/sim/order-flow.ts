/**
 * Random orders for one book: they change quantities at the best level, improve or withdraw the
 * best price, or take liquidity. Each side keeps a bounded number of levels and never becomes
 * empty.
 */
import type { Book, BookSide, Side } from './book.ts'

export interface Fill {
  readonly price: number
  readonly qty: number
  /** True: the taker sold. */
  readonly is_buyer_maker: boolean
}

export interface FlowSettings {
  /** In the book's ticks. */
  readonly start_price: number
  readonly typical_qty: number
}

/** Levels per side: at the start, at most and at least. */
const LEVELS_START = 120
const LEVELS_MAX = 160
const LEVELS_MIN = 80
const SPREAD_MAX = 8
/** Mean number of bookTicker and aggTrade frames per action; measured over many seeds. */
export const FRAMES_PER_ACTION = 0.97

/** Cumulative probabilities of the kinds of actions. */
const CHANGE_BEST = 0.44
const IMPROVE = 0.68
const GIVE_WAY = 0.74
const TAKE = 0.85

export function fillBook(
  book: Book,
  { start_price, typical_qty }: FlowSettings,
  random: () => number,
): void {
  for (const side of ['bid', 'ask'] as const) {
    let price = side === 'bid' ? start_price : start_price + 1
    for (let level = 0; level < LEVELS_START && price > 0; level += 1) {
      book.setLevel(side, price, someQty(typical_qty, random))
      price -= book.side(side).sign * (1 + Math.floor(random() * 2))
    }
  }
}

/** One action. Returns the fills in order; most actions have none. */
export function act(book: Book, settings: FlowSettings, random: () => number): readonly Fill[] {
  const kind = random()
  const side: Side = random() < 0.5 ? 'bid' : 'ask'
  // Prices are pulled back to their start, so that a market can run for ever.
  const pull = (book.bids.bestPrice(0) / settings.start_price - 1) * 5
  const is_up = random() > 0.5 + Math.max(-0.4, Math.min(0.4, pull))
  let fills: readonly Fill[] = []
  if (kind < CHANGE_BEST) changeQty(book, side, 0, settings, random)
  else if (kind < IMPROVE) improve(book, is_up ? 'bid' : 'ask', settings, random)
  else if (kind < GIVE_WAY) giveWay(book, is_up ? 'ask' : 'bid', settings, random)
  else if (kind < TAKE) fills = take(book, is_up ? 'ask' : 'bid', random)
  else changeDepth(book, side, settings, random)
  keepDepth(book, 'bid', settings, random)
  keepDepth(book, 'ask', settings, random)
  return fills
}

function changeQty(
  book: Book,
  side: Side,
  rank: number,
  settings: FlowSettings,
  random: () => number,
): void {
  const levels = book.side(side)
  const qty = someQty(settings.typical_qty, random)
  // Setting the same quantity would not be a change.
  book.setLevel(side, levels.priceAt(rank), qty === levels.qtyAt(rank) ? qty + 1 : qty)
}

/** A better price if the spread has room for it, else another quantity at the best level. */
function improve(book: Book, side: Side, settings: FlowSettings, random: () => number): void {
  const levels = book.side(side)
  if (book.spread <= 1) return changeQty(book, side, 0, settings, random)
  book.setLevel(side, levels.priceAt(0) + levels.sign, someQty(settings.typical_qty, random))
}

/** Cancels the best level, unless the spread is already wide. */
function giveWay(book: Book, side: Side, settings: FlowSettings, random: () => number): void {
  if (book.spread >= SPREAD_MAX) return improve(book, side, settings, random)
  book.setLevel(side, book.side(side).priceAt(0), 0)
}

/** A market order against the resting side, through at most three levels. */
function take(book: Book, side: Side, random: () => number): readonly Fill[] {
  const levels = book.side(side)
  const is_buyer_maker = side === 'bid'
  const fills: Fill[] = []
  const is_sweep = random() < 0.15 && book.spread < SPREAD_MAX
  let wanted = is_sweep
    ? levels.qtyAt(0) + Math.ceil(levels.qtyAt(1) * random() * 2)
    : Math.max(1, Math.ceil(levels.qtyAt(0) * random() * 0.6))
  for (let level = 0; level < 3 && wanted > 0; level += 1) {
    const price = levels.priceAt(0)
    const qty = Math.min(wanted, levels.qtyAt(0))
    wanted -= qty
    // A level consists of several resting orders; one or two of them fill.
    const first = qty > 1 && random() < 0.4 ? 1 + Math.floor(random() * (qty - 1)) : qty
    fills.push({ price, qty: first, is_buyer_maker })
    if (first < qty) fills.push({ price, qty: qty - first, is_buyer_maker })
    book.setLevel(side, price, levels.qtyAt(0) - qty)
  }
  return fills
}

/** A change below the best level: another quantity, a removed level, or a new one in a gap. */
function changeDepth(book: Book, side: Side, settings: FlowSettings, random: () => number): void {
  const levels = book.side(side)
  const rank = 1 + Math.floor(random() ** 2 * (levels.depth - 2))
  const choice = random()
  const next_price = levels.priceAt(rank) - levels.sign
  if (choice < 0.2) book.setLevel(side, levels.priceAt(rank), 0)
  else if (choice < 0.4 && next_price > 0 && next_price !== levels.priceAt(rank + 1)) {
    book.setLevel(side, next_price, someQty(settings.typical_qty, random))
  } else changeQty(book, side, rank, settings, random)
}

function keepDepth(book: Book, side: Side, settings: FlowSettings, random: () => number): void {
  const levels: BookSide = book.side(side)
  while (levels.depth > LEVELS_MAX) book.setLevel(side, levels.prices[0]!, 0)
  while (levels.depth < LEVELS_MIN) {
    const price = levels.prices[0]! - levels.sign * (1 + Math.floor(random() * 2))
    if (price <= 0) return
    book.setLevel(side, price, someQty(settings.typical_qty, random))
  }
}

/** Skewed like real sizes: mostly small, sometimes ten times the typical quantity. */
function someQty(typical: number, random: () => number): number {
  return Math.max(1, Math.ceil(typical * 2 * random() ** 3 * (random() < 0.05 ? 8 : 1)))
}
