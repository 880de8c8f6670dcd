/** Deribit's rate limit: calls cost credits, which refill over time. Pure; time is an argument. */

export interface CreditLimits {
  readonly cost: number
  readonly credits_max: number
  readonly credits_per_s: number
}

/** Calls that do not use the matching engine: 20 per second, bursts of 100. */
export const CALL_CREDITS: CreditLimits = { cost: 500, credits_max: 50_000, credits_per_s: 10_000 }
/** public/subscribe, which has its own pool: about three per second, bursts of 10. */
export const SUBSCRIBE_CREDITS: CreditLimits = {
  cost: 3_000,
  credits_max: 30_000,
  credits_per_s: 10_000,
}

/** Returns true and spends the cost if the call is allowed. */
export function createCredits(limits: CreditLimits, start_ms: number): (now_ms: number) => boolean {
  let credits = limits.credits_max
  let at_ms = start_ms
  return (now_ms) => {
    const grown = ((now_ms - at_ms) / 1_000) * limits.credits_per_s
    credits = Math.min(limits.credits_max, credits + grown)
    at_ms = now_ms
    if (credits < limits.cost) return false
    credits -= limits.cost
    return true
  }
}
