/**
 * Metrics of a program in the Prometheus text format. Most values are counted elsewhere
 * and read at each scrape, so that nothing is counted twice. Names have base units,
 * counters end in `_total`, and every label has a bounded set of values.
 */
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client'

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
  histogram(definition: MetricDefinition, buckets: readonly number[]): (value: number) => void
  /** Counted here. */
  count(definition: MetricDefinition): (labels: Labels) => void
  readonly content_type: string
  text(): Promise<string>
}

export const NO_LABELS: Labels = {}

/** With those of the process and of Node: CPU, memory, event loop, garbage collection. */
export function createMetrics(): Metrics {
  const registry = new Registry()
  collectDefaultMetrics({ register: registry })
  const named = ({ name, help, labels = [] }: MetricDefinition) => ({
    name,
    help,
    labelNames: [...labels],
    registers: [],
  })
  return {
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
          for (const [labels, value] of read()) this.set(labels, value)
        },
      })
      registry.registerMetric(gauge)
    },
    histogram(definition, buckets) {
      const histogram = new Histogram({ ...named(definition), buckets: [...buckets] })
      registry.registerMetric(histogram)
      return (value) => histogram.observe(value)
    },
    count(definition) {
      const counter = new Counter(named(definition))
      registry.registerMetric(counter)
      return (labels) => counter.inc(labels)
    },
  }
}
