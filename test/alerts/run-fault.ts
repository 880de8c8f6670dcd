/** Injects a fault and watches its alerts: when each fires, and when each resolves after it. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Fault } from './fault.ts'
import type { Report } from './report.ts'
import type { LocalStack } from './stack.ts'

const SCRAPE_S = 15
/** Two scrapes, one evaluation of rules, and the way to Alertmanager. */
const FIRE_S = 2 * SCRAPE_S + SCRAPE_S + 5
/** The longest window of a rule is five minutes. */
const RESOLVE_S = 420
const LOOK_MS = 1_000

/** Returns after the fault. `ended` resolves once its alerts have; meanwhile the next may begin. */
export async function runFault(
  stack: LocalStack,
  fault: Fault,
  report: Report,
): Promise<{ readonly ended: Promise<void> }> {
  const names = Object.keys(fault.alerts)
  const early = await watchEnd(stack, names)
  if (early.size < names.length) report.problem(`Its alerts were on before: ${fault.name}.`)
  report.say(`Fault: ${fault.name}.`)
  const elapsed = stopwatch()
  let endFault: () => Promise<void> | void
  try {
    endFault = await fault.inject(stack)
  } catch (error) {
    report.problem(`Could not be injected: ${fault.name}: ${String(error)}`)
    return { ended: Promise.resolve() }
  }
  const injected_s = elapsed()
  const allowed_s = (name: string): number => injected_s + fault.alerts[name]! + FIRE_S
  const fired = new Map<string, number>()
  const limit_s = Math.max(...names.map(allowed_s))
  try {
    while (fired.size < names.length && elapsed() <= limit_s) {
      for (const { name } of await stack.monitoring.firing()) {
        if (!names.includes(name) || fired.has(name)) continue
        fired.set(name, elapsed())
        report.say(`  ${name} fired after ${elapsed()} s.`)
      }
      await sleep(LOOK_MS)
    }
  } finally {
    await endFault()
  }
  const rows = names.map((alert) => ({
    alert,
    fired_after_s: fired.get(alert),
    allowed_s: allowed_s(alert),
  }))
  for (const { alert, fired_after_s, allowed_s: allowed } of rows) {
    if (fired_after_s === undefined) report.problem(`${alert} did not fire in ${elapsed()} s.`)
    else if (fired_after_s > allowed) report.problem(`${alert} fired after ${fired_after_s} s.`)
  }
  const reportEnd = async (): Promise<void> => {
    const resolved = await watchEnd(stack, names)
    for (const row of rows) {
      const resolved_after_s = row.fired_after_s === undefined ? undefined : resolved.get(row.alert)
      report.row({ ...row, resolved_after_s })
      if (!resolved.has(row.alert)) report.problem(`${row.alert} did not resolve.`)
    }
  }
  return { ended: reportEnd() }
}

/** By alert: after how long it was off [s]. Those that stay on are missing. */
async function watchEnd(
  { monitoring }: LocalStack,
  names: readonly string[],
): Promise<ReadonlyMap<string, number>> {
  const resolved = new Map<string, number>()
  const elapsed = stopwatch()
  while (resolved.size < names.length && elapsed() < RESOLVE_S) {
    const firing = new Set((await monitoring.firing()).map(({ name }) => name))
    for (const name of names) {
      if (!firing.has(name) && !resolved.has(name)) resolved.set(name, elapsed())
    }
    await sleep(LOOK_MS)
  }
  return resolved
}

function stopwatch(): () => number {
  const began_ms = performance.now()
  return () => Math.round((performance.now() - began_ms) / 1_000)
}
