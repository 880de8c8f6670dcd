/**
 * Joins callers with the same question. A caller joins only an answer that has not begun to be
 * made, so it never gets one that is older than its question: while one is being made, all others
 * wait together for the one after it.
 */
export interface Flights {
  /** `make` is called once for all that join. */
  join<T>(key: string, make: () => Promise<T>): Promise<T>
}

export function createFlights(): Flights {
  const running = new Map<string, Promise<unknown>>()
  const waiting = new Map<string, Promise<unknown>>()
  return {
    join<T>(key: string, make: () => Promise<T>): Promise<T> {
      const known = waiting.get(key)
      if (known !== undefined) return known as Promise<T>
      const before = running.get(key) ?? new Promise((resolve) => void setImmediate(resolve))
      const flight = before
        .catch(() => undefined)
        .then(() => {
          waiting.delete(key)
          running.set(key, flight)
          return make()
        })
        .finally(() => {
          if (running.get(key) === flight) running.delete(key)
        })
      waiting.set(key, flight)
      return flight
    },
  }
}
