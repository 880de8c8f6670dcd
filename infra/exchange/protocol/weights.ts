/**
 * Request weights as Binance counts them, per calendar minute and address. Above the limit, every
 * request gets 429. A client that keeps sending requests is banned for a while and gets 418.
 */
export interface WeightLimits {
  readonly weight_per_minute_max: number
  /** Requests answered with 429 in one minute before the ban. */
  readonly refused_max: number
  readonly ban_s: number
}

export type WeightVerdict =
  | { readonly kind: 'ok'; readonly used_weight: number }
  | {
      readonly kind: 'refused'
      readonly status: 429 | 418
      readonly retry_after_s: number
      readonly used_weight: number
    }

const MINUTE_MS = 60_000

export class WeightMeter {
  readonly #limits: WeightLimits
  #minute = -1
  #used_weight = 0
  #refused_count = 0
  #banned_until_ms = 0

  constructor(limits: WeightLimits) {
    this.#limits = limits
  }

  spend(weight: number, now_ms: number): WeightVerdict {
    const minute = Math.floor(now_ms / MINUTE_MS)
    if (minute !== this.#minute) {
      this.#minute = minute
      this.#used_weight = 0
      this.#refused_count = 0
    }
    if (now_ms < this.#banned_until_ms) return this.#refuse(418, this.#banned_until_ms - now_ms)
    this.#used_weight += weight
    if (this.#used_weight <= this.#limits.weight_per_minute_max) {
      return { kind: 'ok', used_weight: this.#used_weight }
    }
    this.#refused_count += 1
    if (this.#refused_count > this.#limits.refused_max) {
      this.#banned_until_ms = now_ms + this.#limits.ban_s * 1_000
      return this.#refuse(418, this.#limits.ban_s * 1_000)
    }
    return this.#refuse(429, (minute + 1) * MINUTE_MS - now_ms)
  }

  #refuse(status: 429 | 418, wait_ms: number): WeightVerdict {
    const retry_after_s = Math.max(1, Math.ceil(wait_ms / 1_000))
    return { kind: 'refused', status, retry_after_s, used_weight: this.#used_weight }
  }
}
