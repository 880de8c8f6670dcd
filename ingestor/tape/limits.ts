/** The sizes of a tape: its buffer, its reserve, and whether its limits fit together. */
import { OperatorError } from '#core/errors.ts'
import { PAYLOAD_BYTES_LIMIT, RECORD_HEADER_BYTES, SEGMENT_HEADER_BYTES } from './format.ts'
import type { TapeOptions } from './tape.ts'

const BUFFER_BYTES = 256 * 1024

export function bufferBytes({ buffer_bytes }: Pick<TapeOptions, 'buffer_bytes'>): number {
  return buffer_bytes ?? BUFFER_BYTES
}

/** For marks, and for records that were taken before the disk refused a write. */
export function reserveBytes(
  options: Pick<TapeOptions, 'record_bytes_max' | 'buffer_bytes'>,
): number {
  return options.record_bytes_max + 2 * bufferBytes(options)
}

/** Throws OperatorError tape_limits. */
export function checkLimits({
  max_bytes,
  segment_bytes,
  record_bytes_max,
  ...rest
}: TapeOptions): void {
  const least_segment_bytes = SEGMENT_HEADER_BYTES + RECORD_HEADER_BYTES + record_bytes_max
  const least_max_bytes = 2 * segment_bytes + 2 * reserveBytes({ record_bytes_max, ...rest })
  const problems: string[] = []
  if (record_bytes_max > PAYLOAD_BYTES_LIMIT) {
    problems.push(`record_bytes_max is ${record_bytes_max}, at most ${PAYLOAD_BYTES_LIMIT}`)
  }
  if (segment_bytes < least_segment_bytes) {
    problems.push(`segment_bytes is ${segment_bytes}, at least ${least_segment_bytes}`)
  }
  if (max_bytes < least_max_bytes) {
    problems.push(`max_bytes is ${max_bytes}, at least ${least_max_bytes}`)
  }
  if (problems.length === 0) return
  const message = `The limits of the tape do not fit together: ${problems.join('; ')}.`
  throw new OperatorError('tape_limits', message, {
    hint: 'A segment must hold at least one record, and the tape two segments and twice its reserve.',
  })
}
