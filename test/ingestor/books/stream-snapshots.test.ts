import { setImmediate as turn } from 'node:timers/promises'
import { afterEach, expect, test } from 'vitest'
import { silentLogger } from '#core/node/log.ts'
import {
  createStreamSnapshots,
  type StreamSnapshotsOptions,
} from '../../../ingestor/books/stream-snapshots.ts'
import { FakeTimers } from '../transport/fake-timers.ts'

const stops: (() => void)[] = []
afterEach(() => {
  for (const stop of stops.splice(0)) stop()
})

/** The test answers the rounds. */
function setup(options: Partial<StreamSnapshotsOptions> = {}) {
  const timers = new FakeTimers()
  const rounds: string[] = []
  const open: PromiseWithResolvers<readonly string[]>[] = []
  const heard = ['A', 'B', 'C']
  const queue = createStreamSnapshots({
    repeat_s: 0,
    heardSymbols: () => heard,
    listen: (symbols) => {
      rounds.push(`${timers.now_ms()} ${symbols.join('')}`)
      const answer = Promise.withResolvers<readonly string[]>()
      open.push(answer)
      return answer.promise
    },
    random: () => 0.5,
    log: silentLogger,
    timers,
    ...options,
  })
  stops.push(() => queue.stop())
  const settle = async (...spoke: readonly string[]): Promise<void> => {
    open.shift()!.resolve(spoke)
    await turn()
  }
  const fail = async (): Promise<void> => {
    open.shift()!.reject(new Error('no route'))
    await turn()
  }
  return { queue, timers, rounds, settle, fail, heard, open }
}

test('wishes wait briefly for others, and share a subscription', async () => {
  const { queue, timers, rounds, settle } = setup()
  queue.want('A')
  timers.advance(5_000)
  expect(rounds).toEqual([])
  queue.start()
  expect(rounds).toEqual(['5000 A'])
  await settle('A')
  queue.want('B')
  timers.advance(400)
  queue.want('C')
  timers.advance(599)
  expect(rounds.length).toBe(1)
  timers.advance(1)
  expect(rounds[1]).toBe('6000 B')
  // C is due 400 ms later; its round begins once this one is over.
  timers.advance(5_000)
  expect(rounds.length).toBe(2)
  await settle('B')
  expect(rounds[2]).toBe('11000 C')
})

test('a wish during a round is for another book', async () => {
  const { queue, timers, rounds, settle } = setup()
  queue.start()
  queue.want('A')
  timers.advance(1_000)
  queue.want('A')
  await settle('A')
  timers.advance(1_000)
  expect(rounds).toEqual(['1000 A', '2000 A'])
})

test('a book that did not fit is requested again, with doubling pauses', async () => {
  const { queue, timers, rounds, settle } = setup()
  queue.start()
  for (let round = 0; round < 4; round++) {
    queue.want('A')
    timers.advance(1_000 * 2 ** round)
    await settle('A')
  }
  expect(rounds).toEqual(['1000 A', '3000 A', '7000 A', '15000 A'])
  // After a book that fitted, the pause starts from scratch.
  timers.advance(5_000)
  queue.want('A')
  timers.advance(1_000)
  expect(rounds.at(-1)).toBe('21000 A')
})

test('a symbol that did not deliver stays wanted, with pauses that double up to a minute; also after an error', async () => {
  const { queue, timers, rounds, settle, fail } = setup()
  queue.start()
  queue.want('A')
  queue.want('B')
  timers.advance(1_000)
  await settle('B')
  timers.advance(2_000)
  await fail()
  timers.advance(4_000)
  expect(rounds).toEqual(['1000 AB', '3000 A', '7000 A'])
  for (let round = 0; round < 6; round++) {
    await settle()
    timers.advance(60_000)
  }
  const times = rounds.map((round) => Number(round.split(' ')[0]))
  expect(times.at(-1)! - times.at(-2)!).toBe(60_000)
})

test('a symbol without a subscription waits: its next subscription begins with a book', async () => {
  const { queue, timers, rounds, heard } = setup()
  queue.start()
  heard.splice(0, 1)
  queue.want('A')
  timers.advance(1_000)
  await turn()
  expect(rounds).toEqual([])
  heard.push('A')
  timers.advance(2_000)
  expect(rounds).toEqual(['3000 A'])
})

test('all books are requested periodically, and never twice at once', async () => {
  const { queue, timers, rounds, settle } = setup({ repeat_s: 300 })
  queue.start()
  timers.advance(300_000)
  expect(rounds).toEqual(['300000 ABC'])
  timers.advance(400_000)
  await settle('A', 'B', 'C')
  expect(rounds).toEqual(['300000 ABC', '700000 ABC'])
})

test('a symbol that is no longer recorded is forgotten, and a stop ends the round', async () => {
  let signal: AbortSignal | undefined
  const listen: StreamSnapshotsOptions['listen'] = (_symbols, given) => {
    signal = given
    return new Promise(() => undefined)
  }
  const { queue, timers } = setup({ listen })
  queue.start()
  queue.want('A')
  queue.want('B')
  queue.forget(['A', 'B'])
  timers.advance(60_000)
  expect(signal).toBeUndefined()
  queue.want('C')
  timers.advance(1_000)
  queue.stop()
  expect(signal?.aborted).toBe(true)
})
