/**
 * Realised variance of one step: the squared log return r^2, r = ln(m / m_before). It adds up:
 * the sum over the steps of a window is the window's realised variance, its root the volatility.
 * Andersen, Bollerslev, Diebold & Labys (2003), "Modeling and Forecasting Realized Volatility".
 */
export function realisedVariance(mid_before: number, mid: number): number {
  const log_return = Math.log(mid / mid_before)
  return log_return * log_return
}
