/** A client's connection as the session sees it: WebSocket, server-sent events, or one answer. */
import type { Message } from './wire.ts'

export interface Outlet {
  readonly kind: 'websocket' | 'sse' | 'poll'
  /** The bytes of messages about one stream. `chunk`: their frames, if they are joined already. */
  encode(key: string, messages: readonly Message[], chunk?: Buffer): Buffer
  /** The bytes of a message about no stream or about several. */
  encodeOther(text: string): Buffer
  /** Returns false if the bytes wait in this process; `onDrain` is called when they have left. */
  write(bytes: Buffer): boolean
  onDrain(listener: () => void): void
  /** Written bytes that wait in this process. */
  readonly pending_bytes: number
  /** Ends the connection after everything that was written. */
  close(code: number, reason: string): void
  /** Ends the connection at once. */
  destroy(): void
}
