/**
 * Volume-synchronised probability of informed trading: sum |Vb - Vs| / (n V) over the last n = 50
 * buckets of equal volume V. Easley, Lopez de Prado & O'Hara (2012), "Flow Toxicity and Liquidity
 * in a High-frequency World", Review of Financial Studies 25 (5). As there, time bars (here of one
 * second) are shared out between buckets by volume, and V is a fiftieth of a day's volume: that of
 * the day before. The sides are the exchange's own, where the paper estimates them.
 */
import { decimalOf, quotient, sumOf } from '#core/decimals.ts'
import { VPIN_BUCKETS } from '#core/features/fitted.ts'
import type { TradeColumns } from '../trade-columns.ts'

/** A bucket that is full but for this share of it is full: sums of volumes are not exact. */
const ROUNDING = 1e-9

/** How a day begins: the bucket's volume, and what the day before left in the buckets. */
export interface VpinStart {
  readonly bucket_volume: number
  /** |Vb - Vs| of the last full buckets since the last gap, oldest first. */
  readonly imbalances: readonly number[]
  /** What the bucket that is being filled has so far. */
  readonly buy_volume: number
  readonly sell_volume: number
}

/** Of a day, for the next: undefined where nothing was traded. */
export function fitVpin(trades: TradeColumns): VpinStart | undefined {
  const volume = sumOf(trades.volume.filter((value) => !Number.isNaN(value)))
  const bucket_volume = quotient(volume, decimalOf(VPIN_BUCKETS))
  if (!(bucket_volume > 0)) return undefined
  const buckets = new Buckets({ bucket_volume, imbalances: [], buy_volume: 0, sell_volume: 0 })
  fill(buckets, trades)
  return buckets.state()
}

/** One value a row; NaN where fewer than 50 buckets are full since the last gap. */
export function vpin(trades: TradeColumns, start: VpinStart): Float64Array {
  return fill(new Buckets(start), trades)
}

function fill(buckets: Buckets, { buy_volume, sell_volume }: TradeColumns): Float64Array {
  return buy_volume.map((bought, row) => {
    if (Number.isNaN(bought)) buckets.clear()
    else buckets.add(bought, sell_volume[row]!)
    return buckets.vpin
  })
}

class Buckets {
  readonly #bucket_volume: number
  #imbalances: number[]
  #buy_volume: number
  #sell_volume: number
  #vpin: number

  constructor({ bucket_volume, imbalances, buy_volume, sell_volume }: VpinStart) {
    this.#bucket_volume = bucket_volume
    this.#imbalances = [...imbalances]
    this.#buy_volume = buy_volume
    this.#sell_volume = sell_volume
    this.#vpin = this.#computed()
  }

  get vpin(): number {
    return this.#vpin
  }

  clear(): void {
    this.#imbalances = []
    this.#buy_volume = this.#sell_volume = 0
    this.#vpin = NaN
  }

  /** One bar. What does not fit into the open bucket goes to the next ones, in the same shares. */
  add(bought: number, sold: number): void {
    const size = this.#bucket_volume
    const volume = bought + sold
    const room = size - this.#buy_volume - this.#sell_volume
    if (volume < room - size * ROUNDING) {
      this.#buy_volume += bought
      this.#sell_volume += sold
      return
    }
    const [buy_share, sell_share] = [bought / volume, sold / volume]
    this.#close(this.#buy_volume + room * buy_share, this.#sell_volume + room * sell_share)
    const rest = Math.max(0, volume - room)
    const full_count = Math.floor(rest / size + ROUNDING)
    // More than VPIN_BUCKETS of the same would only push each other out.
    for (let i = 0; i < Math.min(full_count, VPIN_BUCKETS); i++) {
      this.#close(size * buy_share, size * sell_share)
    }
    const left = Math.max(0, rest - full_count * size)
    this.#buy_volume = left * buy_share
    this.#sell_volume = left * sell_share
    this.#vpin = this.#computed()
  }

  state(): VpinStart {
    return {
      bucket_volume: this.#bucket_volume,
      imbalances: this.#imbalances,
      buy_volume: this.#buy_volume,
      sell_volume: this.#sell_volume,
    }
  }

  #close(bought: number, sold: number): void {
    this.#imbalances.push(Math.abs(bought - sold))
    if (this.#imbalances.length > VPIN_BUCKETS) this.#imbalances.shift()
  }

  #computed(): number {
    if (this.#imbalances.length < VPIN_BUCKETS) return NaN
    const sum = this.#imbalances.reduce((total, value) => total + value, 0)
    return sum / (VPIN_BUCKETS * this.#bucket_volume)
  }
}
