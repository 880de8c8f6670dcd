/** Logs the first rejected frames of each reason. Later ones are only counted. */
import type { Logger } from '#core/node/log.ts'
import type { RejectedFrame } from './batch.ts'

const SAMPLES_PER_REASON = 3
const EXCERPT_BYTES = 300

export function createRejectLog(log: Logger): (frame: RejectedFrame) => void {
  const samples = new Map<string, number>()
  return ({ reason, detail, record }) => {
    const count = (samples.get(reason) ?? 0) + 1
    if (count > SAMPLES_PER_REASON) return
    samples.set(reason, count)
    log.warn(
      {
        code: 'frame_rejected',
        reason,
        detail,
        position: record.position,
        excerpt: record.payload.toString('utf8', 0, EXCERPT_BYTES),
      },
      count === SAMPLES_PER_REASON
        ? 'A frame was rejected; further ones with this reason are only counted.'
        : 'A frame was rejected.',
    )
  }
}
