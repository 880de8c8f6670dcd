/** Which depth streams are recorded, and for which symbols. Shared by all exchanges. */
import type { DepthStream, StreamChoice } from './adapter.ts'

export const DEPTH_STREAMS: readonly DepthStream[] = ['diff', 'partial5', 'partial10', 'partial20']

export const STANDARD_INTERVAL_MS = 100
/** The default: diffs of the book. */
const STANDARD: readonly DepthStream[] = ['diff']

/** Diffs before partial books; empty if books are not recorded. */
export function depthStreamsOf({ channels, depth }: StreamChoice): readonly DepthStream[] {
  if (!channels.includes('depth_events')) return []
  return depth === undefined ? STANDARD : DEPTH_STREAMS.filter((one) => depth.streams.includes(one))
}

/** The symbols whose book is recorded, in the given order. */
export function depthSymbolsOf(
  { depth }: StreamChoice,
  symbols: readonly string[],
): readonly string[] {
  const wanted = depth?.symbols ?? 'all'
  if (wanted === 'all') return symbols
  const set = new Set(wanted)
  return symbols.filter((symbol) => set.has(symbol))
}

/** Levels of each side in a partial book; undefined for diffs. */
export function levelCountOf(stream: DepthStream): 5 | 10 | 20 | undefined {
  return LEVEL_COUNTS[stream]
}

const LEVEL_COUNTS = { diff: undefined, partial5: 5, partial10: 10, partial20: 20 } as const
