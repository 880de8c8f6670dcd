/** Follows the live events of an ingestor over connections that may break. */
import { setTimeout as sleep } from 'node:timers/promises'
import { describeError } from '#core/errors.ts'
import type { StatusView } from '../../../ingestor/control/view.ts'
import type { AdminApi } from './client.ts'

export interface Watcher {
  onStatus(status: StatusView): void
  /** Called when the connection breaks, or a reconnection fails. */
  onLost(reason: string): void
}

const RETRY_MS = 1_000
const DATA = 'data: '

/**
 * Settles once `signal` is aborted: true if it was connected then. Rejects only if the first
 * attempt fails, with an error of AdminApi.
 */
export async function watchStatus(
  api: Pick<AdminApi, 'lines'>,
  { onStatus, onLost }: Watcher,
  signal: AbortSignal,
): Promise<boolean> {
  let has_begun = false
  for (;;) {
    let is_connected = false
    try {
      const lines = await api.lines('/events', signal)
      has_begun = is_connected = true
      for await (const line of lines) {
        if (line.startsWith(DATA)) onStatus(JSON.parse(line.slice(DATA.length)) as StatusView)
      }
      if (!signal.aborted) onLost('The ingestor ended the connection.')
    } catch (error) {
      // Aborting `signal` also breaks the connection.
      if (signal.aborted) return is_connected
      if (!has_begun) throw error
      onLost(describeError(error))
    }
    await sleep(RETRY_MS, undefined, { signal }).catch(() => undefined)
    if (signal.aborted) return false
  }
}
