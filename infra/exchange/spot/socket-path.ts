/** The paths of Binance spot's sockets: `/stream` and `/ws`, without routes. Pure. */
import { parseStreamPath, type SocketRequest } from '../protocol/handshake.ts'
import { asksForMicroseconds } from '../protocol/time-unit.ts'

/** `/stream?streams=a/b&timeUnit=MICROSECOND`, `/ws/a/b`. Undefined for any other path. */
export function parseSpotPath(url: string): SocketRequest | undefined {
  const asked = parseStreamPath(url)
  const query = new URLSearchParams(url.split('?')[1])
  const in_microseconds = asksForMicroseconds(query.get('timeUnit'))
  if (asked === undefined || asked.prefix !== '' || in_microseconds === undefined) return undefined
  const { combined, streams } = asked
  return { route: 'every', combined, streams, in_microseconds }
}
