/**
 * Limits the memory that all requests of an isolate hold together: pages while they are built, and
 * bodies until the callers have received them (send-body.ts). A request that would exceed the limit
 * waits its turn. If too many requests wait, or one waits too long, it gets a 503 with Retry-After.
 * An isolate has 128 MiB; the runtime ends an isolate that exceeds it, with all its requests.
 *
 * When a caller disconnects, the runtime may stop the code of its request at any point. Memory that
 * such a request held is therefore freed after a timeout, and its place in the queue is skipped.
 */
import { Problem } from '../problem.ts'

export interface MemoryGate {
  /** Runs the work once `byte_count` bytes are free. Throws a 503 if the wait is too long. */
  run<T>(byte_count: number, work: () => Promise<T>): Promise<T>
  /** Counts a body that `run` produced. Never refuses, because `run` reserved more than that. */
  count(body: Uint8Array): void
  /** Counts any other body. Throws a 503 if bodies alone would exceed the limit. */
  admit(body: Uint8Array): void
  /** Adds a reader. The body counts until its last reader is removed. */
  addReader(body: Uint8Array): void
  /** Restarts the body's timeout, after a reader received a part. */
  renew(body: Uint8Array): void
  removeReader(body: Uint8Array): void
  /** Stops counting the body if it has no reader. */
  drop(body: Uint8Array): void
  /** True if a request waits for memory, or was refused recently. */
  isWanted(): boolean
}

export interface MemoryLimits {
  readonly byte_count_max: number
  readonly waiting_count_max: number
  readonly wait_ms: number
  /** After this time memory counts as free, even if its request never reported the end. */
  readonly hold_ms: number
}

const WAITING = { waiting_count_max: 32, wait_ms: 5_000, hold_ms: 20_000 } as const

/** Separate limits: one for archive reads, one for pages and bodies. */
export const LAKE_MEMORY: MemoryLimits = { byte_count_max: 10 << 20, ...WAITING }
export const PAGE_MEMORY: MemoryLimits = { byte_count_max: 16 << 20, ...WAITING }
/** For /mcp batches. The routes that they call count in the other gates. */
export const BATCH_MEMORY: MemoryLimits = { byte_count_max: 24 << 20, ...WAITING }

interface Holder {
  readonly byte_count: number
  readonly until: number
}

interface CountedBody {
  readonly reader_count: number
  readonly until: number
}

interface Waiter {
  readonly byte_count: number
  readonly until: number
  enter(holder: Holder): void
}

export function createMemoryGate(limits: MemoryLimits, now_ms: () => number): MemoryGate {
  const holders = new Set<Holder>()
  const bodies = new Map<Uint8Array, CountedBody>()
  let refused_at_ms = -Infinity
  let waiters: readonly Waiter[] = []

  const hold = (byte_count: number): Holder => {
    const holder = { byte_count, until: now_ms() + limits.hold_ms }
    holders.add(holder)
    return holder
  }
  const bodyBytes = (): number => {
    let held = 0
    for (const [body, { until }] of bodies) {
      if (until < now_ms()) bodies.delete(body)
      else held += body.byteLength
    }
    return held
  }
  const hasRoom = (byte_count: number): boolean => {
    let held = byte_count
    for (const holder of holders) {
      if (holder.until < now_ms()) holders.delete(holder)
      else held += holder.byte_count
    }
    return held + bodyBytes() <= limits.byte_count_max
  }
  /** First come, first served, so that a large request does not wait forever. */
  const admit = (): void => {
    waiters = waiters.filter(({ until }) => until > now_ms())
    for (let first = waiters[0]; first !== undefined; first = waiters[0]) {
      if (!hasRoom(first.byte_count)) return
      waiters = waiters.slice(1)
      first.enter(hold(first.byte_count))
    }
  }
  const keep = (body: Uint8Array, more_readers: number): void => {
    const reader_count = (bodies.get(body)?.reader_count ?? 0) + more_readers
    bodies.set(body, { reader_count, until: now_ms() + limits.hold_ms })
  }
  const refuse = (): Problem => {
    refused_at_ms = now_ms()
    return busy()
  }
  const wait = (byte_count: number): Promise<Holder> =>
    new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        waiters = waiters.filter((one) => one !== waiter)
        reject(refuse())
      }, limits.wait_ms)
      const waiter: Waiter = {
        byte_count,
        until: now_ms() + limits.wait_ms,
        enter(holder) {
          clearTimeout(timer)
          resolve(holder)
        },
      }
      waiters = [...waiters, waiter]
    })

  return {
    async run(wanted, work) {
      const byte_count = Math.min(wanted, limits.byte_count_max)
      admit()
      if (waiters.length >= limits.waiting_count_max) throw refuse()
      const is_free = waiters.length === 0 && hasRoom(byte_count)
      const holder = is_free ? hold(byte_count) : await wait(byte_count)
      try {
        return await work()
      } finally {
        holders.delete(holder)
        admit()
      }
    },
    count: (body) => keep(body, 0),
    admit(body) {
      if (bodies.has(body)) return
      const held = bodyBytes()
      if (held > 0 && held + body.byteLength > limits.byte_count_max) throw refuse()
      keep(body, 0)
    },
    addReader: (body) => keep(body, 1),
    renew: (body) => keep(body, 0),
    removeReader(body) {
      if ((bodies.get(body)?.reader_count ?? 0) > 1) keep(body, -1)
      else bodies.delete(body)
      admit()
    },
    drop(body) {
      if (bodies.get(body)?.reader_count === 0) bodies.delete(body)
      admit()
    },
    isWanted: () =>
      now_ms() < refused_at_ms + limits.wait_ms || waiters.some(({ until }) => until > now_ms()),
  }
}

export function busy(): Problem {
  return new Problem(
    503,
    'too_busy',
    'The service is overloaded.',
    'Too many large answers are in progress. Try again in a few seconds, or request less: a ' +
      'lower limit, a shorter range or fewer columns.',
    { headers: { 'retry-after': '2' } },
  )
}
