/**
 * How many connections to Postgres the programs of jobs hold at most. A small server has 25, of
 * which three are its superuser's; docs/deploy-edge.md has the sum with the others.
 */

/** For the work of the daemon itself; a job that finds too few of them waits for its turn. */
const WORK_CONNECTIONS = 4
/** The lock of the daemon, the queue's LISTEN, and two for the queue's statements. */
const QUEUE_CONNECTIONS = 4
export const DAEMON_CONNECTIONS = WORK_CONNECTIONS + QUEUE_CONNECTIONS
/** A heavy task: its lock, its row in job_runs, and the rows that it reads. */
export const HEAVY_CONNECTIONS = 3
/** One builds features and datasets, the other archives. */
export const HEAVY_PROCESSES = 2

/** A run holds its lock, and asks with another. */
export const RUN_CONNECTIONS = 2
/** It locks the hour that it drops as well. */
export const RETENTION_CONNECTIONS = 3

export interface ConnectionBudget {
  /** Runs `work` once so many connections are free for it, in the order of the calls. */
  take<T>(connection_count: number, work: () => Promise<T>): Promise<T>
}

/** Who holds some connections of a pool and waits for more could wait for ever. */
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
      if (count > connection_count) throw new RangeError(`There are ${connection_count} connections.`)
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
