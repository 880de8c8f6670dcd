/**
 * A request on a connection that was kept open fails at once if the other side has just closed it:
 * its timer for idle connections was first, or a proxy has restarted. The service itself is well.
 */

/** What fails later was lost while it was answered, or is late. */
const AT_ONCE_MS = 1_000
/** The other kept connections were closed too; the client learns it meanwhile. */
const PAUSE_MS = 10

/** Sends what only reads a second time, on another connection, if it failed at once. */
export async function sendAgainIfLost<T>(
  send: () => Promise<T>,
  mayBeLost: (error: unknown) => boolean = () => true,
): Promise<T> {
  const began_ms = Date.now()
  try {
    return await send()
  } catch (error) {
    if (Date.now() - began_ms > AT_ONCE_MS || !mayBeLost(error)) throw error
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS))
    return send()
  }
}
