/**
 * Splits the symbols between several ingestors by rendezvous hashing (highest random weight; Thaler
 * & Ravishankar, 1998). Every shard computes its share from the symbols' names alone. One more
 * shard takes about 1/(n+1) of each other's share and moves nothing between the others.
 */
import { createHash } from 'node:crypto'

export interface Shard {
  /** 1 to `count`. */
  readonly index: number
  readonly count: number
}

export const SHARD_COUNT_MAX = 64

const WEIGHT_BYTES = 6

/** The symbols that the shard records, in the given order. */
export function symbolsOfShard(symbols: readonly string[], shard: Shard): readonly string[] {
  return symbols.filter((symbol) => shardOf(symbol, shard.count) === shard.index)
}

/** The shard with the highest weight; of equal weights the lower number. */
export function shardOf(symbol: string, count: number): number {
  let best = { index: 1, weight: -1 }
  for (let index = 1; index <= count; index++) {
    const weight = weightOf(symbol, index)
    if (weight > best.weight) best = { index, weight }
  }
  return best.index
}

/**
 * The first 48 bits of SHA-256 over "<symbol> <index>" in UTF-8, big endian: the same on every
 * machine and in every language. Changing it moves symbols between running ingestors.
 */
function weightOf(symbol: string, index: number): number {
  return createHash('sha256').update(`${symbol} ${index}`).digest().readUIntBE(0, WEIGHT_BYTES)
}
