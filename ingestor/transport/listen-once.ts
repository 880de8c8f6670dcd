/** Subscribes to streams over sockets of their own until each has spoken once, and closes them. */
import { setTimeout as sleep } from 'node:timers/promises'
import { createTransport, type StreamStatus, type TransportOptions } from './transport.ts'

const POLL_MS = 50
/** For connecting, a hundred requests and their answers. */
const LISTEN_MS_MAX = 20_000

/**
 * Settles with the symbols whose stream spoke, at the latest after LISTEN_MS_MAX. That the other
 * streams are not heard is no loss: somebody else listens to all of them.
 */
export async function listenOnce(
  options: Omit<TransportOptions, 'onDeaf' | 'onCarried' | 'onHeard' | 'onListingChanged'>,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const transport = createTransport({ ...options, onDeaf: () => undefined })
  const deadline_ms = performance.now() + LISTEN_MS_MAX
  const isOpen = ({ frame_count, refusal }: StreamStatus): boolean =>
    frame_count === 0 && refusal === null
  try {
    // It rejects when it is stopped before everything was acknowledged, which is no news here.
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
