/** Faults of the live server, and of its clients. */
import { setTimeout as sleep } from 'node:timers/promises'
import { WebSocket } from 'ws'
import { type Fault, once } from './fault.ts'
import type { LocalStack } from './stack.ts'

/** More than the ten of LiveClientsTooSlow. */
const FROZEN_CLIENTS = 15
const READER_ROLE = 'booktape_reader'
/** The processor is given and taken in periods of this length. */
const PERIOD_MS = 500
const LOOK_EVERY_PERIODS = 3
/** How far behind a starved server is kept, and until when it must be. */
const BEHIND_MIN_MS = 20_000
const BEHIND_MAX_MS = 40_000
const STARVED_AFTER_MS = 240_000

export const LIVE_FAULTS: readonly Fault[] = [
  {
    name: 'clients of the live server stop reading',
    // Until the kernel's buffers and the queues are full.
    alerts: { LiveClientsTooSlow: 60 },
    async inject(stack) {
      const symbols = await stack.symbols()
      const clients = Array.from({ length: FROZEN_CLIENTS }, () => {
        const client = connect(stack)
        client.once('open', () => {
          for (const channel of ['book', 'trades']) {
            client.send(JSON.stringify({ op: 'subscribe', channel, symbols }))
          }
          client.pause()
        })
        return client
      })
      return () => {
        for (const client of clients) client.terminate()
      }
    },
  },
  {
    name: 'clients resume, and the live server may not read the archive',
    alerts: { LiveResumesFailing: 5 },
    async inject(stack) {
      await once(stack, `revoke select on marketdata.archive from ${READER_ROLE}`)
      const resume = await stack.oldestCursor()
      const [symbol] = await stack.symbols()
      const coming = setInterval(() => {
        const client = connect(stack)
        client.once('open', () =>
          client.send(JSON.stringify({ op: 'subscribe', channel: 'trades', symbol, resume })),
        )
      }, 2_000)
      return async () => {
        clearInterval(coming)
        await once(stack, `grant select on marketdata.archive to ${READER_ROLE}`)
      }
    },
  },
  {
    name: 'the live server gets too little of the processor',
    // One in a hundred turns of five minutes has to be slow, and starved turns are few.
    alerts: { LiveBehind: 15, LiveSlow: 300 },
    async inject(stack) {
      const starving = new AbortController()
      const ended = starve(stack, starving.signal)
      const end = (): Promise<void> => {
        starving.abort()
        return ended
      }
      const deadline_ms = performance.now() + STARVED_AFTER_MS
      while (((await behindMs(stack)) ?? 0) < BEHIND_MIN_MS && performance.now() < deadline_ms) {
        await sleep(1_000)
      }
      return end
    },
  },
]

function connect({ file }: LocalStack): WebSocket {
  const client = new WebSocket(`${file.live_url!.replace('http', 'ws')}/v1/live`)
  client.on('error', () => undefined)
  return client
}

/** Lets the server run for so short a part of each period that it stays behind, yet answers. */
async function starve(stack: LocalStack, signal: AbortSignal): Promise<void> {
  const pids = stack.pidsOf('ingestor/live/main.ts')
  const signalAll = (name: NodeJS.Signals): void => {
    for (const pid of pids) process.kill(pid, name)
  }
  let run_ms = PERIOD_MS / 50
  let behind_ms: number | undefined = 0
  let is_looking = false
  const look = async (): Promise<void> => {
    is_looking = true
    behind_ms = await behindMs(stack)
    is_looking = false
    const is_far = behind_ms === undefined || behind_ms > BEHIND_MAX_MS
    if (is_far) run_ms = Math.min(PERIOD_MS / 2, run_ms * 1.25)
    else if (behind_ms! < BEHIND_MIN_MS) run_ms = Math.max(1, run_ms * 0.8)
  }
  try {
    for (let period = 0; !signal.aborted; period++) {
      if (period % LOOK_EVERY_PERIODS === 0 && !is_looking) void look()
      signalAll('SIGSTOP')
      await sleep(PERIOD_MS - run_ms)
      signalAll('SIGCONT')
      await sleep(run_ms)
    }
  } finally {
    signalAll('SIGCONT')
  }
}

/** Undefined if it does not answer in time. */
async function behindMs({ file }: LocalStack): Promise<number | undefined> {
  try {
    const signal = AbortSignal.timeout(5_000)
    const answer = await fetch(`${file.live_url}/health`, { signal })
    return ((await answer.json()) as { readonly behind_ms: number }).behind_ms
  } catch {
    return undefined
  }
}
