/** Waits until a client has read everything sent to it. */
import { randomUUID } from 'node:crypto'
import type { WebSocket } from 'ws'
import type { Outbox } from './outbox.ts'

/**
 * Sends a ping after all frames. Resolves on its pong, or when the socket closes. A client answers
 * in order, so by then it has read every earlier frame.
 */
export async function echo(ws: WebSocket, outbox: Outbox): Promise<void> {
  outbox.flush()
  if (ws.readyState !== ws.OPEN) return
  const payload = randomUUID()
  const { promise, resolve } = Promise.withResolvers<void>()
  const take = (answer: Buffer): void => {
    if (String(answer) === payload) resolve()
  }
  ws.on('pong', take)
  ws.once('close', resolve)
  ws.ping(payload)
  await promise
  ws.off('pong', take)
  ws.off('close', resolve)
}
