/** What of the order book is asked for, and of which symbols: the same question at every exchange. */
import type { DepthStream, StreamChoice } from './adapter.ts'

export const DEPTH_STREAMS: readonly DepthStream[] = ['diff', 'partial5', 'partial10', 'partial20']

export const STANDARD_INTERVAL_MS = 100
/** Where nothing was chosen: every change of the book, as the exchange sends it fastest. */
const STANDARD: readonly DepthStream[] = ['diff']

/** Diffs before partial books; none where the book is not recorded at all. */
export function depthStreamsOf({ channels, depth }: StreamChoice): readonly DepthStream[] {
  if (!channels.includes('depth_events')) return []
  return depth === undefined ? STANDARD : DEPTH_STREAMS.filter((one) => depth.streams.includes(one))
}

/** Those of the symbols whose book is recorded, in their order. */
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
