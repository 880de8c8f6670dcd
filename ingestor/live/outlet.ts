/** A client's connection, as the session sees it: WebSocket, server-sent events, or one answer. */
import type { Message } from './wire.ts'

export interface Outlet {
  readonly kind: 'websocket' | 'sse' | 'poll'
  /** Bytes of messages about one stream. `chunk`: their frames, if they are at hand joined. */
  encode(key: string, messages: readonly Message[], chunk?: Buffer): Buffer
  /** Bytes of a message that is about no stream, or about several. */
  encodeOther(text: string): Buffer
  /** False if the bytes wait: `onDrain` is called once they do not. */
  write(bytes: Buffer): boolean
  onDrain(listener: () => void): void
  /** What was written and waits in this process. */
  readonly pending_bytes: number
  /** Ends it after everything that was written. */
  close(code: number, reason: string): void
  /** Ends it now. */
  destroy(): void
}
