/**
 * Makes the JSON of the dashboards, in Grafana's classic schema, with its own SDK:
 * `node infra/grafana/write.ts` writes the files in dashboards/.
 */
import * as common from '@grafana/grafana-foundation-sdk/common'
import * as dashboard from '@grafana/grafana-foundation-sdk/dashboard'
import * as prometheus from '@grafana/grafana-foundation-sdk/prometheus'
import * as stat from '@grafana/grafana-foundation-sdk/stat'
import * as timeseries from '@grafana/grafana-foundation-sdk/timeseries'
import { BUSINESS } from './business.ts'
import { DATABASE } from './database.ts'
import { ORDERBOOKS } from './orderbooks.ts'
import type { DashboardSpec, PanelSpec } from './panel.ts'
import { SYSTEM } from './system.ts'

export const DASHBOARDS: readonly DashboardSpec[] = [SYSTEM, ORDERBOOKS, DATABASE, BUSINESS]

const SOURCE = { type: 'prometheus', uid: '$datasource' }
/** Of 24 columns. */
const STAT_WIDTH = 6
const CHART_WIDTH = 12
const STAT_HEIGHT = 4
const CHART_HEIGHT = 8

/** The text of the dashboard's file. */
export function dashboardText(spec: DashboardSpec): string {
  const builder = new dashboard.DashboardBuilder(spec.title)
    .uid(spec.name)
    .description(spec.description)
    .tags(['booktape'])
    .readonly()
    .refresh('30s')
    .time({ from: 'now-1h', to: 'now' })
    .timezone('utc')
    .withVariable(
      new dashboard.DatasourceVariableBuilder('datasource').label('Data source').type('prometheus'),
    )
    .withVariable(choice('job', 'Job', `label_values(${spec.chosen_from}, job)`))
    .withVariable(
      choice('instance', 'Instance', `label_values(${spec.chosen_from}{job=~"$job"}, instance)`),
    )
  let id = 0
  for (const row of spec.rows) {
    builder.withRow(new dashboard.RowBuilder(row.title).id(++id))
    for (const panel of row.panels) builder.withPanel(panelOf(panel).id(++id))
  }
  return `${JSON.stringify(builder.build(), null, 2)}\n`
}

function choice(name: string, label: string, query: string): dashboard.QueryVariableBuilder {
  return (
    new dashboard.QueryVariableBuilder(name)
      .label(label)
      .datasource(SOURCE)
      .query(query)
      .multi(true)
      .includeAll(true)
      .allValue('.+')
      .current({ selected: true, text: ['All'], value: ['$__all'] })
      .refresh(dashboard.VariableRefresh.OnTimeRangeChanged)
      // oxlint-disable-next-line unicorn/no-array-sort -- a method of the builder.
      .sort(dashboard.VariableSort.AlphabeticalAsc)
  )
}

function panelOf(spec: PanelSpec): timeseries.PanelBuilder | stat.PanelBuilder {
  const panel =
    spec.kind === 'stat'
      ? new stat.PanelBuilder()
          .height(STAT_HEIGHT)
          .span(STAT_WIDTH)
          .graphMode(common.BigValueGraphMode.Area)
      : new timeseries.PanelBuilder()
          .height(CHART_HEIGHT)
          .span(CHART_WIDTH)
          .fillOpacity(8)
          .thresholdsStyle(
            new common.GraphThresholdsStyleConfigBuilder().mode(
              common.GraphThresholdsStyleMode.Dashed,
            ),
          )
  panel
    .title(spec.title)
    .description(spec.description)
    .datasource(SOURCE)
    .unit(spec.unit)
    .thresholds(thresholdsOf(spec.limit))
  for (const [index, { expr, legend }] of spec.queries.entries()) {
    panel.withTarget(
      new prometheus.DataqueryBuilder()
        .refId(String.fromCharCode(65 + index))
        .datasource(SOURCE)
        .expr(expr)
        .legendFormat(legend),
    )
  }
  return panel
}

function thresholdsOf(limit: number | undefined): dashboard.ThresholdsConfigBuilder {
  const steps = [
    { value: null, color: 'green' },
    ...(limit === undefined ? [] : [{ value: limit, color: 'red' }]),
  ]
  return new dashboard.ThresholdsConfigBuilder()
    .mode(dashboard.ThresholdsMode.Absolute)
    .steps(steps)
}
