/** A Postgres that can be stopped, killed and frozen, and comes back on the same port. */
import { execFileSync } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import { POSTGRES_SETTINGS, startPostgres, type Postgres } from '../../infra/local/postgres.ts'

const START_LIMIT_MS = 30_000
const RETRY_MS = 250

export class FragilePostgres {
  readonly #dir: string
  readonly #port: number
  #server: Postgres | undefined
  #frozen_pids: readonly number[] = []

  constructor(dir: string, port: number) {
    this.#dir = dir
    this.#port = port
  }

  /** The superuser's URL; the same after every start. */
  get url(): string {
    if (this.#server === undefined) throw new Error('Postgres was never started.')
    return this.#server.url
  }

  async start(): Promise<void> {
    const deadline = performance.now() + START_LIMIT_MS
    for (;;) {
      try {
        this.#server = await startPostgres({
          dir: this.#dir,
          port: this.#port,
          password: 'chaos',
          settings: POSTGRES_SETTINGS,
        })
        return
      } catch (error) {
        // Sessions of the killed server may hold its port or memory for a short time.
        if (performance.now() > deadline) throw error
        await sleep(RETRY_MS)
      }
    }
  }

  async stop(): Promise<void> {
    this.thaw()
    await this.#server?.stop()
  }

  async kill(): Promise<void> {
    if (this.#server === undefined) return
    process.kill(this.#server.pid, 'SIGKILL')
    await this.#server.exited
  }

  /** Stops it without waiting, for exit handlers. */
  abandon(): void {
    this.thaw()
    if (this.#server !== undefined) signal(this.#server.pid, 'SIGQUIT')
  }

  /** Freezes the server and all its sessions: connections stay open, but nothing answers. */
  freeze(): void {
    if (this.#server === undefined) return
    const { pid } = this.#server
    // The server first, so that it starts no new session meanwhile.
    process.kill(pid, 'SIGSTOP')
    const children = childrenOf(pid)
    for (const child of children) signal(child, 'SIGSTOP')
    this.#frozen_pids = [...children, pid]
  }

  thaw(): void {
    for (const pid of this.#frozen_pids) signal(pid, 'SIGCONT')
    this.#frozen_pids = []
  }
}

function childrenOf(parent_pid: number): readonly number[] {
  const lines = execFileSync('ps', ['-A', '-o', 'pid=,ppid='], { encoding: 'utf8' }).split('\n')
  return lines.flatMap((line) => {
    const [pid, ppid] = line.trim().split(/\s+/).map(Number)
    return ppid === parent_pid && pid !== undefined ? [pid] : []
  })
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name)
  } catch {
    // The session has ended.
  }
}
