/**
 * Metrics of the local stack: programs serve them on loopback, and DATA_DIR/prometheus has what
 * Prometheus needs to scrape them: `prometheus --config.file=.data/prometheus/prometheus.yml`.
 */
import { cpSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { ChildOptions } from './child.ts'
import type { DataDir } from './data-dir.ts'

const SOURCE = join(import.meta.dirname, '../prometheus')

export function withMetrics(program: ChildOptions, port: number, token: string): ChildOptions {
  const METRICS_TOKENS = `prometheus:read:${token}`
  return { ...program, env: { ...program.env, METRICS_PORT: String(port), METRICS_TOKENS } }
}

/** By job of prometheus.yml. The exporters of Postgres and the machine: on their usual ports. */
export type MetricsPorts = Readonly<
  Record<'ingestor' | 'jobs' | 'gateway' | 'console' | 'live' | 'clusters', readonly number[]>
>

/** Writes DATA_DIR/prometheus. */
export function writePrometheusFiles(data_dir: DataDir, ports: MetricsPorts): void {
  const dir = data_dir.join('prometheus')
  mkdirSync(dir, { recursive: true })
  for (const name of ['prometheus.yml', 'rules', 'targets']) {
    rmSync(join(dir, name), { recursive: true, force: true })
    cpSync(join(SOURCE, name), join(dir, name), { recursive: true })
  }
  for (const [job, taken] of Object.entries(ports)) {
    const targets = taken.map((port) => `127.0.0.1:${port}`)
    writeFileSync(join(dir, 'targets', `${job}.json`), `${JSON.stringify([{ targets }])}\n`)
  }
  // A file that is already there keeps its mode.
  rmSync(join(dir, 'token'), { force: true })
  writeFileSync(join(dir, 'token'), data_dir.secrets.metrics_token, { mode: 0o600 })
}
