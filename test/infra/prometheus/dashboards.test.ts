/**
 * The dashboards are what their code makes, and follow the rules of Grafana's dashboard linter (of
 * 2026-06), read from its source. target-logql and -logql-auto are about Loki; that every query is
 * valid PromQL and returns data, `npm run test:alerts` asks a real Prometheus.
 */
import * as units from '@grafana/grafana-foundation-sdk/units'
import { expect, test } from 'vitest'
import { DASHBOARDS, dashboardText } from '../../../infra/grafana/build.ts'
import { dashboard_files, dashboards, type Panel, queries } from './files.ts'

const panels: readonly (Panel & { readonly where: string })[] = dashboards.flatMap((board) =>
  board.panels
    .filter(({ type }) => type !== 'row')
    .map((panel) => ({ ...panel, where: `${board.title}: ${panel.title}` })),
)

/** Those that break a rule, by name. */
const breaking = (is_broken: (panel: Panel) => boolean): readonly string[] =>
  panels.filter(is_broken).map(({ where }) => where)

test('the committed files are those of `npm run dashboards`', () => {
  const made = DASHBOARDS.map((spec) => ({ name: `${spec.name}.json`, text: dashboardText(spec) }))
  const byName = (a: { readonly name: string }, b: { readonly name: string }): number =>
    a.name < b.name ? -1 : 1
  expect(dashboard_files.toSorted(byName)).toEqual(made.toSorted(byName))
})

test('four dashboards of the classic schema, not editable, each panel with an id of its own', () => {
  expect(dashboards.map(({ title }) => title.split(' / ')[1]).toSorted()).toEqual([
    'Business',
    'Database',
    'Order books',
    'System',
  ])
  for (const { editable, schemaVersion, panels: all } of dashboards) {
    expect(editable).toBe(false)
    expect(schemaVersion).toBeGreaterThanOrEqual(36)
    expect(new Set(all.map(({ id }) => id)).size).toBe(all.length)
  }
})

test('template-datasource, -job, -instance, -label-promql, -on-time-change-reload', () => {
  for (const { templating, title } of dashboards) {
    const [source, ...choices] = templating.list
    expect(source, title).toMatchObject({ type: 'datasource', name: 'datasource' })
    expect(source, title).toMatchObject({ label: 'Data source', query: 'prometheus' })
    expect(choices.map(({ name }) => name)).toEqual(['job', 'instance'])
    for (const choice of choices) {
      expect(choice).toMatchObject({ type: 'query', multi: true, allValue: '.+', refresh: 2 })
      expect(choice.label).toBe(choice.name === 'job' ? 'Job' : 'Instance')
      expect(choice.datasource?.uid).toBe('$datasource')
      expect(choice.query).toMatch(/^label_values\([a-z_]+(\{job=~"\$job"\})?, [a-z]+\)$/)
    }
  }
})

test('panel-datasource, -title-description, -units, -no-targets', () => {
  const known: ReadonlySet<unknown> = new Set(Object.values(units))
  expect(breaking(({ datasource }) => datasource?.uid !== '$datasource')).toEqual([])
  expect(breaking(({ title, description = '' }) => title === '' || description === '')).toEqual([])
  expect(breaking(({ fieldConfig }) => !known.has(fieldConfig?.defaults.unit))).toEqual([])
  expect(breaking(({ targets = [] }) => targets.length === 0)).toEqual([])
  expect(
    breaking(({ targets = [] }) => targets.some((one) => one.datasource.uid !== '$datasource')),
  ).toEqual([])
})

/** What may follow a name that is no metric. */
const WORDS = /\b(by|and|or|unless|on|bool|ignoring|without|le|vector|time)\b/g

test('target-job, -instance: every selector has both matchers', () => {
  const wrong = queries.filter(({ expr }) => {
    // Without strings, label lists, functions and words, only selectors have names.
    const bare = expr
      .replaceAll(/by \([^)]*\)/g, '')
      .replaceAll(/\[[^\]]*\]/g, '')
      .replaceAll(/\{job=~"\$job", instance=~"\$instance"(, [^}]*)?\}/g, '{}')
      .replaceAll(/\w+\s*\(/g, '(')
      .replaceAll(/\w+\{\}/g, '')
      .replaceAll(WORDS, '')
    return /[a-z{]/i.test(bare)
  })
  expect(wrong).toEqual([])
})

test('target-rate-interval, -counter-agg: counters are rates over $__rate_interval', () => {
  const wrong = queries.filter(({ expr }) => {
    const rates = [...expr.matchAll(/\brate\([^[]*\[([^\]]*)\]/g)]
    const counters = expr.match(/[a-z_]+_(total|bucket)\{/g) ?? []
    const counted = expr.match(/rate\([a-z_]+_(total|bucket)\{/g) ?? []
    return (
      rates.some(([, range]) => range !== '$__rate_interval') || counters.length !== counted.length
    )
  })
  expect(wrong).toEqual([])
})
