/** Growth of a curve of bytes. */

/** Bytes per minute, by least squares. */
export function slopePerMinute(
  samples: readonly { readonly at_s: number; readonly bytes: number }[],
): number {
  const mean_s = samples.reduce((sum, { at_s }) => sum + at_s, 0) / samples.length
  let covariance = 0
  let variance = 0
  for (const { at_s, bytes } of samples) {
    covariance += (at_s - mean_s) * bytes
    variance += (at_s - mean_s) ** 2
  }
  return variance === 0 ? 0 : (covariance / variance) * 60
}
