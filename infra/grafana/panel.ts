/** A panel of a dashboard as data. `build.ts` makes Grafana's JSON of it. */

export interface PanelQuery {
  readonly expr: string
  /** Of Grafana: {{label}}. */
  readonly legend: string
}

export interface PanelSpec {
  readonly kind: 'timeseries' | 'stat'
  readonly title: string
  /** What it shows, and what is usual. */
  readonly description: string
  /** As Grafana names it: docs of `@grafana/grafana-foundation-sdk/units`. */
  readonly unit: string
  readonly queries: readonly PanelQuery[]
  /** A line that should not be crossed. */
  readonly limit?: number
}

export interface RowSpec {
  readonly title: string
  readonly panels: readonly PanelSpec[]
}

export interface DashboardSpec {
  /** Of its file and its address in Grafana. */
  readonly name: string
  readonly title: string
  readonly description: string
  /** A metric that all its jobs have: the choice of jobs and instances is made from it. */
  readonly chosen_from: string
  readonly rows: readonly RowSpec[]
}

/** Selects what was chosen at the top of the dashboard. `more`: other matchers. */
export function chosen(metric: string, more = ''): string {
  const matchers = ['job=~"$job"', 'instance=~"$instance"', ...(more === '' ? [] : [more])]
  return `${metric}{${matchers.join(', ')}}`
}

export function rate(metric: string, more?: string): string {
  return `rate(${chosen(metric, more)}[$__rate_interval])`
}

/** Of a histogram, over all instances. */
export function quantile(q: number, metric: string, by = ''): string {
  const labels = by === '' ? 'le' : `le, ${by}`
  return `histogram_quantile(${q}, sum by (${labels}) (${rate(`${metric}_bucket`)}))`
}

type Options = Omit<PanelSpec, 'kind' | 'title' | 'queries'>

export function lines(
  title: string,
  options: Options,
  ...queries: readonly (readonly [expr: string, legend: string])[]
): PanelSpec {
  return {
    kind: 'timeseries',
    title,
    ...options,
    queries: queries.map(([expr, legend]) => ({ expr, legend })),
  }
}

export function figure(title: string, options: Options, expr: string, legend = ''): PanelSpec {
  return { kind: 'stat', title, ...options, queries: [{ expr, legend }] }
}
