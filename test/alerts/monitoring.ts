/**
 * Debian's Prometheus, Alertmanager and exporters beside a local stack: started, asked, stopped.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdirSync, openSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Client } from 'pg'
import { freePorts } from '../../infra/local/ports.ts'

const PROGRAMS = [
  'prometheus',
  'promtool',
  'prometheus-alertmanager',
  'prometheus-postgres-exporter',
  'prometheus-node-exporter',
]

/** Names of the programs that this machine lacks. */
export function missingPrograms(): readonly string[] {
  return PROGRAMS.filter((name) => spawnSync('which', [name]).status !== 0)
}

export interface Alert {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly annotations: Readonly<Record<string, string>>
}

export interface Monitoring {
  /** Alerts that Alertmanager has now, so that the whole way is tested. */
  firing(): Promise<readonly Alert[]>
  /** Number of series that a query returns. */
  seriesCount(expr: string): Promise<number>
  /** True once every target of the configuration was scraped. */
  areTargetsUp(): Promise<boolean>
  readonly exporters: { readonly node: ChildProcess; readonly postgres: ChildProcess }
  stop(): void
}

/** Its login. */
export const EXPORTER_ROLE = 'alerts_exporter'

const READY_MS = 60_000

/** `stack_dir`: the data folder of the stack. */
export async function startMonitoring(stack_dir: string, dir: string): Promise<Monitoring> {
  mkdirSync(dir, { recursive: true })
  const [prometheus_port, alertmanager_port, node_port, postgres_port, cluster_port] =
    await freePorts(5)
  const config_dir = join(stack_dir, 'prometheus')
  const config_file = join(config_dir, 'prometheus.yml')
  const config = readFileSync(config_file, 'utf8')
  writeFileSync(config_file, config.replace('127.0.0.1:9093', `127.0.0.1:${alertmanager_port}`))
  const target = (job: string, port: number | undefined): void =>
    writeFileSync(
      join(config_dir, 'targets', `${job}.json`),
      JSON.stringify([{ targets: [`127.0.0.1:${port}`] }]),
    )
  target('node', node_port)
  target('postgres', postgres_port)
  const targets_dir = join(config_dir, 'targets')
  const countTargets = (): number =>
    readdirSync(targets_dir)
      .flatMap((name) => JSON.parse(readFileSync(join(targets_dir, name), 'utf8')) as TargetGroup[])
      .reduce((sum, { targets }) => sum + targets.length, 0)
  const stack = JSON.parse(readFileSync(join(stack_dir, 'stack.json'), 'utf8')) as {
    readonly postgres_url: string
  }
  const alertmanager_file = join(dir, 'alertmanager.yml')
  writeFileSync(
    alertmanager_file,
    'route: { receiver: none, group_wait: 1s }\nreceivers: [{ name: none }]\n',
  )
  const children: ChildProcess[] = []
  const start = (name: string, args: readonly string[], env = {}): ChildProcess => {
    const log = openSync(join(dir, `${name}.log`), 'a')
    const child = spawn(name, args, {
      stdio: ['ignore', log, log],
      env: { ...process.env, ...env },
    })
    children.push(child)
    return child
  }
  const node = start('prometheus-node-exporter', [`--web.listen-address=127.0.0.1:${node_port}`])
  const postgres = start(
    'prometheus-postgres-exporter',
    [`--web.listen-address=127.0.0.1:${postgres_port}`],
    { DATA_SOURCE_NAME: await exporterUrl(stack.postgres_url) },
  )
  start('prometheus-alertmanager', [
    `--config.file=${alertmanager_file}`,
    `--web.listen-address=127.0.0.1:${alertmanager_port}`,
    `--cluster.listen-address=127.0.0.1:${cluster_port}`,
    `--storage.path=${join(dir, 'alertmanager')}`,
  ])
  start('prometheus', [
    `--config.file=${config_file}`,
    `--web.listen-address=127.0.0.1:${prometheus_port}`,
    `--storage.tsdb.path=${join(dir, 'prometheus')}`,
  ])
  process.once('exit', () => {
    for (const child of children) child.kill('SIGKILL')
  })
  const base = `http://127.0.0.1:${prometheus_port}`
  await untilReady(`${base}/-/ready`)
  await untilReady(`http://127.0.0.1:${alertmanager_port}/-/ready`)
  const query = async (expr: string): Promise<readonly Series[]> => {
    const url = `${base}/api/v1/query?query=${encodeURIComponent(expr)}`
    const answer = (await (await fetch(url)).json()) as QueryAnswer
    if (answer.status !== 'success') throw new Error(`${answer.error}: ${expr}`)
    return answer.data.result
  }
  return {
    exporters: { node, postgres },
    async firing() {
      const url = `http://127.0.0.1:${alertmanager_port}/api/v2/alerts?active=true`
      const alerts = (await (await fetch(url)).json()) as readonly Omit<Alert, 'name'>[]
      return alerts.map((alert) => ({ ...alert, name: alert.labels['alertname'] ?? '' }))
    },
    seriesCount: async (expr) => (await query(expr)).length,
    async areTargetsUp() {
      const ups = await query('up')
      return ups.length === countTargets() && ups.every(({ value }) => value[1] === '1')
    },
    stop() {
      for (const child of children) child.kill('SIGKILL')
    },
  }
}

/** With a login of its own, as the exporter's manual asks for. */
async function exporterUrl(postgres_url: string): Promise<string> {
  const password = randomBytes(16).toString('hex')
  const client = new Client({ connectionString: postgres_url })
  await client.connect()
  await client.query(`create role ${EXPORTER_ROLE} login password '${password}' in role pg_monitor`)
  await client.end()
  const url = new URL(postgres_url)
  url.username = EXPORTER_ROLE
  url.password = password
  url.searchParams.set('sslmode', 'disable')
  return url.href
}

interface TargetGroup {
  readonly targets: readonly string[]
}

interface Series {
  readonly value: readonly [ts_s: number, value: string]
}

interface QueryAnswer {
  readonly status: string
  readonly error?: string
  readonly data: { readonly result: readonly Series[] }
}

async function untilReady(url: string): Promise<void> {
  const deadline = performance.now() + READY_MS
  while (performance.now() < deadline) {
    const answer = await fetch(url).catch(() => undefined)
    if (answer?.ok === true) return
    await sleep(200)
  }
  throw new Error(`${url} is not ready.`)
}
