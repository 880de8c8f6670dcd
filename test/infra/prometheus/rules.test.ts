/**
 * Scrape configuration, rules and the example for Alertmanager, checked by Debian's own tools;
 * every alert with series that raise it and series that must not. `npm run test:alerts` injects the
 * faults.
 */
import { spawnSync } from 'node:child_process'
import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { ALERT_CASES, type AlertCase } from './alert-cases.ts'
import { alert_names, expanded, PROMETHEUS_DIR, queries, RULES_DIR } from './files.ts'

const has_promtool = spawnSync('promtool', ['--version']).status === 0
const has_amtool = spawnSync('amtool', ['--version']).status === 0

const dir = mkdtempSync(join(tmpdir(), 'booktape-rules-'))
afterAll(() => rmSync(dir, { recursive: true }))

/** What a tool says against its input; empty if it accepts it. */
function complaint(tool: string, ...args: readonly string[]): string {
  const { status, stdout, stderr } = spawnSync(tool, args, { encoding: 'utf8' })
  return status === 0 ? '' : `${status}: ${stdout}${stderr}`
}

/** JSON is YAML. */
function write(name: string, value: unknown): string {
  const file = join(dir, name)
  writeFileSync(file, JSON.stringify(value))
  return file
}

const INTERVAL_S = 15
const EVALUATED_AT = '2m30s'

/** A suite of promtool: whether the alert fires at EVALUATED_AT, or at any time before. */
function suite(alert: string, series: AlertCase['bad'], fires: boolean) {
  const expr = fires
    ? `count(ALERTS{alertname="${alert}", alertstate="firing"}) > bool 0`
    : `sum(count_over_time(ALERTS{alertname="${alert}", alertstate="firing"}[${EVALUATED_AT}]))`
  return {
    name: `${alert} ${fires ? 'fires' : 'is silent'}`,
    interval: `${INTERVAL_S}s`,
    input_series: Object.entries(series).map(([name, values]) => ({ series: name, values })),
    promql_expr_test: [
      {
        expr,
        eval_time: EVALUATED_AT,
        exp_samples: fires ? [{ labels: '{}', value: 1 }] : [],
      },
    ],
  }
}

/** Said in the name of the test that is skipped. */
const without = (has: boolean, tool: string, name: string): string =>
  has ? '' : ` (skipped: ${tool} is missing; apt-get install ${name})`

describe.skipIf(!has_promtool)(`promtool${without(has_promtool, 'promtool', 'prometheus')}`, () => {
  test('the scrape configuration and the rules are valid', () => {
    cpSync(PROMETHEUS_DIR, join(dir, 'prometheus'), { recursive: true })
    writeFileSync(join(dir, 'prometheus/token'), 'token')
    expect(complaint('promtool', 'check', 'config', join(dir, 'prometheus/prometheus.yml'))).toBe(
      '',
    )
  })

  test('every alert fires on its fault, and not on a healthy program', () => {
    expect(Object.keys(ALERT_CASES).toSorted()).toEqual(alert_names.toSorted())
    const tests = Object.entries(ALERT_CASES).flatMap(([alert, { bad, good }]) => [
      suite(alert, bad, true),
      suite(alert, good, false),
    ])
    const rule_files = ['recording.yml', 'alerts.yml'].map((name) => join(RULES_DIR, name))
    const file = write('tests.yml', { rule_files, evaluation_interval: `${INTERVAL_S}s`, tests })
    expect(complaint('promtool', 'test', 'rules', file)).toBe('')
  })

  test('every query of every panel is PromQL', () => {
    const rules = queries.map(({ expr }, i) => ({
      record: `panel:query${i}`,
      expr: expanded(expr),
    }))
    expect(
      complaint(
        'promtool',
        'check',
        'rules',
        write('queries.yml', { groups: [{ name: 'panels', rules }] }),
      ),
    ).toBe('')
  })
})

const no_amtool = without(has_amtool, 'amtool', 'prometheus-alertmanager')
test.skipIf(!has_amtool)(`the example for Alertmanager is valid${no_amtool}`, () => {
  expect(complaint('amtool', 'check-config', join(PROMETHEUS_DIR, 'alertmanager.yml'))).toBe('')
})
