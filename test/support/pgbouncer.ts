/** A real pgbouncer in front of a test database, where there is one on the machine. */
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { freePort } from '../../infra/local/ports.ts'
import { atFileEnd } from './file-end.ts'

export const has_pgbouncer = spawnSync('pgbouncer', ['--version']).status === 0

/** Runs until the file's end. `url`: of the database behind it. Returns the URL through it. */
export async function startPgbouncer(
  url: string,
  pool_mode: 'session' | 'transaction',
): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'booktape-pgbouncer-'))
  const port = await freePort()
  const { hostname, port: server_port, username, password, pathname } = new URL(url)
  const database = pathname.slice(1)
  await writeFile(
    join(dir, 'pgbouncer.ini'),
    `[databases]
${database} = host=${hostname} port=${server_port} user=${username} password=${password}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
auth_type = any
pool_mode = ${pool_mode}
default_pool_size = 5
`,
  )
  await chmod(dir, 0o755)
  // It does not run as root.
  const as = process.getuid?.() === 0 ? ['-u', 'nobody'] : []
  const child = spawn('pgbouncer', ['-q', ...as, join(dir, 'pgbouncer.ini')], { stdio: 'ignore' })
  atFileEnd(async () => {
    child.kill('SIGINT')
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
    await rm(dir, { recursive: true })
  })
  for (;;) {
    if (child.exitCode !== null) throw new Error('pgbouncer ended.')
    const socket = connect(port, '127.0.0.1')
    const is_up = await new Promise((resolve) => {
      socket.once('connect', () => resolve(true)).once('error', () => resolve(false))
    })
    socket.destroy()
    if (is_up) return `postgres://${username}:${password}@127.0.0.1:${port}/${database}`
    await sleep(20)
  }
}
