/** A real sshd on loopback, with keys and a port of its own, for this user. */
import { execFileSync, spawn } from 'node:child_process'
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  writeFileSync,
} from 'node:fs'
import { connect } from 'node:net'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import { freePort } from '../../../infra/local/ports.ts'
import { until } from '../../ingestor/support.ts'
import { atFileEnd } from '../../support/file-end.ts'

const SSHD = '/usr/sbin/sshd'

/** A sentence, where this machine lacks what it takes. */
export function whyNoSshd(): string | undefined {
  if (existsSync(SSHD)) return undefined
  return 'sshd (Debian package openssh-server) is not installed.'
}

export interface Sshd {
  /** user@127.0.0.1 */
  readonly destination: string
  readonly port: number
  readonly identity: string
  /** A key that the server does not know. */
  readonly wrong_identity: string
  /** Knows the server's key. */
  readonly ssh_config: string
  /** Knows another key for the server. */
  readonly wrong_ssh_config: string
}

export async function startSshd(): Promise<Sshd> {
  const dir = mkdtempSync(join(tmpdir(), 'booktape-sshd-'))
  const file = (name: string, text: string): string => {
    writeFileSync(join(dir, name), text, { mode: 0o600 })
    return join(dir, name)
  }
  for (const name of ['host', 'user', 'other']) {
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', join(dir, name)])
  }
  copyFileSync(join(dir, 'user.pub'), join(dir, 'authorized'))
  // sshd started as root wants it, and is started before the system has made it.
  if (process.getuid?.() === 0) mkdirSync('/run/sshd', { recursive: true, mode: 0o755 })
  const port = await freePort()
  const config = file(
    'sshd_config',
    `ListenAddress 127.0.0.1:${port}
HostKey ${join(dir, 'host')}
AuthorizedKeysFile ${join(dir, 'authorized')}
PidFile none
UsePAM no
StrictModes no
PermitRootLogin prohibit-password
PasswordAuthentication no
`,
  )
  const server = spawn(SSHD, ['-D', '-e', '-f', config], { stdio: ['ignore', 'ignore', 'ignore'] })
  atFileEnd(() => void server.kill())
  await until('sshd answers', () => answersAt(port))
  const knowing = (name: string, key: string): string => {
    const [type, text] = readFileSync(join(dir, key), 'utf8').split(' ')
    const known = file(`${name}.known`, `[127.0.0.1]:${port} ${type} ${text}\n`)
    return file(name, `UserKnownHostsFile ${known}\nStrictHostKeyChecking yes\n`)
  }
  return {
    destination: `${userInfo().username}@127.0.0.1`,
    port,
    identity: join(dir, 'user'),
    wrong_identity: join(dir, 'other'),
    ssh_config: knowing('config', 'host.pub'),
    wrong_ssh_config: knowing('wrong-config', 'other.pub'),
  }
}

function answersAt(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    socket.once('data', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => resolve(false))
  })
}
