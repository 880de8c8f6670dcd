/**
 * Limits of the connections to Postgres that the programs of jobs hold. A small server has 25,
 * three of them reserved for superusers. docs/deploy-edge.md adds up all programs.
 */

/** For the daemon's own work; a job waits for its turn if none is free. */
const WORK_CONNECTIONS = 2
/** The locks and rows of runs, the queue's LISTEN, and two for the queue's statements. */
const QUEUE_CONNECTIONS = 4
export const DAEMON_CONNECTIONS = WORK_CONNECTIONS + QUEUE_CONNECTIONS
/** For a heavy task: its lock and its row in job_runs, and the rows that it reads. */
export const HEAVY_CONNECTIONS = 2
/** One builds features and datasets, the other archives. */
export const HEAVY_PROCESSES = 2

/** A run's lock and row are on the connection that all runs share (runs/locks.ts). */
export const RUN_CONNECTIONS = 1

export interface ConnectionBudget {
  /** Runs `work` once this many connections are free, in the order of the calls. */
  take<T>(connection_count: number, work: () => Promise<T>): Promise<T>
}

export function createConnectionBudget(connection_count = WORK_CONNECTIONS): ConnectionBudget {
  let free_count = connection_count
  const waiting: { readonly count: number; readonly begin: () => void }[] = []
  const admit = (): void => {
    while (waiting[0] !== undefined && waiting[0].count <= free_count) {
      const { count, begin } = waiting.shift()!
      free_count -= count
      begin()
    }
  }
  return {
    async take(count, work) {
      if (count > connection_count)
        throw new RangeError(`There are ${connection_count} connections.`)
      const { promise, resolve } = Promise.withResolvers<void>()
      waiting.push({ count, begin: resolve })
      admit()
      await promise
      try {
        return await work()
      } finally {
        free_count += count
        admit()
      }
    },
  }
}
