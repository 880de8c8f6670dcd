/** Prints the results as a table. */
import type { Sample } from './bench.ts'
import { median } from './bench.ts'
import type { Load } from './load.ts'

const TITLES = {
  copy: '(a) raw binary COPY, rows pre-encoded',
  ingestor: '(b) socket to committed row',
  insert: '(c) INSERT of 500 rows, on conflict do nothing',
} as const

/** In cpu_us_per_row of (b): of the rows that warmed it up. */
export const FIRST_ROWS = 'ingestor: the first rows after its start'

interface Ratios {
  readonly ratio_to_copy: number
  readonly ratio_to_insert: number
  readonly ratio_to_copy_by_cpu: number
}

export function printTable(
  samples: Readonly<Record<keyof typeof TITLES, readonly Sample[]>>,
  { ratio_to_copy, ratio_to_insert, ratio_to_copy_by_cpu }: Ratios,
  load: Load,
): void {
  const lines = [row('CPU in microseconds per row', 'rows/s', 'Postgres', 'client', 'others')]
  for (const [kind, title] of Object.entries(TITLES) as [keyof typeof TITLES, string][]) {
    const cpu = (name: string): number =>
      median(samples[kind].map((sample) => sample.cpu_us_per_row[name] ?? 0))
    const rate = median(samples[kind].map((sample) => sample.rows_per_s))
    lines.push(
      row(
        title,
        whole(rate),
        cpu('postgres'),
        cpu(kind === 'ingestor' ? 'ingestor' : 'bench'),
        cpu('others'),
      ),
    )
  }
  const cost = (kind: keyof typeof TITLES, ...names: readonly string[]): number =>
    median(
      samples[kind].map(({ cpu_us_per_row }) =>
        names.reduce((sum, name) => sum + (cpu_us_per_row[name] ?? 0), 0),
      ),
    )
  const times = cost('ingestor', 'postgres', 'ingestor') / cost('copy', 'postgres', 'bench')
  const { latency, latency_by_step } = load
  const burst = latency_by_step[1]
  lines.push(
    row('    the ingestor for its first rows', '', '', cost('ingestor', FIRST_ROWS)),
    '',
    row('CPU of a row, b / a', times.toFixed(2)),
    row('b / a', ratio_to_copy),
    row('b / a by CPU time', ratio_to_copy_by_cpu),
    row('b / c', ratio_to_insert),
    '',
    row(`(d) ${whole(load.rows)} events in ${load.seconds} s`),
    row(
      '    receipt to commit: p50, p99, max [ms]',
      latency.p50_ms,
      latency.p99_ms,
      latency.max_ms,
    ),
    row(
      '    in the burst: p50, p99, max [ms]',
      burst?.p50_ms ?? '',
      burst?.p99_ms ?? '',
      burst?.max_ms ?? '',
    ),
    row(
      '    CPU, cores: ingestor, Postgres, others',
      load.ingestor_cpu_share,
      load.postgres_cpu_share,
      load.others_cpu_share,
    ),
    row('    ingestor RSS: max [MB], slope [MB/min]', load.rss_max_mb, load.rss_mb_per_minute),
    row('    tape: MB, bytes per row', load.tape_mb, load.tape_bytes_per_row),
    '',
  )
  process.stdout.write(`${lines.join('\n')}\n`)
}

function row(title: string, ...cells: readonly (string | number)[]): string {
  return title.padEnd(50) + cells.map((cell) => String(cell).padStart(11)).join('')
}

function whole(value: number): string {
  return Math.round(value).toLocaleString('en-US')
}
