/** docs/metrics.md: the metrics of each program, as its own /metrics describes them. */

/** By program: what GET /metrics answered. */
export type Scrapes = Readonly<Record<string, string>>

const HEAD = `# Metrics

The metrics of each program at \`GET /metrics\`. Every program also has \`booktape_info\`, and the
\`process_*\` and \`nodejs_*\` metrics of prom-client: CPU, memory, open files, event loop, heap, garbage
collection. An ingestor has two threads: \`process_*\` covers both, \`nodejs_*\` the first, and
\`ingestor_thread_*\` and \`ingestor_writer_*\` the writer's. Labels are bounded. Only three metrics have a
symbol as a label (\`ingestor_stream_age_seconds\`, \`ingestor_stream_lost\`, \`ingestor_book_in_sequence\`),
and \`METRICS_PER_SYMBOL=0\` removes them.

**Cost.** Nothing is done for metrics per frame or per row: the counts are those that the recording
needs anyway, and are read at a scrape. Per commit two histograms are updated. In one CPU profile of
an ingestor (70 s, 10,000 events/s and 30,000 for ten seconds, a scrape every 15 s, 14.3 s of CPU on
both threads) metrics took 1.1 %: 0.87 % the scrapes (31 ms each, the first ones cold), 0.2 %
loading them, and 0.02 % everything between two scrapes: commits and the watch on garbage
collection. \`npm run bench:ingest -- --scrape-s 15 --cpu-prof DIR\` writes such profiles.

A test compares this file with the running programs: \`UPDATE_GOLDEN=1 npx vitest run
test/infra/stack.test.ts\` writes it.
`

export function metricsList(scrapes: Scrapes): string {
  const sections = Object.entries(scrapes).map(([program, text]) => {
    const rows = describedIn(text).map(
      ({ name, type, help }) => `| \`${name}\` | ${type} | ${help} |`,
    )
    return [`\n## ${program}\n`, '| metric | type | meaning |', '|---|---|---|', ...rows, ''].join(
      '\n',
    )
  })
  return HEAD + sections.join('')
}

interface Described {
  readonly name: string
  readonly type: string
  readonly help: string
}

const SHARED = /^(process|nodejs|booktape)_/

function describedIn(text: string): readonly Described[] {
  const helps = new Map(
    [...text.matchAll(/^# HELP (\S+) (.*)$/gm)].map(([, name, help]) => [name!, help!]),
  )
  return [...text.matchAll(/^# TYPE (\S+) (\w+)$/gm)]
    .map(([, name, type]) => ({ name: name!, type: type!, help: helps.get(name!) ?? '' }))
    .filter(({ name }) => !SHARED.test(name))
    .toSorted((left, right) => (left.name < right.name ? -1 : 1))
}
