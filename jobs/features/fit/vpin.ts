/**
 * Volume-synchronised probability of informed trading: sum |Vb - Vs| / (n V) over the last n = 50
 * buckets of equal volume V. Easley, Lopez de Prado & O'Hara (2012), "Flow Toxicity and Liquidity
 * in a High-frequency World", Review of Financial Studies 25 (5). As in the paper, time bars (here
 * one second) are split between buckets by volume, and V is a fiftieth of a day's volume, here that
 * of the day before. The exchange gives the side of each trade, which the paper has to estimate.
 *
 * Computation starts from exact volumes, keeps shares of a bucket to 2^-200, and rounds once. The
 * buckets that a day leaves for the next are doubles in its fit.
 */
import {
  type Decimal,
  decimalOf,
  integersOf,
  minus,
  nearest,
  plus,
  quotient,
  times,
  ZERO,
} from '#core/decimals.ts'
import { VPIN_BUCKETS } from '#core/features/fitted.ts'
import { exactAt } from '../exact-column.ts'
import type { SideVolumes } from '../trade-columns.ts'

/** How a day begins: the volume of a bucket, and the state of the buckets after the day before. */
export interface VpinStart {
  readonly bucket_volume: number
  /** |Vb - Vs| of the last full buckets since the last gap, oldest first. */
  readonly imbalances: readonly number[]
  /** Volumes in the bucket that is being filled. */
  readonly buy_volume: number
  readonly sell_volume: number
}

/** Start of the next day; undefined if nothing was traded. */
export function fitVpin(trades: SideVolumes): VpinStart | undefined {
  const bucket_volume = quotient(volumeOf(trades), decimalOf(VPIN_BUCKETS))
  if (!(bucket_volume > 0)) return undefined
  const buckets = new Buckets({ bucket_volume, imbalances: [], buy_volume: 0, sell_volume: 0 })
  fill(buckets, trades)
  return buckets.state()
}

/**
 * VPIN over consecutive stretches of rows: one value per row, NaN until 50 buckets are full after a
 * gap.
 */
export class Vpin {
  readonly #buckets: Buckets

  /** `start`: state at the start of the day, or a saved state to continue from. */
  constructor(start: VpinStart | SavedBuckets) {
    this.#buckets = 'size' in start ? Buckets.from(start) : new Buckets(start)
  }

  /** Values of rows [first, end). */
  over(trades: SideVolumes, first: number, end: number): Float64Array {
    return fill(this.#buckets, trades, first, end)
  }

  save(): SavedBuckets {
    return this.#buckets.save()
  }
}

/** Buckets as plain data, exact. */
export interface SavedBuckets {
  readonly size: Decimal
  readonly imbalances: readonly bigint[]
  readonly volume: Decimal
  readonly first: bigint
  readonly since: Decimal
}

function volumeOf({ buy_volume, sell_volume }: SideVolumes): Decimal {
  let volume = ZERO
  for (const [row, bought] of buy_volume.column.entries()) {
    if (Number.isNaN(bought)) continue
    volume = plus(volume, plus(exactAt(buy_volume, row), exactAt(sell_volume, row)))
  }
  return volume
}

function fill(
  buckets: Buckets,
  { buy_volume, sell_volume }: SideVolumes,
  first = 0,
  end = buy_volume.column.length,
): Float64Array {
  return buy_volume.column.slice(first, end).map((bought, i) => {
    const row = first + i
    if (Number.isNaN(bought)) buckets.clear()
    else if (bought > 0 || sell_volume.column[row]! > 0) {
      buckets.add(exactAt(buy_volume, row), exactAt(sell_volume, row))
    }
    return buckets.vpin
  })
}

/** Shares of a bucket are multiples of 2^-200. */
const SHARE_BITS = 200n
const WHOLE = { units: 1n << SHARE_BITS, digits: 0 }

/** a / b, rounded towards 0. */
function shareOf(a: Decimal, b: Decimal): bigint {
  const [top, bottom] = integersOf(a, b)
  return (BigInt(top) << SHARE_BITS) / BigInt(bottom)
}

class Buckets {
  readonly #size: Decimal
  /** |Vb - Vs| of the last full buckets as shares, oldest first; then their sum. */
  #imbalances: bigint[]
  #sum: bigint
  /** The open bucket: its volume, Vb - Vs at its start, and Vb - Vs of the bars since. */
  #volume: Decimal
  #first = 0n
  #since: Decimal
  #vpin: number

  constructor({ bucket_volume, imbalances, buy_volume, sell_volume }: VpinStart) {
    const [bought, sold] = [decimalOf(buy_volume), decimalOf(sell_volume)]
    this.#size = decimalOf(bucket_volume)
    this.#imbalances = imbalances.map((value) => shareOf(decimalOf(value), this.#size))
    this.#sum = this.#imbalances.reduce((sum, share) => sum + share, 0n)
    this.#volume = plus(bought, sold)
    this.#since = minus(bought, sold)
    this.#vpin = this.#computed()
  }

  static from({ size, imbalances, volume, first, since }: SavedBuckets): Buckets {
    const nothing = { imbalances: [], buy_volume: 0, sell_volume: 0 }
    const buckets = new Buckets({ bucket_volume: nearest(size), ...nothing })
    buckets.#imbalances = [...imbalances]
    buckets.#sum = imbalances.reduce((sum, share) => sum + share, 0n)
    buckets.#volume = volume
    buckets.#first = first
    buckets.#since = since
    buckets.#vpin = buckets.#computed()
    return buckets
  }

  save(): SavedBuckets {
    return {
      size: this.#size,
      imbalances: [...this.#imbalances],
      volume: this.#volume,
      first: this.#first,
      since: this.#since,
    }
  }

  get vpin(): number {
    return this.#vpin
  }

  clear(): void {
    this.#imbalances = []
    this.#sum = this.#first = 0n
    this.#volume = this.#since = ZERO
    this.#vpin = NaN
  }

  /** Adds one bar. Volume that overflows the open bucket keeps its buy/sell ratio. */
  add(bought: Decimal, sold: Decimal): void {
    const [volume, balance] = [plus(bought, sold), minus(bought, sold)]
    const filled = plus(this.#volume, volume)
    const beyond = minus(filled, this.#size)
    if (beyond.units < 0) {
      this.#volume = filled
      this.#since = plus(this.#since, balance)
      return
    }
    const balanceOf = (part: Decimal): bigint =>
      shareOf(times(part, balance), times(volume, this.#size))
    this.#close(this.#balance() + balanceOf(minus(this.#size, this.#volume)))
    const full_count = wholeQuotient(beyond, this.#size)
    const of_full = balanceOf(this.#size)
    // The bar fills identical buckets, and only the last VPIN_BUCKETS of them count.
    for (let i = 0; i < VPIN_BUCKETS && i < full_count; i++) this.#close(of_full)
    this.#volume = minus(beyond, times(this.#size, { units: full_count, digits: 0 }))
    this.#first = balanceOf(this.#volume)
    this.#since = ZERO
    this.#vpin = this.#computed()
  }

  state(): VpinStart {
    const size = this.#size
    const partOf = (share: bigint): number =>
      quotient(times({ units: share, digits: 0 }, size), WHOLE)
    const filled = shareOf(this.#volume, size)
    return {
      bucket_volume: nearest(size),
      imbalances: this.#imbalances.map(partOf),
      buy_volume: partOf((filled + this.#balance()) / 2n),
      sell_volume: partOf((filled - this.#balance()) / 2n),
    }
  }

  /** Vb - Vs of the open bucket, as a share. */
  #balance(): bigint {
    return this.#first + shareOf(this.#since, this.#size)
  }

  #close(balance: bigint): void {
    const imbalance = balance < 0n ? -balance : balance
    this.#imbalances.push(imbalance)
    this.#sum += imbalance
    if (this.#imbalances.length > VPIN_BUCKETS) this.#sum -= this.#imbalances.shift()!
  }

  #computed(): number {
    if (this.#imbalances.length < VPIN_BUCKETS) return NaN
    const of_all = { units: this.#sum, digits: 0 }
    return quotient(of_all, times(WHOLE, { units: VPIN_BUCKETS, digits: 0 }))
  }
}

function wholeQuotient(a: Decimal, b: Decimal): bigint {
  const [top, bottom] = integersOf(a, b)
  return BigInt(top) / BigInt(bottom)
}
