/** Lets at most `count` tasks run at once; the others wait in the order in which they came. */
export type Turns = <T>(task: () => Promise<T>) => Promise<T>

export function createTurns(count: number): Turns {
  let free = count
  const waiting: (() => void)[] = []
  return async (task) => {
    if (free > 0) free--
    else await new Promise<void>((resolve) => void waiting.push(resolve))
    try {
      return await task()
    } finally {
      const next = waiting.shift()
      if (next === undefined) free++
      else next()
    }
  }
}
