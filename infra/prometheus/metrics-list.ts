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
