/** A real ingestor in a separate process, watched over IPC. */
import { fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { setTimeout as sleep } from 'node:timers/promises'
import type { ExchangeServer } from '../../infra/exchange/server.ts'
import type { IngestorMessage } from '../../ingestor/messages.ts'
import type { IngestorStatus } from '../../ingestor/status.ts'
import type { FollowCounts } from '../../ingestor/writer/counts.ts'
import { atFileEnd } from '../support/file-end.ts'
import { programEnv } from '../support/program-env.ts'

export interface IngestorProcess {
  /** Resolves with the message {type: 'ready'}; rejects if the process ends earlier. */
  readonly ready: Promise<void>
  /** Exit code, or the signal that ended it. */
  readonly exited: Promise<number | string>
  readonly output: () => string
  status(): IngestorStatus | undefined
  drain(): Promise<FollowCounts>
  kill(signal: NodeJS.Signals): void
}

const MAIN = fileURLToPath(new URL('../../ingestor/main.ts', import.meta.url))

export function startIngestor(env: Readonly<Record<string, string>>): IngestorProcess {
  const child = fork(MAIN, {
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    env: programEnv({ LOG_LEVEL: 'info', ...env }),
  })
  atFileEnd(() => child.kill('SIGKILL'))
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (chunk: string) => {
      output += chunk
    })
  }
  const exited = new Promise<number | string>((resolve) => {
    child.once('exit', (code, signal) => resolve(code ?? signal ?? 'unknown'))
  })
  const ready = Promise.withResolvers<void>()
  ready.promise.catch(() => undefined)
  let status: IngestorStatus | undefined
  const drained: ((counts: FollowCounts) => void)[] = []
  child.on('message', (message: IngestorMessage) => {
    if (message.type === 'ready') ready.resolve()
    if (message.type === 'status') status = message
    if (message.type === 'drained') for (const resolve of drained.splice(0)) resolve(message.counts)
  })
  void exited.then((how) => ready.reject(new Error(`The ingestor ended (${how}): ${output}`)))
  return {
    ready: ready.promise,
    exited,
    output: () => output,
    status: () => status,
    drain() {
      const counts = new Promise<FollowCounts>((resolve) => {
        drained.push(resolve)
      })
      child.send({ type: 'drain' })
      const failed = exited.then((how) =>
        Promise.reject(new Error(`The ingestor ended (${how}): ${output}`)),
      )
      return Promise.race([counts, failed])
    },
    kill: (signal) => void child.kill(signal),
  }
}

/** Waits until this process has received this many frames. */
export function received(ingestor: IngestorProcess, frame_count: number): Promise<void> {
  const has = (): boolean => (ingestor.status()?.frames_received ?? 0) >= frame_count
  return until(`${frame_count} frames were received`, has)
}

/** Waits until `check` is true. The error names what was expected. */
export async function until(
  what: string,
  check: () => boolean | Promise<boolean>,
  limit_ms = 100_000,
): Promise<void> {
  const deadline = performance.now() + limit_ms
  while (!(await check())) {
    if (performance.now() > deadline)
      throw new Error(`Waited ${limit_ms} ms in vain until ${what}.`)
    await sleep(20)
  }
}

/**
 * Waits until each of these streams sent something that no socket received. If nothing happens
 * while a socket is down, the next event is the last one again, which is not a gap.
 */
export async function missed(exchange: ExchangeServer, streams: readonly string[]): Promise<void> {
  const countOf = (name: string): number =>
    exchange.ledger().streams.find(({ stream }) => stream === name)!.undelivered_count
  const before = streams.map(countOf)
  await until('each stream was missed', () =>
    streams.every((name, i) => countOf(name) > before[i]!),
  )
}

/** Cuts every socket and blocks reconnects until then. */
export async function cutAndMiss(
  exchange: ExchangeServer,
  streams: readonly string[],
): Promise<void> {
  const all_missed = missed(exchange, streams)
  exchange.setFaults({ faults: [{ kind: 'refuse' }], actions: [{ kind: 'close_all' }] })
  await all_missed
  exchange.setFaults({ faults: [] })
}
