/** The files of infra/prometheus and infra/grafana, as tests read them. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

export const PROMETHEUS_DIR = join(import.meta.dirname, '../../../infra/prometheus')
export const RULES_DIR = join(PROMETHEUS_DIR, 'rules')
const DASHBOARDS_DIR = join(import.meta.dirname, '../../../infra/grafana/dashboards')
const DOCS_DIR = join(import.meta.dirname, '../../../docs')

export const alerts_text = readFileSync(join(RULES_DIR, 'alerts.yml'), 'utf8')
export const recording_text = readFileSync(join(RULES_DIR, 'recording.yml'), 'utf8')
export const runbook = readFileSync(join(DOCS_DIR, 'runbook.md'), 'utf8')
export const metrics_list = readFileSync(join(DOCS_DIR, 'metrics.md'), 'utf8')

export const alert_names: readonly string[] = [...alerts_text.matchAll(/- alert: (\w+)/g)].map(
  ([, name]) => name!,
)

export interface Target {
  readonly expr: string
  readonly datasource: { readonly uid: string }
}

export interface Panel {
  readonly id: number
  readonly type: string
  readonly title: string
  readonly description?: string
  readonly datasource?: { readonly uid: string }
  readonly fieldConfig?: { readonly defaults: { readonly unit?: string } }
  readonly targets?: readonly Target[]
}

export interface Variable {
  readonly name: string
  readonly type: string
  readonly label: string
  readonly query: string
  readonly multi: boolean
  readonly allValue?: string
  readonly refresh?: number
  readonly datasource?: { readonly uid: string }
}

export interface Dashboard {
  readonly title: string
  readonly uid: string
  readonly editable: boolean
  readonly schemaVersion: number
  readonly templating: { readonly list: readonly Variable[] }
  readonly panels: readonly Panel[]
}

export const dashboard_files: readonly { readonly name: string; readonly text: string }[] =
  readdirSync(DASHBOARDS_DIR).map((name) => ({
    name,
    text: readFileSync(join(DASHBOARDS_DIR, name), 'utf8'),
  }))

export const dashboards: readonly Dashboard[] = dashboard_files.map(
  ({ text }) => JSON.parse(text) as Dashboard,
)

export interface Query {
  /** "booktape / System: Uptime" */
  readonly where: string
  readonly expr: string
}

export const queries: readonly Query[] = dashboards.flatMap(({ title, panels }) =>
  panels.flatMap((panel) =>
    (panel.targets ?? []).map(({ expr }) => ({ where: `${title}: ${panel.title}`, expr })),
  ),
)

/** A query as Grafana sends it, with everything chosen. */
export function expanded(expr: string): string {
  return expr
    .replaceAll('$__rate_interval', '1m')
    .replaceAll('$__range', '10m')
    .replaceAll('$job', '.+')
    .replaceAll('$instance', '.+')
}
