/**
 * Writes marks to the tape while no frames arrive, so readers of the database can tell a quiet
 * market from an ingestor that is down (tape_positions.covered_until). While frames arrive it
 * writes nothing, because every frame proves the same.
 */
export interface Heartbeat {
  stop(): void
}

/** A fifth of the time after which the view gap_ledger considers an ingestor lost. */
const BEAT_MS = 2_000

/** Calls `beat` if no frame has arrived since the last check. */
export function startHeartbeat(frameCount: () => number, beat: () => void): Heartbeat {
  let seen = frameCount()
  const timer = setInterval(() => {
    if (frameCount() === seen) beat()
    seen = frameCount()
  }, BEAT_MS)
  return { stop: () => clearInterval(timer) }
}
