/**
 * What all requests of an isolate together may hold at once: pages while they are made, and their
 * bodies until the callers have taken them (send-body.ts). A request that would go beyond it waits
 * its turn; where too many wait, or one waits too long, the answer is a 503 that says when to ask
 * again. An isolate has 128 MiB, and one that goes beyond it is ended with all its callers.
 *
 * A caller that goes away may take its request's code along, in the middle of anything: what it
 * held is given back after a while, and its place in the queue is passed over.
 */
import { Problem } from '../problem.ts'

export interface MemoryGate {
  /** Runs the work once so many bytes are free. Throws a Problem, 503, where they never are. */
  run<T>(byte_count: number, work: () => Promise<T>): Promise<T>
  /** Counts a body that work made, without asking: the work itself was let in for more. */
  count(body: Uint8Array): void
  /** Counts a body that was not. Throws a Problem, 503, where bodies alone leave no room. */
  admit(body: Uint8Array): void
  /** One more reader takes the body. It is counted until the last one has left. */
  addReader(body: Uint8Array): void
  /** A part was taken: the body is held as long as that goes on. */
  renew(body: Uint8Array): void
  removeReader(body: Uint8Array): void
  /** Nobody reads it, unless somebody else does. */
  drop(body: Uint8Array): void
  /** Somebody waits for room, or was refused a moment ago. */
  isWanted(): boolean
}

export interface MemoryLimits {
  readonly byte_count_max: number
  readonly waiting_count_max: number
  readonly wait_ms: number
  /** Nobody holds anything for longer. */
  readonly hold_ms: number
}

const WAITING = { waiting_count_max: 32, wait_ms: 5_000, hold_ms: 20_000 } as const

/** Of what is read of the archive, and of pages and bodies: each beside the other. */
export const LAKE_MEMORY: MemoryLimits = { byte_count_max: 10 << 20, ...WAITING }
export const PAGE_MEMORY: MemoryLimits = { byte_count_max: 16 << 20, ...WAITING }
/** Of batches of tools, whose pages wait in the gates of what they ask. */
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
  /** In the order in which they came, so that a large one is not passed for ever. */
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
    'Too much is asked at once.',
    'This place makes as many large answers as it has memory for. Ask again in some seconds, ' +
      'or for less: a lower limit, a shorter range, fewer columns.',
    { headers: { 'retry-after': '2' } },
  )
}
