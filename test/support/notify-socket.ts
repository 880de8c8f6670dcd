/**
 * The socket of a service manager: prints each datagram of sd_notify as a line. Node has no
 * datagram sockets in the file system; Perl, which is a part of every Debian, has.
 */
import { spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'vitest'
import { atFileEnd } from './file-end.ts'

const RECEIVER = `use Socket; $| = 1;
socket(S, AF_UNIX, SOCK_DGRAM, 0) or die; bind(S, sockaddr_un($ARGV[0])) or die;
while (1) { recv(S, my $message, 4096, 0); print "$message\\n"; }`

/** A sentence, where this machine lacks what it takes. */
export function whyNoNotify(): string | undefined {
  const has = (name: string): boolean =>
    spawnSync(name, ['--version'], { stdio: 'ignore' }).error === undefined
  if (!has('systemd-notify')) return 'systemd-notify (Debian package systemd) is not installed.'
  return has('perl') ? undefined : 'perl is not installed.'
}

export interface NotifySocket {
  readonly path: string
  /** So far, without the barriers that systemd-notify sends. */
  readonly messages: readonly string[]
}

export async function openNotifySocket(): Promise<NotifySocket> {
  const path = join(mkdtempSync(join(tmpdir(), 'booktape-notify-')), 'socket')
  const messages: string[] = []
  const receiver = spawn('perl', ['-e', RECEIVER, path], { stdio: ['ignore', 'pipe', 'inherit'] })
  let rest = ''
  receiver.stdout.setEncoding('utf8').on('data', (text: string) => {
    const lines = (rest + text).split('\n')
    rest = lines.pop()!
    messages.push(...lines.filter((line) => line !== 'BARRIER=1'))
  })
  atFileEnd(() => void receiver.kill())
  await expect.poll(() => existsSync(path)).toBe(true)
  return { path, messages }
}
