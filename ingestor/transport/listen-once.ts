/** Subscribes to streams over separate sockets until each has delivered once, then closes them. */
import { setTimeout as sleep } from 'node:timers/promises'
import { createTransport, type StreamStatus, type TransportOptions } from './transport.ts'

const POLL_MS = 50
/** Long enough to connect and to send a hundred requests with their answers. */
const LISTEN_MS_MAX = 20_000

/**
 * Resolves with the symbols whose stream delivered, after LISTEN_MS_MAX at the latest. A stream
 * that did not deliver loses nothing: the recording sockets are subscribed to all of them.
 */
export async function listenOnce(
  options: Omit<TransportOptions, 'onLost' | 'onCarried' | 'onHeard' | 'onListingChanged'>,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const transport = createTransport({ ...options, onLost: () => undefined })
  const deadline_ms = performance.now() + LISTEN_MS_MAX
  const isOpen = ({ frame_count, refusal }: StreamStatus): boolean =>
    frame_count === 0 && refusal === null
  try {
    // It rejects if it is stopped before everything was acknowledged, which does not matter here.
    transport.start().catch(() => undefined)
    while (transport.status().streams.some(isOpen) && performance.now() < deadline_ms) {
      await sleep(POLL_MS, undefined, { signal }).catch(() => undefined)
      if (signal.aborted) break
    }
    const spoke = transport.status().streams.filter((stream) => stream.frame_count > 0)
    return spoke.map((stream) => stream.symbol)
  } finally {
    await transport.stop()
  }
}
