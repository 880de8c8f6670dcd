/** What scripts/probe.sh found on the machine, and whether we can deploy to it. */
import { OperatorError } from '#core/errors.ts'

export interface MachineFacts {
  readonly is_root: boolean
  readonly may_sudo: boolean
  readonly os: string
  readonly os_name: string
  readonly kernel: string
  readonly arch: string
  readonly libc: string
  readonly has_systemd: boolean
  readonly tools: ReadonlySet<string>
  readonly has_user: boolean
  /** Address and port that the machine was reached at. */
  readonly address: string
  readonly ssh_port: number
  readonly free_bytes: number
  /** Of an earlier deploy. */
  readonly domain: string | undefined
  readonly current: string | undefined
  readonly previous: string | undefined
  readonly releases: readonly string[]
  readonly dependencies: readonly string[]
  /** sha256 of each file in etc/booktape, by name. */
  readonly settings: ReadonlyMap<string, string>
}

/** Node's builds need it. */
const GLIBC_MINOR_MIN = 28
const ARCHITECTURES: Readonly<Record<string, string>> = { x86_64: 'x64', aarch64: 'arm64' }

/** Errors: OperatorError probe_failed. */
export function parseFacts(text: string): MachineFacts {
  const pairs = text.split('\n').flatMap((line) => {
    const at = line.indexOf('=')
    return at < 0 ? [] : [[line.slice(0, at), line.slice(at + 1).trim()] as const]
  })
  const all = (name: string): readonly string[] =>
    pairs.filter(([key, value]) => key === name && value !== '').map(([, value]) => value)
  const one = (name: string): string | undefined => all(name).at(-1)
  const of = (prefix: string) =>
    pairs
      .filter(([key]) => key.startsWith(prefix))
      .map(([key, value]) => [key.slice(prefix.length), value] as const)
  if (one('end') !== 'yes') {
    throw new OperatorError('probe_failed', 'The machine did not say all that was asked.', {
      hint: `It said: ${text.trim().slice(-300)}`,
    })
  }
  const [address = '', port = '22'] = (one('server') ?? '').split(' ')
  return {
    is_root: one('uid') === '0',
    may_sudo: one('sudo') === 'yes',
    os: one('os') ?? '',
    os_name: one('os_name') ?? one('kernel') ?? 'unknown',
    kernel: one('kernel') ?? '',
    arch: one('arch') ?? '',
    libc: one('libc') ?? '',
    has_systemd: one('systemd') === 'yes',
    tools: new Set(of('has_').flatMap(([tool, has]) => (has === 'yes' ? [tool] : []))),
    has_user: one('user') === 'yes',
    address,
    ssh_port: Number(port),
    free_bytes: Math.min(...of('free_kib ').map(([, kib]) => Number(kib) * 1024)),
    domain: one('domain'),
    current: one('current'),
    previous: one('previous'),
    releases: all('release'),
    dependencies: all('dependencies'),
    settings: new Map(of('file ')),
  }
}

/** Of npm: x64 or arm64. Errors: OperatorError no_sudo, unsupported_os, no_systemd. */
export function requireMachine(
  facts: MachineFacts,
  { is_prefix, needs_systemd }: { readonly is_prefix: boolean; readonly needs_systemd: boolean },
): string {
  if (!is_prefix && !facts.may_sudo) {
    throw new OperatorError('no_sudo', 'This user may not use sudo without a password.', {
      hint: 'Connect as root, or let the user run everything: NAME ALL=(ALL) NOPASSWD:ALL.',
    })
  }
  const cpu = ARCHITECTURES[facts.arch]
  const [, major = '0', minor = '0'] = /^glibc (\d+)\.(\d+)/.exec(facts.libc) ?? []
  const is_new = Number(major) > 2 || (major === '2' && Number(minor) >= GLIBC_MINOR_MIN)
  if (facts.kernel !== 'Linux' || cpu === undefined || !is_new) {
    throw new OperatorError(
      'unsupported_os',
      `${facts.os_name} (${facts.kernel} ${facts.arch}, ${facts.libc || 'no glibc'}) cannot run this.`,
      { hint: `Linux with glibc 2.${GLIBC_MINOR_MIN} or newer on x86_64 or aarch64 can.` },
    )
  }
  const missing = ['tar', 'gzip', 'flock'].filter((tool) => !facts.tools.has(tool))
  if (missing.length > 0) {
    throw new OperatorError('unsupported_os', `The machine lacks ${missing.join(', ')}.`)
  }
  if (needs_systemd && !facts.has_systemd) {
    throw new OperatorError('no_systemd', 'systemd does not run on this machine.', {
      hint: 'With --init none, our own supervisor keeps the programs running.',
    })
  }
  if (needs_systemd && !/\b(debian|ubuntu)\b/.test(facts.os)) {
    throw new OperatorError('unsupported_os', `${facts.os_name} is neither Debian nor Ubuntu.`, {
      hint: 'Deploy with --init none, or install by hand: docs/deploy-machine.md.',
    })
  }
  return cpu
}
