/**
 * Tells the tape that we are there while nothing else does, so that whoever reads the database can
 * tell a quiet market from an ingestor that is down (tape_positions.covered_until). Where frames
 * come it costs nothing: each of them says the same.
 */
export interface Heartbeat {
  stop(): void
}

/** A fifth of the time after which the view gap_ledger takes an ingestor for lost. */
const BEAT_MS = 2_000

/** `beat` is called where no frame came since the last look. */
export function startHeartbeat(frameCount: () => number, beat: () => void): Heartbeat {
  let seen = frameCount()
  const timer = setInterval(() => {
    if (frameCount() === seen) beat()
    seen = frameCount()
  }, BEAT_MS)
  return { stop: () => clearInterval(timer) }
}
