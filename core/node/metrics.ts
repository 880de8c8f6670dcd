/**
 * Metrics of a program in the Prometheus text format. Most values are counted elsewhere
 * and read at each scrape, so that nothing is counted twice. Names have base units,
 * counters end in `_total`, and every label has a bounded set of values.
 */
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client'
import { version } from './version.ts'

export type Labels = Readonly<Record<string, string>>
/** A value for each combination of labels that there is now. */
export type Readings = readonly (readonly [labels: Labels, value: number])[]

export interface MetricDefinition {
  readonly name: string
  readonly help: string
  readonly labels?: readonly string[]
}

export interface Metrics {
  /** Counted elsewhere: `read` gives the totals since the start. */
  counter(definition: MetricDefinition, read: () => Readings): void
  gauge(definition: MetricDefinition, read: () => Readings): void
  histogram(
    definition: MetricDefinition,
    buckets: readonly number[],
  ): (value: number, labels?: Labels) => void
  /** Counted here. `amount`: 1 unless given. */
  count(definition: MetricDefinition): (labels: Labels, amount?: number) => void
  readonly content_type: string
  text(): Promise<string>
}

const MISNAMED = [
  'nodejs_active_handles_total',
  'nodejs_active_requests_total',
  'nodejs_active_resources_total',
]

export const NO_LABELS: Labels = {}

/** The only value of a metric without labels. */
export function one(value: number): Readings {
  return [[NO_LABELS, value]]
}

/** With those of the process and of Node: CPU, memory, event loop, garbage collection. */
export function createMetrics(program: string): Metrics {
  const registry = new Registry()
  collectDefaultMetrics({ register: registry })
  // Gauges whose names are those of counters.
  for (const name of MISNAMED) registry.removeSingleMetric(name)
  const named = ({ name, help, labels = [] }: MetricDefinition) => ({
    name,
    help,
    labelNames: [...labels],
    registers: [],
  })
  const metrics: Metrics = {
    content_type: registry.contentType,
    text: () => registry.metrics(),
    counter(definition, read) {
      const counter = new Counter({
        ...named(definition),
        collect() {
          this.reset()
          for (const [labels, total] of read()) this.inc(labels, total)
        },
      })
      registry.registerMetric(counter)
    },
    gauge(definition, read) {
      const gauge = new Gauge({
        ...named(definition),
        collect() {
          this.reset()
          // Without labels, a reset leaves a zero. What is not known is no zero.
          if (definition.labels === undefined) this.remove()
          for (const [labels, value] of read()) this.set(labels, value)
        },
      })
      registry.registerMetric(gauge)
    },
    histogram(definition, buckets) {
      const histogram = new Histogram({ ...named(definition), buckets: [...buckets] })
      registry.registerMetric(histogram)
      return (value, labels = NO_LABELS) => histogram.observe(labels, value)
    },
    count(definition) {
      const counter = new Counter(named(definition))
      registry.registerMetric(counter)
      return (labels, amount = 1) => counter.inc(labels, amount)
    },
  }
  metrics.gauge(
    {
      name: 'booktape_info',
      help: 'The program and the version of its build; always 1.',
      labels: ['program', 'version'],
    },
    () => [[{ program, version: version() }, 1]],
  )
  return metrics
}
