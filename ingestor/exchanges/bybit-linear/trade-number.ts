/** A number for a trade whose id is a UUID, because the tables store ids as integers. */
import { type Fields, Rejection } from '../fields.ts'

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i

/**
 * The first 53 bits of the UUID without its version: as many as a double holds exactly. Two trades
 * collide only if they also share symbol and millisecond. Among the 1,024 trades that a frame holds
 * at most, the odds of a collision are 1 to 17 billion.
 */
export function tradeNumber(wire: Fields, name: string): number {
  const value = wire[name]
  if (typeof value !== 'string' || !UUID.test(value)) {
    throw new Rejection('bad_field', `${name}: expected a UUID`)
  }
  const first_48_bits = Number.parseInt(value.slice(0, 8) + value.slice(9, 13), 16)
  const next_5_bits = Number.parseInt(value.slice(15, 17), 16) >> 3
  return first_48_bits * 32 + next_5_bits
}
