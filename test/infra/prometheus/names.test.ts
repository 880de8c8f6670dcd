/** Alerts have runbook entries, and rules and dashboards use metrics that there are. */
import { expect, test } from 'vitest'
import {
  alert_names,
  alerts_text,
  metrics_list,
  queries,
  recording_text,
  runbook,
} from './files.ts'

test('each alert has a severity, a sentence, and a runbook entry that its link leads to', () => {
  const blocks = alerts_text.split('- alert: ').slice(1)
  expect(blocks).toHaveLength(alert_names.length)
  for (const block of blocks) {
    const [name] = block.split('\n', 1)
    expect(block, name).toMatch(/labels: \{ severity: (page|warn) \}/)
    expect(block, name).toMatch(/summary: >-\n\s+\S/)
    expect(block, name).toContain(`runbook_url: docs/runbook.md#${name!.toLowerCase()}\n`)
  }
  const headings = [...runbook.matchAll(/^## (\w+)\n\n\*(\w+)\.\* \S.*(?:\n.+)*\n\n- \S/gm)]
  expect(headings.map(([, name]) => name)).toEqual(alert_names)
  const severities = [...alerts_text.matchAll(/\{ severity: (\w+)/g)].map(
    ([, severity]) => severity,
  )
  expect(headings.map(([, , severity]) => severity)).toEqual(severities)
})

/** Our metrics; docs/metrics.md is compared with running programs in stack.test.ts. */
const listed = new Set([...metrics_list.matchAll(/^\| `(\w+)` \|/gm)].map(([, name]) => name!))
const recorded = new Set([...recording_text.matchAll(/- record: (\S+)/g)].map(([, name]) => name!))

/** Of ours and of recording rules; those of exporters are tried by `npm run test:alerts`. */
function unknownNames(text: string): readonly string[] {
  const used = text.match(
    /\b(?:instance:[\w:]+|(?:ingestor|jobs|gateway|live|console|control)_\w+)/g,
  )
  return [...new Set(used ?? [])].filter((name) => {
    if (name.startsWith('instance:')) return !recorded.has(name)
    return !listed.has(name) && !listed.has(name.replace(/_(?:bucket|sum|count)$/, ''))
  })
}

test('rules and dashboards use only metrics of docs/metrics.md and recorded ones', () => {
  const labels = ['ingestor_id']
  const rules = [...alerts_text.matchAll(/expr: ?(?:>-)?([\s\S]*?)(?=\n {8}\w)/g)].map(
    ([, expr]) => expr!,
  )
  expect(rules).toHaveLength(alert_names.length)
  expect(unknownNames(rules.join('\n')).filter((name) => !labels.includes(name))).toEqual([])
  const records = recording_text.replaceAll(/- record: \S+/g, '')
  expect(unknownNames(records)).toEqual([])
  expect(unknownNames(queries.map(({ expr }) => expr).join('\n'))).toEqual([])
})
