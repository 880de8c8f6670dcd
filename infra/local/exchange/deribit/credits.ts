/** Deribit's rate limit: calls cost credits, which grow back. Pure; time is an argument. */

export interface CreditLimits {
  readonly cost: number
  readonly credits_max: number
  readonly credits_per_s: number
}

/** Of calls that do not touch the matching engine: 20 a second, 100 at once. */
export const CALL_CREDITS: CreditLimits = { cost: 500, credits_max: 50_000, credits_per_s: 10_000 }
/** Of public/subscribe, which has a pool of its own: three a second, 10 at once. */
export const SUBSCRIBE_CREDITS: CreditLimits = {
  cost: 3_000,
  credits_max: 30_000,
  credits_per_s: 10_000,
}

/** Answers true where the call may be made, and takes its cost. */
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
