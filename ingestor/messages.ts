/**
 * The messages that an ingestor sends to the program that started it with IPC. Both are of one
 * build, so `type` alone says what a message is.
 */
import type { IngestorStatus } from './status.ts'
import type { FollowCounts } from './writer/counts.ts'

/** Sent every second. */
export type StatusMessage = IngestorStatus & { readonly type: 'status' }
/** The answer to { type: 'drain' }: everything received is committed. */
export interface DrainedMessage {
  readonly type: 'drained'
  readonly counts: FollowCounts
}

export type IngestorMessage = { readonly type: 'ready' } | StatusMessage | DrainedMessage

interface AnyMessage {
  readonly type: string
}

export const isStatus = (message: AnyMessage): message is StatusMessage => message.type === 'status'

export const isDrained = (message: AnyMessage): message is DrainedMessage =>
  message.type === 'drained'
