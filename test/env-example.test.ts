/** .env.example has every variable that a program reads, with its default, and no other. */
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { parseConfig as parseEdge } from '../edge-api/config.ts'
import { parseConfig as parseGateway } from '../edge-api/gateway/config.ts'
import { parseNodeConfig } from '../edge-api/node/config.ts'
import { parseConfig as parseConsole } from '../infra/console/config.ts'
import { parseConfig as parseIngestor } from '../ingestor/config.ts'
import { parseConfig as parseLive } from '../ingestor/live/config.ts'
import { parseConfig as parseClusters } from '../jobs/clusters/config.ts'
import { parseConfig as parseJobs } from '../jobs/config.ts'

type Env = Readonly<Record<string, string | undefined>>

const text = readFileSync(new URL('../.env.example', import.meta.url), 'utf8')

function section(title: string): { required: Record<string, string>; all: Record<string, string> } {
  const body = text.split(/^# --- /m).find((part) => part.startsWith(title)) ?? ''
  const entries = [...body.matchAll(/^(# )?([A-Z][A-Z0-9_]*)=(.*)$/gm)]
  const pick = (lines: typeof entries): Record<string, string> =>
    Object.fromEntries(lines.map((line) => [line[2]!, line[3]!]))
  return { required: pick(entries.filter((line) => line[1] === undefined)), all: pick(entries) }
}

/** The variables that a parser asks for. */
function keysRead(parse: (env: Env) => unknown, env: Env): readonly string[] {
  const keys = new Set<string>()
  parse(
    new Proxy(env, {
      get(target, key) {
        if (typeof key === 'string' && /^[A-Z]/.test(key)) keys.add(key)
        return Reflect.get(target, key)
      },
    }),
  )
  return [...keys].toSorted()
}

for (const [title, parse] of [
  ['jobs', parseJobs],
  ['gateway', parseGateway],
  ['edge worker', (env: Env) => parseEdge(env as Parameters<typeof parseEdge>[0])],
  ['edge API on Node', parseNodeConfig],
  ['ingestor', parseIngestor],
  ['live server', parseLive],
  ['cluster engine', parseClusters],
  ['console', parseConsole],
] as const) {
  test(`${title}: the example names what is read, and its comments show the defaults`, () => {
    const { required, all } = section(title)
    expect(Object.keys(all).toSorted()).toEqual(keysRead(parse, required))
    expect(parse(all)).toEqual(parse(required))
  })
}
