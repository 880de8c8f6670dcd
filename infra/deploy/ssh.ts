/**
 * The machine over the system's ssh client: one connection, authenticated once, that also holds the
 * machine's lock. Scripts are ours and constant; every argument is quoted.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { createReadStream, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { OperatorError } from '#core/errors.ts'
import { shellQuote, type Target } from './target.ts'

export interface Remote {
  /** Runs one of our scripts and returns what it prints. Errors: OperatorError remote_failed. */
  script(name: ScriptName, args: readonly string[], options?: ScriptOptions): Promise<string>
  /** Runs a program; each line that it prints is passed on. Errors as above. */
  run(command: readonly string[], onLine: (line: string) => void): Promise<void>
  /** From now on as root, by sudo. */
  becomeRoot(): void
  close(): Promise<void>
}

export type ScriptName = 'probe' | 'prepare' | 'receive' | 'settings' | 'network'

export interface ScriptOptions {
  /** A file, or bytes, for the script's input. */
  readonly input_file?: string
  readonly input_bytes?: Buffer
}

export interface RemoteOptions {
  readonly target: Target
  /** Nobody can answer a question of ssh. */
  readonly is_unattended: boolean
  /** Path on the machine of the lock that a deploy holds. */
  readonly lock_file: string
}

/** Errors: OperatorError ssh_missing, ssh_failed, deploy_running. */
export async function connectRemote(options: RemoteOptions): Promise<Remote> {
  const dir = mkdtempSync(join(tmpdir(), 'booktape-ssh-'))
  const args = sshArguments(options, join(dir, 'socket'))
  let sudo: readonly string[] = []
  const master = spawn(
    'ssh',
    [
      ...args.master,
      options.target.destination,
      commandOf(readScript('lock'), [options.lock_file]),
    ],
    { stdio: ['pipe', 'pipe', 'pipe'] },
  )
  const open = new Set<ChildProcess>()
  const close = async (): Promise<void> => {
    // The connection ends with the last of its sessions.
    for (const child of open) child.kill()
    master.stdin.end()
    await endOf(master).catch(() => undefined)
    rmSync(dir, { recursive: true, force: true })
  }
  try {
    await locked(master, options)
  } catch (error) {
    await close()
    throw error
  }
  const begin = (command: string): ChildProcess => {
    const child = spawn('ssh', [...args.client, options.target.destination, command], {
      stdio: ['pipe', 'pipe', 'pipe'],
    })
    open.add(child)
    child.once('close', () => open.delete(child))
    return child
  }
  const start = (script: string, script_args: readonly string[]): ChildProcess =>
    begin([...sudo, commandOf(script, script_args)].join(' '))
  return {
    async script(name, script_args, input = {}) {
      const child = start(readScript(name), script_args)
      const output = collect(child)
      feed(child, input)
      const end = await endOf(child)
      const { stdout, stderr } = output()
      if (end === 0) return stdout
      throw remoteFailed(name, end, stderr || stdout)
    },
    async run(command, onLine) {
      const child = begin([...sudo, ...command.map(shellQuote)].join(' '))
      for (const stream of [child.stdout!, child.stderr!])
        createInterface(stream).on('line', onLine)
      child.stdin!.end()
      const end = await endOf(child)
      if (end === 255) throw remoteFailed('activation', end, '')
      if (end !== 0) {
        throw new OperatorError('remote_failed', 'The deploy is not complete; the reason is above.')
      }
    },
    becomeRoot() {
      sudo = ['sudo', '-n']
    },
    close,
  }
}

function sshArguments({ target, is_unattended }: RemoteOptions, socket: string) {
  const { port, identity, ssh_config } = target
  const common = [
    ...(ssh_config === undefined ? [] : ['-F', ssh_config]),
    ...(port === undefined ? [] : ['-p', String(port)]),
    ...(identity === undefined ? [] : ['-i', identity, ...sshOptions({ IdentitiesOnly: 'yes' })]),
    '-T',
    ...sshOptions({
      ControlPath: socket,
      ConnectTimeout: '15',
      ServerAliveInterval: '10',
      ServerAliveCountMax: '6',
      LogLevel: 'ERROR',
      ...(is_unattended ? { BatchMode: 'yes' } : {}),
    }),
  ]
  return {
    master: [...common, ...sshOptions({ ControlMaster: 'yes', ControlPersist: 'no' })],
    client: [...common, ...sshOptions({ ControlMaster: 'no', BatchMode: 'yes' })],
  }
}

function sshOptions(pairs: Readonly<Record<string, string>>): readonly string[] {
  return Object.entries(pairs).flatMap(([name, value]) => ['-o', `${name}=${value}`])
}

function commandOf(script: string, args: readonly string[]): string {
  return ['sh', '-c', script, 'sh', ...args].map(shellQuote).join(' ')
}

function readScript(name: string): string {
  return readFileSync(new URL(`scripts/${name}.sh`, import.meta.url), 'utf8')
}

/** Settles once the lock is held. */
async function locked(master: ChildProcess, { target }: RemoteOptions): Promise<void> {
  const output = collect(master)
  const has_lock = new Promise<true>((resolve) => {
    master.stdout!.on('data', () => {
      if (output().stdout.includes('locked\n')) resolve(true)
    })
  })
  const end = await Promise.race([has_lock, endOf(master)])
  if (end === true) return
  const { stdout, stderr } = output()
  if (end === 75) {
    const holder = stdout.replace(/^busy /, '').trim()
    throw new OperatorError('deploy_running', `Another deploy is at work there (${holder}).`, {
      hint: 'Wait for its end.',
    })
  }
  if (end !== 255) throw remoteFailed('lock', end, stderr || stdout)
  throw sshFailed(target.destination, stderr.trim())
}

function sshFailed(destination: string, words: string): OperatorError {
  const hints: readonly (readonly [RegExp, string])[] = [
    [/Could not resolve/i, 'Check the name of the host.'],
    [/Host key verification failed/i, 'Connect once with ssh and compare the fingerprint.'],
    [/IDENTIFICATION HAS CHANGED/i, 'The host is another one than before, or was set up again.'],
    [/Permission denied/i, 'Check the user and the key (--identity), and authorized_keys there.'],
    [/refused|timed out|No route|unreachable/i, 'Check address, port and firewall of the machine.'],
  ]
  const hint = hints.find(([pattern]) => pattern.test(words))?.[1]
  return new OperatorError(
    'ssh_failed',
    `ssh does not reach ${destination}: ${words.split('\n').at(-1) || 'no reason given'}.`,
    hint === undefined ? {} : { hint },
  )
}

function remoteFailed(what: string, end: string | number, words: string): OperatorError {
  const detail = words.trim().split('\n').slice(-4).join(' ').slice(-600)
  if (/No space left on device|Disk quota exceeded/.test(words)) {
    return new OperatorError('disk_full', `The machine's disk is full (${what}).`, {
      hint: 'Free some space and deploy again; what runs there goes on running.',
    })
  }
  if (end === 255) {
    return new OperatorError('connection_lost', `The connection broke (${what}): ${detail}`, {
      hint: 'Deploy again: it continues.',
      retryable: true,
    })
  }
  return new OperatorError('remote_failed', `${what} failed on the machine (${end}): ${detail}`)
}

function collect(child: ChildProcess): () => { readonly stdout: string; readonly stderr: string } {
  let [stdout, stderr] = ['', '']
  child.stdout!.setEncoding('utf8').on('data', (text: string) => (stdout += text))
  child.stderr!.setEncoding('utf8').on('data', (text: string) => (stderr += text))
  return () => ({ stdout, stderr })
}

function feed(child: ChildProcess, { input_file, input_bytes }: ScriptOptions): void {
  const stdin = child.stdin!
  // The script ends before its input where it fails: its exit code says so.
  stdin.on('error', () => undefined)
  if (input_file === undefined) stdin.end(input_bytes)
  else createReadStream(input_file).pipe(stdin)
}

/** Exit code, or the name of the signal. Errors: OperatorError ssh_missing. */
function endOf(child: ChildProcess): Promise<string | number> {
  return new Promise((resolve, reject) => {
    if (child.exitCode !== null) return resolve(child.exitCode)
    child.once('error', (cause) =>
      reject(
        new OperatorError('ssh_missing', `ssh cannot be started: ${cause.message}.`, {
          hint: 'Install the OpenSSH client.',
          cause,
        }),
      ),
    )
    child.once('close', (code, signal) => resolve(code ?? signal ?? 'unknown'))
  })
}
