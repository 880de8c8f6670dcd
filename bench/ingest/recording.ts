/** The sender and a whole ingestor, each in its own process, controlled over IPC. */
import { type ChildProcess, fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { setTimeout as sleep } from 'node:timers/promises'
import type { IngestorMessage } from '../../ingestor/messages.ts'
import type { IngestorStatus } from '../../ingestor/status.ts'
import { type FollowCounts, sumOf } from '../../ingestor/writer/counts.ts'
import { CHANNELS, type EventRange } from './workload.ts'

export interface Step {
  readonly events_per_s: number
  readonly seconds: number
}

export type ToSender =
  | { readonly type: 'prepare'; readonly events: EventRange }
  | { readonly type: 'burst' }
  | { readonly type: 'pace'; readonly steps: readonly Step[] }

export interface Sent {
  readonly sent_count: number
  /** The sender's own maximum delay. */
  readonly behind_ms_max: number
}

export type FromSender =
  | { readonly type: 'ready'; readonly port: number }
  | { readonly type: 'prepared' | 'sent' }
  | (Sent & { readonly type: 'paced' })

export interface Recording {
  readonly sender_pid: number
  readonly ingestor_pid: number
  status(): IngestorStatus | undefined
  /** The sender encodes the events without sending them. */
  prepare(events: EventRange): Promise<void>
  burst(): Promise<void>
  pace(steps: readonly Step[]): Promise<Sent>
  /**
   * Resolves when `row_count` rows are committed since the start. Throws if a row is missing or
   * repeated.
   */
  committed(row_count: number): Promise<FollowCounts>
  stop(): Promise<void>
}

export interface RecordingOptions {
  readonly database_url: string
  readonly ingestor_id: string
  readonly tape_dir: string
  /** Node flags for both processes, such as `--cpu-prof`. */
  readonly node_args: readonly string[]
}

const ARRIVAL_LIMIT_MS = 120_000
const POLL_MS = 5

/** Resolves when the ingestor has subscribed to every stream. */
export async function startRecording(options: RecordingOptions): Promise<Recording> {
  const sender = startProgram<FromSender>('./sender.ts', {}, [])
  const { port } = await sender.message('ready')
  const ingestor = startProgram<IngestorMessage>(
    '../../ingestor/main.ts',
    {
      DATABASE_URL: options.database_url,
      INGESTOR_ID: options.ingestor_id,
      TAPE_DIR: options.tape_dir,
      CHANNELS: CHANNELS.join(','),
      EXCHANGE_WS_URL: `ws://127.0.0.1:${port}`,
      EXCHANGE_REST_URL: `http://127.0.0.1:${port}`,
      LOG_LEVEL: 'warn',
    },
    options.node_args,
  )
  await ingestor.message('ready')
  let status: IngestorStatus | undefined
  ingestor.child.on('message', (message: IngestorMessage) => {
    if (message.type === 'status') status = message
  })
  const tell = (message: ToSender): void => void sender.child.send(message)
  return {
    sender_pid: sender.child.pid!,
    ingestor_pid: ingestor.child.pid!,
    status: () => status,
    async prepare(events) {
      tell({ type: 'prepare', events })
      await sender.message('prepared')
    },
    async burst() {
      tell({ type: 'burst' })
      await sender.message('sent')
    },
    async pace(steps) {
      tell({ type: 'pace', steps })
      return sender.message('paced')
    },
    async committed(row_count) {
      const deadline = performance.now() + ARRIVAL_LIMIT_MS
      for (;;) {
        ingestor.child.send({ type: 'drain' })
        const { counts } = await ingestor.message('drained')
        const found = sumOf(counts.rows) + sumOf(counts.duplicates) + counts.dead_letters
        if (found === row_count && sumOf(counts.rows) === row_count) return counts
        if (found >= row_count || performance.now() > deadline) {
          throw new Error(
            `${row_count} frames were sent, but the counts are ${JSON.stringify(counts)}`,
          )
        }
        await sleep(POLL_MS)
      }
    },
    async stop() {
      await ingestor.stop()
      await sender.stop()
    },
  }
}

export interface Program<Message extends { readonly type: string }> {
  readonly child: ChildProcess
  /** The next message of this type; rejects if the process exits first. */
  message<Type extends Message['type']>(type: Type): Promise<Extract<Message, { type: Type }>>
  stop(): Promise<void>
}

/** `entry`: relative to this file. */
export function startProgram<Message extends { readonly type: string }>(
  entry: string,
  env: Readonly<Record<string, string>>,
  node_args: readonly string[],
): Program<Message> {
  const child = fork(fileURLToPath(new URL(entry, import.meta.url)), {
    execArgv: [...node_args],
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    env: { PATH: process.env['PATH'] ?? '', ...env },
  })
  const exited = new Promise<number | string>((resolve) => {
    child.once('exit', (code, signal) => resolve(code ?? signal ?? 'unknown'))
  })
  return {
    child,
    message: <Type extends Message['type']>(type: Type) =>
      new Promise<Extract<Message, { type: Type }>>((resolve, reject) => {
        const isWanted = (message: Message): message is Extract<Message, { type: Type }> =>
          message.type === type
        const take = (message: Message): void => {
          if (!isWanted(message)) return
          child.off('message', take)
          resolve(message)
        }
        child.on('message', take)
        void exited.then((how) => reject(new Error(`${entry} exited (${how}).`)))
      }),
    async stop() {
      child.kill('SIGTERM')
      await exited
    },
  }
}
