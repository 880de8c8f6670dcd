/** Which stream goes over which socket. Pure. */

/**
 * For each of `count` new streams the index of its socket: always the one with the fewest
 * streams, so neighbours in the list (the exchange lists its busiest symbols first) are spread
 * over sockets. Sockets are added only when those in `loads` have no room: an index past the end
 * of `loads` is a new one.
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
