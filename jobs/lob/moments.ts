/**
 * Mean and standard deviation of a column, value by value. Welford (1962), Note on a Method for
 * Calculating Corrected Sums of Squares and Products, Technometrics 4 (3). Pure.
 */
export interface ColumnMoments {
  readonly mean: number
  /** Of the population: divided by the number of rows. */
  readonly std: number
}

export class Moments {
  /** Differences from it are small, so they keep their digits. */
  #first = 0
  #count = 0
  #mean = 0
  #squares = 0

  add(value: number): void {
    if (this.#count === 0) this.#first = value
    this.#count += 1
    const moved = value - this.#first
    const before = moved - this.#mean
    this.#mean += before / this.#count
    this.#squares += before * (moved - this.#mean)
  }

  /** Not a number before the first value. */
  get value(): ColumnMoments {
    return {
      mean: this.#count === 0 ? NaN : this.#first + this.#mean,
      std: Math.sqrt(this.#squares / this.#count),
    }
  }
}
