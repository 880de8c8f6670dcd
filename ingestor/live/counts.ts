/** The live server's counters. metrics.ts exports them. */
export const CLOSE_REASONS = [
  'gone', // the client ended the connection
  'answered', // a long poll
  'consumer_too_slow',
  'draining',
  'bad_client', // too many messages
  'message_too_large',
  'failed',
] as const
export type CloseReason = (typeof CLOSE_REASONS)[number]

/** Missed messages that were sent to clients, by where they were read. */
export const RESUME_SOURCES = ['memory', 'tape', 'database', 'none'] as const
export type ResumeSource = (typeof RESUME_SOURCES)[number]

export interface LiveCounts {
  sent_bytes: number
  skipped: number
  cluster_failures: number
  readonly closes: Record<CloseReason, number>
  readonly resumes: Record<ResumeSource, number>
  /** By code. */
  readonly faults: Record<string, number>
  readonly connections: Record<'websocket' | 'sse' | 'poll', number>
}

export function createCounts(): LiveCounts {
  const zeros = <Key extends string>(keys: readonly Key[]): Record<Key, number> =>
    Object.fromEntries(keys.map((key) => [key, 0])) as Record<Key, number>
  return {
    sent_bytes: 0,
    skipped: 0,
    cluster_failures: 0,
    closes: zeros(CLOSE_REASONS),
    resumes: zeros(RESUME_SOURCES),
    faults: {},
    connections: zeros(['websocket', 'sse', 'poll']),
  }
}
