/**
 * How far the follower can read the tape: a number that the main thread stores in shared memory
 * with every write, or a fixed one for a finished tape.
 */
export interface TapeEnd {
  /** Byte position after the last readable record. */
  position(): number
  /** Resolves once the tape is longer than `position`, or after `timeout_ms`. */
  grownBeyond(position: number, timeout_ms: number): Promise<void>
}

export interface SharedTapeEnd {
  readonly memory: SharedArrayBuffer
  /** Cheap enough for every turn of the event loop. */
  publish(position: number): void
}

/** The writing thread's side. */
export function createSharedTapeEnd(): SharedTapeEnd {
  const memory = new SharedArrayBuffer(BigInt64Array.BYTES_PER_ELEMENT)
  const cell = new BigInt64Array(memory)
  return {
    memory,
    publish(position) {
      Atomics.store(cell, 0, BigInt(position))
      Atomics.notify(cell, 0)
    },
  }
}

/** The reading thread's side. */
export function sharedTapeEnd(memory: SharedArrayBuffer): TapeEnd {
  const cell = new BigInt64Array(memory)
  return {
    position: () => Number(Atomics.load(cell, 0)),
    async grownBeyond(position, timeout_ms) {
      // A wait on shared memory does not keep the thread alive; the timer does.
      const timer = setTimeout(() => undefined, timeout_ms)
      await Atomics.waitAsync(cell, 0, BigInt(position), timeout_ms).value
      clearTimeout(timer)
    },
  }
}

export function fixedTapeEnd(position: number): TapeEnd {
  return {
    position: () => position,
    grownBeyond: (_position, timeout_ms) =>
      new Promise((resolve) => {
        setTimeout(resolve, timeout_ms)
      }),
  }
}
