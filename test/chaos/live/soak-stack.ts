/**
 * The stack of a soak: its processes by program, what they use, and its files, kept on a failure.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { chmodSync, existsSync, globSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { residentBytes } from '../../../bench/ingest/machine.ts'
import type { StackFile } from '../../../infra/local/data-dir.ts'

/** Their entry files. */
const PROGRAMS = {
  live: 'ingestor/live/main.ts',
  ingestor: 'ingestor/main.ts',
  edge: 'infra/local/worker-main.ts',
} as const
export type ProgramName = keyof typeof PROGRAMS

const CLI = join(import.meta.dirname, '../../../infra/cli/booktape.mjs')
const MB = 1024 * 1024
const EXIT_CODE = /exited \(exit code/

export class SoakStack {
  readonly #dir = mkdtempSync(join(tmpdir(), 'booktape-soak-live-'))
  readonly #args: readonly string[]
  #child: ChildProcess | undefined
  #exited: Promise<unknown> = Promise.resolve()
  /** What the stack said about programs that ended without having been killed. */
  readonly exits: string[] = []
  #newest_line = ''
  file!: StackFile

  /** `args` of `booktape start`. */
  constructor(args: readonly string[]) {
    chmodSync(this.#dir, 0o755)
    this.#args = args
  }

  get live_url(): string {
    return this.file.live_url!
  }

  /** Resolves once the live server answers and rows are committed. */
  async start(): Promise<void> {
    const args = [CLI, 'start', '--data-dir', this.#dir, ...this.#args]
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] })
    this.#child = child
    this.#exited = new Promise((resolve) => child.once('exit', resolve))
    // What the stack says goes to stderr: stdout has the report.
    for (const output of [child.stdout, child.stderr]) {
      output.pipe(process.stderr, { end: false })
      createInterface({ input: output }).on('line', (line) => {
        this.#newest_line = line
        if (EXIT_CODE.test(line)) this.exits.push(line)
      })
    }
    for (;;) {
      if (child.exitCode !== null) throw new Error('The stack did not start.')
      try {
        const file = JSON.parse(readFileSync(join(this.#dir, 'stack.json'), 'utf8')) as StackFile
        const { ok } = await fetch(`${file.live_url}/health`)
        if (ok) {
          this.file = file
          return
        }
      } catch {
        // Not yet.
      }
      await sleep(200)
    }
  }

  async stop(): Promise<void> {
    this.#child?.kill('SIGTERM')
    await this.#exited
  }

  /** Removes its files; where `has_failed` all but what the programs logged. */
  clear(has_failed: boolean): void {
    if (!has_failed) return rmSync(this.#dir, { recursive: true, force: true })
    for (const path of globSync(join(this.#dir, '*'))) {
      if (!path.endsWith('logs')) rmSync(path, { recursive: true, force: true })
    }
    process.stderr.write(`The logs are kept in ${join(this.#dir, 'logs')}.\n`)
  }

  /** Throws if the stack has given up. */
  kill(program: ProgramName | 'postgres'): void {
    if (this.#child?.exitCode !== null) {
      throw new Error(`The stack has ended. It said: ${this.#newest_line}`)
    }
    if (program === 'postgres') {
      const file = join(this.#dir, 'postgres/postmaster.pid')
      // Still down from the kill before.
      if (!existsSync(file)) return
      const [pid] = readFileSync(file, 'utf8').split('\n')
      return void process.kill(Number(pid), 'SIGKILL')
    }
    for (const pid of this.#pids(program)) process.kill(pid, 'SIGKILL')
  }

  /** Resident memory; 0 while it is down. */
  memoryOf(program: ProgramName): { readonly pid: number; readonly memory_mb: number } {
    const [pid = 0] = this.#pids(program)
    try {
      return { pid, memory_mb: pid === 0 ? 0 : Math.round(residentBytes(pid) / MB) }
    } catch {
      return { pid, memory_mb: 0 }
    }
  }

  /** Values of GET /metrics of the live server by name and labels; empty while it is down. */
  async metrics(): Promise<ReadonlyMap<string, number>> {
    try {
      const read = (name: string): string =>
        readFileSync(join(this.#dir, 'prometheus', name), 'utf8')
      const [group] = JSON.parse(read('targets/live.json')) as [{ readonly targets: string[] }]
      const headers = { authorization: `Bearer ${read('token')}` }
      const answer = await fetch(`http://${group.targets[0]}/metrics`, { headers })
      const lines = (await answer.text()).split('\n').filter((line) => !line.startsWith('#'))
      return new Map(
        lines.map((line) => {
          const at = line.lastIndexOf(' ')
          return [line.slice(0, at), Number(line.slice(at + 1))]
        }),
      )
    } catch {
      return new Map()
    }
  }

  /** Processes of this stack: they have the port of its Postgres in their environment. */
  #pids(program: ProgramName): readonly number[] {
    const mark = `:${new URL(this.file.postgres_url).port}/`
    return globSync('/proc/[0-9]*/cmdline').flatMap((path) => {
      try {
        const parts = readFileSync(path, 'utf8').split('\0')
        if (!parts.some((part) => part.endsWith(`/${PROGRAMS[program]}`))) return []
        const environment = readFileSync(path.replace('cmdline', 'environ'), 'utf8')
        // The ingestor of index prices is another one.
        const is_ours = environment.includes(mark) && !environment.includes('tape-deribit')
        return is_ours ? [Number(path.split('/')[2])] : []
      } catch {
        return []
      }
    })
  }
}
