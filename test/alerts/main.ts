/**
 * `npm run test:alerts`: Debian's Prometheus, Alertmanager and exporters watch a local stack.
 * Minutes without a fault must give no alert, every query of every panel must return data, and each
 * fault must raise its alerts within two scrapes, which must end after it.
 *
 * --clean-minutes N (default 10; 0: none), --only ALERT,… (part of a name), --rate EVENTS_PER_S.
 * Exit code: 0 if all that ran is as it should be, also where a Debian package is missing; else 1.
 */
import { spawn } from 'node:child_process'
import { chmodSync, existsSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import type { StackFile } from '../../infra/local/data-dir.ts'
import { alert_names, expanded, queries } from '../infra/prometheus/files.ts'
import type { Fault } from './fault.ts'
import { FAULTS, ROUNDS } from './faults.ts'
import { missingPrograms, type Monitoring, startMonitoring } from './monitoring.ts'
import { createReport } from './report.ts'
import { runFault } from './run-fault.ts'
import { ask, CLI, type LocalStack, openStack, startSmallIngestor } from './stack.ts'

const START_MS = 180_000
const LOOK_MS = 5_000
/** On a busy machine the first dataset is published late. */
const PANELS_MS = 120_000

const { values } = parseArgs({
  options: {
    'clean-minutes': { type: 'string', default: '10' },
    only: { type: 'string', default: '' },
    rate: { type: 'string', default: '2000' },
  },
})

const wanted = values.only.split(',').map((text) => text.trim().toLowerCase())
const isWanted = (alert: string): boolean =>
  wanted.some((text) => alert.toLowerCase().includes(text))
const isChosen = ({ alerts }: Fault): boolean => Object.keys(alerts).some(isWanted)
const chosen = FAULTS.filter(isChosen)
if (chosen.length === 0) throw new Error(`No alert with a fault has "${values.only}" in its name.`)

const report = createReport()
for (const { name, lacks } of chosen) {
  const what = lacks?.()
  if (what !== undefined) report.say(`Not injected: ${name}: this machine lacks ${what}.`)
}
const faults = chosen.filter(({ lacks }) => lacks?.() === undefined)
const missing = missingPrograms()
if (missing.length > 0) {
  report.say(
    `Skipped: this machine lacks ${missing.join(', ')} (docs/operate.md has the packages).`,
  )
  process.exit(0)
}

const dir = mkdtempSync(join(tmpdir(), 'booktape-alerts-'))
chmodSync(dir, 0o755)
const data_dir = join(dir, 'data')
// Below the ports that the system gives to outgoing connections, which could take one meanwhile.
const port_base = 20_000 + (process.pid % 500) * 20
const log = openSync(join(dir, 'start.log'), 'a')
const start = spawn(
  process.execPath,
  [CLI, 'start', '--data-dir', data_dir, '--rate', values.rate, '--port-base', String(port_base)],
  { stdio: ['ignore', log, log] },
)
// Interrupted, the stack and the monitoring must not stay.
process.once('SIGTERM', () => process.exit(1)).once('SIGINT', () => process.exit(1))
process.once('exit', () => start.kill('SIGTERM'))
try {
  const stack_file = join(data_dir, 'stack.json')
  await until(
    'the stack starts',
    () => existsSync(stack_file) && existsSync(join(data_dir, 'prometheus/token')),
  )
  const file = JSON.parse(readFileSync(stack_file, 'utf8')) as StackFile
  const monitoring = await startMonitoring(data_dir, join(dir, 'monitoring'))
  try {
    await watchWithoutFault(file, monitoring)
    // Not before: its small tape fills on a busy machine, and then it says so.
    const small = await startSmallIngestor(data_dir, file)
    try {
      await injectAll(openStack(data_dir, file, monitoring, small))
    } finally {
      small.stop()
    }
  } finally {
    monitoring.stop()
  }
} finally {
  const ended = new Promise((resolve) => start.once('exit', resolve))
  if (start.exitCode === null) {
    start.kill('SIGTERM')
    await ended
  }
}

const run = new Set(faults.flatMap(({ alerts }) => Object.keys(alerts)))
const possible = new Set(FAULTS.flatMap(({ alerts }) => Object.keys(alerts)))
const listOf = (isListed: (name: string) => boolean): string =>
  alert_names.filter(isListed).join(', ') || 'none'
report.say(`Not run now: ${listOf((name) => possible.has(name) && !run.has(name))}.`)
report.say(`Without a fault here: ${listOf((name) => !possible.has(name))}.`)
const problem_count = report.end()
if (problem_count === 0) rmSync(dir, { recursive: true, force: true })
else report.say(`Logs are in ${dir}.`)
process.exitCode = problem_count === 0 ? 0 : 1
process.exit()

async function watchWithoutFault({ edge_url }: StackFile, monitoring: Monitoring): Promise<void> {
  await until('every target is up', () => monitoring.areTargetsUp())
  report.say('Every target is up.')
  const clean_minutes = Number(values['clean-minutes'])
  if (clean_minutes === 0) {
    return report.say('No minutes without a fault were asked for: panels are not checked either.')
  }
  const load = setInterval(() => void ask(`${edge_url}/v1/quotes/BTCUSDT/latest`), 1_000)
  await watchClean(monitoring, clean_minutes)
  // Rates need two scrapes and jobs a first run.
  await checkPanels(monitoring)
  clearInterval(load)
}

async function injectAll(stack: LocalStack): Promise<void> {
  const { monitoring } = stack
  await until('the second ingestor is up', () => monitoring.areTargetsUp())
  const endings: Promise<void>[] = []
  const runLane = async (lane: readonly Fault[]): Promise<void> => {
    for (const fault of lane.filter((one) => faults.includes(one))) {
      endings.push((await runFault(stack, fault, report)).ended)
    }
  }
  for (const lanes of ROUNDS) await Promise.all(lanes.map(runLane))
  await Promise.all(endings)
}

async function watchClean(monitoring: Monitoring, minutes: number): Promise<void> {
  report.say(`${minutes} minutes without a fault.`)
  const seen = new Set<string>()
  const end_ms = performance.now() + minutes * 60_000
  while (performance.now() < end_ms) {
    for (const { name, annotations } of await monitoring.firing()) {
      if (seen.has(name)) continue
      seen.add(name)
      report.problem(`Without a fault ${name} fired: ${annotations['summary']}`)
    }
    await sleep(LOOK_MS)
  }
  report.say(`${seen.size} alerts fired in ${minutes} minutes without a fault.`)
}

async function checkPanels(monitoring: Monitoring): Promise<void> {
  const end_ms = performance.now() + PANELS_MS
  let empty = [...queries]
  for (;;) {
    const found = await Promise.all(empty.map(({ expr }) => monitoring.seriesCount(expanded(expr))))
    empty = empty.filter((_, index) => found[index] === 0)
    if (empty.length === 0 || performance.now() > end_ms) break
    await sleep(LOOK_MS)
  }
  for (const { where, expr } of empty) report.problem(`No data: ${where}: ${expr}`)
  const answered = queries.length - empty.length
  report.say(`${answered} of ${queries.length} queries of panels returned data.`)
}

async function until(what: string, isSo: () => boolean | Promise<boolean>): Promise<void> {
  const deadline_ms = performance.now() + START_MS
  while (!(await isSo())) {
    if (start.exitCode !== null) throw new Error(`The stack ended; ${dir}/start.log says why.`)
    if (performance.now() > deadline_ms) throw new Error(`In vain waited until ${what}.`)
    await sleep(200)
  }
}
