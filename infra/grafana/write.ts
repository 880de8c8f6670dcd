/** `npm run dashboards`: writes the JSON files of the dashboards. */
import { writeFileSync } from 'node:fs'
import { DASHBOARDS, dashboardText } from './build.ts'

for (const spec of DASHBOARDS) {
  const file = new URL(`dashboards/${spec.name}.json`, import.meta.url)
  writeFileSync(file, dashboardText(spec))
}
