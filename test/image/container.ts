/**
 * Runs a program of an image as a container engine does with --read-only, --cap-drop ALL and
 * no-new-privileges: process 1 of its own PID namespace, the image's user, a root file system that
 * refuses every write, and only the given folders writable. It shares the machine's network, where
 * the test's services listen.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { ImageConfig } from './store.ts'

export interface ContainerOptions {
  readonly root: string
  readonly config: ImageConfig
  readonly args: readonly string[]
  readonly env: Readonly<Record<string, string>>
  /** Folders of this machine by their path in the container; `PATH:ro` cannot be written. */
  readonly volumes?: Readonly<Record<string, string>>
}

export interface Exit {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

export interface Container {
  /** The program's, as this machine sees it; undefined before it began. */
  readonly pid: number | undefined
  readonly is_running: boolean
  output(): string
  readonly exited: Promise<Exit>
  signal(name: NodeJS.Signals): void
  /** Runs the image's health check in the container: its exit code and what it printed. */
  checkHealth(): { readonly code: number | null; readonly output: string }
  /** As the program's user, in its namespaces. */
  exec(args: readonly string[]): { readonly code: number | null; readonly output: string }
  memoryMb(): number
}

/** It ends with this process, and its container with it. */
const LAUNCHER = ['--pdeathsig=SIGKILL', 'unshare']
const NAMESPACES = ['--pid', '--fork', '--kill-child=SIGKILL', '--mount', '--ipc', '--uts', '--']
/**
 * $1 the image's root, $2 a mount point, $3 folders as FROM:TO, $4 user, $5 group; then the
 * program.
 */
const ENTER = `
set -e
source=$1 root=$2 volumes=$3 user=$4 group=$5
shift 5
mount --make-rprivate /
mount --bind "$source" "$root"
mount -t proc proc "$root/proc"
mount -t tmpfs -o mode=755 tmpfs "$root/dev"
for name in null zero full random urandom; do
  touch "$root/dev/$name"
  mount --bind "/dev/$name" "$root/dev/$name"
done
mkdir "$root/dev/shm"
mount -t tmpfs -o mode=1777,size=64m tmpfs "$root/dev/shm"
cp /etc/resolv.conf /etc/hosts "$root/etc/" 2>/dev/null || true
for volume in $volumes; do
  to=\${volume#*:}
  mount --bind "\${volume%%:*}" "$root\${to%:ro}"
  case $to in *:ro) mount -o remount,bind,ro "$root\${to%:ro}" ;; esac
done
mount -o remount,bind,ro "$root"
exec setpriv --no-new-privs \
  chroot --userspec="$user:$group" --groups= "$root" "$@"
`

export function startContainer(options: ContainerOptions, scratch: string): Container {
  const { root, config, args, env, volumes = {} } = options
  const mount_point = mkdtempSync(join(scratch, 'container-'))
  mkdirSync(join(root, 'proc'), { recursive: true })
  const [user = '', group = ''] = config.User.split(':')
  const variables = [
    ...config.Env,
    ...Object.entries(env).map(([name, value]) => `${name}=${value}`),
  ]
  const in_folder = ['/usr/bin/env', '-i', '-C', config.WorkingDir, ...variables]
  const bound = Object.entries(volumes)
    .map(([to, from]) => `${from}:${to}`)
    .join(' ')
  const program = [...in_folder, ...config.Entrypoint, ...args]
  const child = spawn(
    'setpriv',
    [
      ...LAUNCHER,
      ...NAMESPACES,
      'sh',
      '-c',
      ENTER,
      'sh',
      root,
      mount_point,
      bound,
      user,
      group,
      ...program,
    ],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  )
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8')
    stream.on('data', (text: string) => (output += text))
  }
  const exited = new Promise<Exit>((done) => {
    child.once('close', (code, signal) => done({ code, signal }))
  })
  const exec = (command: readonly string[]): { code: number | null; output: string } => {
    const entered = ['--pid', '--mount', '--root', '--wd', `--setuid=${user}`, `--setgid=${group}`]
    const result = spawnSync(
      'nsenter',
      [`--target=${programOf(child)}`, ...entered, '--', ...in_folder, ...command],
      { encoding: 'utf8' },
    )
    return { code: result.status, output: `${result.stdout}${result.stderr}` }
  }
  return {
    get pid() {
      return childOf(child)
    },
    get is_running() {
      return child.exitCode === null && child.signalCode === null
    },
    output: () => output,
    exited,
    signal(name) {
      process.kill(programOf(child), name)
    },
    checkHealth: () => exec(config.Healthcheck.Test.slice(1)),
    exec,
    memoryMb() {
      const status = readFileSync(`/proc/${programOf(child)}/status`, 'utf8')
      return Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1]) / 1_024
    },
  }
}

function programOf(unshare: ChildProcess): number {
  const pid = childOf(unshare)
  if (pid === undefined) throw new Error('The container does not run.')
  return pid
}

/** The one child of unshare. */
function childOf({ pid }: ChildProcess): number | undefined {
  try {
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim()
    return children === '' ? undefined : Number(children.split(' ')[0])
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}
