/**
 * The daemon's pool as the queue uses it. graphile-worker completes a job without awaiting the
 * promise, and does not try again after pg's "timeout exceeded when trying to connect" or a refused
 * connection: a Postgres that is busy or restarts would end the daemon by an unhandled rejection.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { describeError } from '#core/errors.ts'
import type { Logger } from '#core/node/log.ts'
import type { Client, Pool } from '#core/node/pool.ts'

/** A refused connection fails at once, one to a busy server after the pool's limit. */
const PAUSE_MS = 1_000

/** `connect()` tries until Postgres accepts; once `signal` is aborted it tries only once. */
export function createQueuePool(pool: Pool, log: Logger, signal: AbortSignal): Pool {
  async function connectPatiently(): Promise<Client> {
    for (;;) {
      try {
        return await pool.connect()
      } catch (error) {
        if (signal.aborted || pool.ending) throw error
        const facts = { code: 'queue_waits', error: describeError(error) }
        log.warn(facts, 'The queue cannot connect to Postgres; trying again.')
        await sleep(PAUSE_MS, undefined, { signal }).catch(() => undefined)
      }
    }
  }
  // The queue itself tries again where it connects with a callback, to listen.
  const connect = (...args: [] | Parameters<Pool['connect']>): unknown =>
    args.length === 0 ? connectPatiently() : pool.connect(...args)
  return new Proxy(pool, {
    get(target, key) {
      if (key === 'connect') return connect
      const value: unknown = Reflect.get(target, key, target)
      return typeof value === 'function' ? (value.bind(target) as unknown) : value
    },
  })
}
