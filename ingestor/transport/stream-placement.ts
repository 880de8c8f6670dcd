/** Decides which stream goes over which socket. Pure. */

/**
 * Returns the index of the socket for each of `count` new streams: always the socket with the
 * fewest streams. This spreads neighbours in the list over sockets, because exchanges list their
 * busiest symbols first. Sockets are added only when those in `loads` are full; an index past the
 * end of `loads` means a new socket.
 */
export function placeStreams(
  loads: readonly number[],
  count: number,
  per_socket_max: number,
): readonly number[] {
  const room = loads.reduce((sum, load) => sum + Math.max(0, per_socket_max - load), 0)
  const added = Math.ceil(Math.max(0, count - room) / per_socket_max)
  const totals = [...loads, ...Array.from({ length: added }, () => 0)]
  return Array.from({ length: count }, () => {
    const index = totals.indexOf(Math.min(...totals))
    totals[index]! += 1
    return index
  })
}
