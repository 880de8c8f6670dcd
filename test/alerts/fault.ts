/** A fault, and the means to inject one. */
import { Client } from 'pg'
import type { LocalStack } from './stack.ts'

export interface Fault {
  readonly name: string
  /**
   * By alert: how long its own condition takes to come true [s], such as a feed that has to be
   * silent for 30 s. It must fire two scrapes later.
   */
  readonly alerts: Readonly<Record<string, number>>
  /** What this machine lacks for it, in words; undefined: nothing. */
  lacks?(): string | undefined
  /** Returns what ends it. */
  inject(stack: LocalStack): Promise<() => Promise<void> | void>
}

/** Stops processes and their children, which then do not answer, and lets them go on. */
export const stopped =
  (entry: string) =>
  async (stack: LocalStack): Promise<() => void> => {
    const pids = stack.pidsOf(entry).flatMap((pid) => [pid, ...stack.childrenOf(pid)])
    for (const pid of pids) process.kill(pid, 'SIGSTOP')
    return () => {
      for (const pid of pids) process.kill(pid, 'SIGCONT')
    }
  }

/** Sets faults of the exchange server. */
export const exchange =
  (faults: readonly object[], actions: readonly object[] = []) =>
  async (stack: LocalStack): Promise<() => Promise<void>> => {
    await stack.exchange({ faults, actions })
    return () => stack.exchange({ faults: [] })
  }

/** Runs statements on a connection of its own, which the returned function ends. */
export async function holding(
  stack: LocalStack,
  ...sql: readonly string[]
): Promise<() => Promise<void>> {
  const client = new Client({ connectionString: stack.file.postgres_url })
  client.on('error', () => undefined)
  await client.connect()
  for (const text of sql) await client.query(text)
  return () => client.end()
}

export async function once(stack: LocalStack, ...sql: readonly string[]): Promise<void> {
  await (
    await holding(stack, ...sql)
  )()
}
