/**
 * Supervises the stack's programs: starts them, restarts them when they exit by themselves (as
 * systemd would), and stops them in reverse order. It records their identities in the data folder,
 * so that the next start can end what a killed supervisor left running.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { describeError, OperatorError } from '#core/errors.ts'
import { isRunning, type ProcessIdentity } from '#core/node/process-table.ts'
import { type Child, type ChildMessage, type ChildOptions, startChild } from './child.ts'
import type { DataDir } from './data-dir.ts'
import { untilEnded } from './helper-processes.ts'
import { type Postgres, type PostgresOptions, startPostgres } from './postgres.ts'

/** A program's own children end with it, a moment later at most. */
const HELPER_GRACE_MS = 2_000

export interface Supervisor {
  /** Starts a child and waits until it is ready. */
  start(options: ChildOptions): Promise<ChildMessage>
  startPostgres(options: PostgresOptions): Promise<Postgres>
  send(name: string, message: ChildMessage): void
  /** Stops a child without restarting it. */
  stop(name: string): Promise<void>
  /** Stops everything, in reverse order of the starts. Later starts are refused. */
  stopAll(): Promise<void>
}

interface Service {
  readonly name: string
  stop(): Promise<void>
  identities(): readonly ProcessIdentity[]
  send(message: ChildMessage): void
}

const RESTART_LIMIT = 5
const RESTART_WINDOW_MS = 60_000

/** `onFatal` runs when a child keeps exiting; `say` prints sentences for the operator. */
export function createSupervisor(
  data_dir: DataDir,
  say: (sentence: string) => void,
  onFatal: (reason: string) => void,
): Supervisor {
  const services: Service[] = []
  let stopping = false

  const remember = (): void =>
    data_dir.writeChildren(services.flatMap((service) => service.identities()))

  /** Restarts a service that exits by itself; gives up if it keeps exiting. */
  const keep = (name: string, ended: () => Promise<string>, restart: () => Promise<void>): void => {
    const restarts: number[] = []
    const isKept = (): boolean => !stopping && services.some((service) => service.name === name)
    const watch = async (): Promise<void> => {
      let reason = await ended()
      while (isKept()) {
        const now = performance.now()
        restarts.push(now)
        if (restarts.filter((at) => now - at < RESTART_WINDOW_MS).length > RESTART_LIMIT) {
          const logs = data_dir.join('logs')
          return onFatal(`The ${name} keeps exiting (${reason}). See the logs in ${logs}.`)
        }
        say(`The ${name} exited (${reason}). Restarting it.`)
        await sleep(Math.min(200 * 2 ** (restarts.length - 1), 5_000))
        if (!isKept()) return
        try {
          await restart()
          remember()
          reason = await ended()
        } catch (error) {
          // It ended while it started.
          reason = describeError(error)
        }
      }
    }
    void watch()
  }

  const refuseWhenStopping = (): void => {
    if (stopping) throw new OperatorError('stopping', 'The stack is stopping.')
  }

  return {
    async start(options) {
      refuseWhenStopping()
      let child: Child
      let helpers: readonly ProcessIdentity[] = []
      const launch = async (): Promise<ChildMessage> => {
        for (const helper of helpers) if (isRunning(helper)) process.kill(helper.pid, 'SIGKILL')
        child = startChild(options)
        remember()
        const message = await child.ready
        helpers = (message['helpers'] as readonly ProcessIdentity[] | undefined) ?? []
        return message
      }
      services.push({
        name: options.name,
        async stop() {
          await child.stop()
          await untilEnded(helpers, HELPER_GRACE_MS)
        },
        send: (message) => child.send(message),
        identities: () => (child === undefined ? [] : [child.identity, ...helpers]),
      })
      const message = await launch()
      remember()
      keep(
        options.name,
        () => child.ended,
        async () => void (await launch()),
      )
      return message
    },

    async startPostgres(options) {
      refuseWhenStopping()
      let postgres = await startPostgres(options)
      services.push({
        name: 'Postgres',
        stop: () => postgres.stop(),
        send: () => undefined,
        // The next start finds Postgres by its own pid file.
        identities: () => [],
      })
      keep(
        'Postgres',
        () => postgres.exited.then(() => 'see its log'),
        async () => {
          postgres = await startPostgres(options)
        },
      )
      return postgres
    },

    send: (name, message) => services.find((service) => service.name === name)?.send(message),

    async stop(name) {
      const index = services.findIndex((service) => service.name === name)
      const [service] = index < 0 ? [] : services.splice(index, 1)
      await service?.stop()
      remember()
    },

    async stopAll() {
      stopping = true
      while (services.length > 0) await services.pop()!.stop()
    },
  }
}
