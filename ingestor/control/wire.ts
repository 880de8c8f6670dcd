/** The wanted state as JSON: in requests, answers, the state file and the audit log. */
import { z } from 'zod'
import { CHANNELS } from '#core/market.ts'
import { isSymbolName, SYMBOL_RULE } from '#core/symbols.ts'
import { TIERS } from '../symbol-tiers.ts'
import type { DepthSymbols, DesiredState } from '../desired-state.ts'

const NAMES_MAX = 2_000
export const COUNT_MAX = 10_000

export const Names = z
  .array(z.string().refine(isSymbolName, { error: `must be a symbol: ${SYMBOL_RULE}` }))
  .min(1)
  .max(NAMES_MAX)
  .transform((names) => [...new Set(names)])

export const Count = z.int().min(1).max(COUNT_MAX)
export const Tier = z.int().min(1).max(TIERS.length)

export const SymbolsWire = z.union(
  [z.literal('all'), Names, z.strictObject({ count: Count }), z.strictObject({ tier: Tier })],
  { error: `must be "all" or a list of 1 to ${NAMES_MAX} symbols: ${SYMBOL_RULE}` },
)

export const ChannelsWire = z
  .array(z.enum(CHANNELS, { error: `must be one of ${CHANNELS.join(', ')}` }))
  .min(1)
  .max(CHANNELS.length)
  .transform((channels) => CHANNELS.filter((channel) => channels.includes(channel)))

export const DepthWire = z.union(
  [z.literal('all'), Names, z.strictObject({ busiest: Count }), z.strictObject({ tier: Tier })],
  {
    error: `must be "all", {"busiest":20}, {"tier":1}, or a list of symbols: ${SYMBOL_RULE}`,
  },
)
export type DepthWire = z.infer<typeof DepthWire>

export const RecordingWire = z.enum(['recording', 'paused'])

export const WantedWire = z.strictObject({
  recording: RecordingWire,
  symbols: SymbolsWire,
  channels: ChannelsWire,
  depth: DepthWire,
})
export type WantedWire = z.infer<typeof WantedWire>

export function toWire({ recording, symbols, channels, depth }: DesiredState): WantedWire {
  return {
    recording,
    symbols:
      typeof symbols === 'string' || 'count' in symbols || 'tier' in symbols
        ? symbols
        : [...symbols],
    channels: CHANNELS.filter((channel) => channels.includes(channel)),
    depth: depthToWire(depth),
  }
}

export function fromWire(wire: WantedWire): DesiredState {
  return { ...wire, depth: depthFromWire(wire.depth) }
}

export function depthFromWire(wire: DepthWire): DepthSymbols {
  if (wire === 'all') return { kind: 'all' }
  if (Array.isArray(wire)) return { kind: 'named', symbols: wire }
  if ('tier' in wire) return { kind: 'tier', tier: wire.tier }
  return { kind: 'busiest', count: wire.busiest }
}

function depthToWire(depth: DepthSymbols): DepthWire {
  switch (depth.kind) {
    case 'all':
      return 'all'
    case 'named':
      return [...depth.symbols]
    case 'tier':
      return { tier: depth.tier }
    case 'busiest':
      return { busiest: depth.count }
  }
}
