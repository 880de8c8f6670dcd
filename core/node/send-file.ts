/**
 * Sends bytes of a file, and again if that fails. A stream cannot be sent twice, so the S3 client
 * itself gives up at once, even on a kept connection that the store has just closed.
 */
import { createReadStream, type ReadStream } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { S3ServiceException } from '@aws-sdk/client-s3'
import { backoffMs } from '../waiting.ts'

/** How often the bytes are sent before it fails. */
const TRIES = 3
const BACKOFF = { backoff_base_ms: 100, backoff_cap_ms: 1_000 }

export interface FileSpan {
  readonly path: string
  /** Byte offsets; `to` is not part of it. */
  readonly from: number
  readonly to: number
}

export async function sendFile<T>(
  { path, from, to }: FileSpan,
  send: (body: ReadStream, byte_count: number) => Promise<T>,
): Promise<T> {
  for (let tries = 1; ; tries++) {
    // The end of a stream is its last byte.
    const body = createReadStream(path, { start: from, end: Math.max(0, to - 1) })
    try {
      return await send(body, to - from)
    } catch (error) {
      if (tries === TRIES || isRefusal(error)) throw error
    } finally {
      body.destroy()
    }
    await sleep(backoffMs(tries, BACKOFF, Math.random))
  }
}

/** The store's answer to the request itself, which will be the same again. */
function isRefusal(error: unknown): boolean {
  return error instanceof S3ServiceException && error.$fault === 'client'
}
