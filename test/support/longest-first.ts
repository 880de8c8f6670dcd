/**
 * The order of the test files: the longest first, so that no worker still runs one of them when the
 * others have ended. Vitest knows durations only from an earlier run in the same folder; a fresh
 * clone has none.
 */
import { existsSync } from 'node:fs'
import { join, relative } from 'node:path'
import { BaseSequencer, type TestSpecification } from 'vitest/node'
import { ROOT } from './imports.ts'

/** Files that take more than ten seconds alone, the longest first; most of them wait. */
const LONGEST = [
  'test/infra/deploy/deploy.long.test.ts',
  'test/edge-api/chart/page.long.test.ts',
  'test/edge-api/memory.long.test.ts',
  'test/edge-api/large-answers.long.test.ts',
  'test/ingestor/repair/quiet-process.long.test.ts',
  'test/edge-api/clusters.long.test.ts',
  'test/jobs/schedule/schedule.test.ts',
  'test/infra/replay.long.test.ts',
  'test/chaos/chaos.test.ts',
  'test/jobs/day/day.test.ts',
  'test/infra/console/page.test.ts',
  'test/infra/console/server.test.ts',
  'test/jobs/backup/restore.long.test.ts',
  'test/ingestor/repair/process.long.test.ts',
  'test/infra/stack.test.ts',
  'test/jobs/clusters/engine.test.ts',
  'test/ingestor/main.test.ts',
  'test/jobs/datasets/bytes.test.ts',
  'test/jobs/datasets/kept-hours.test.ts',
  'test/chaos/books/books.long.test.ts',
  'test/postgres/failover.test.ts',
  'test/ingestor/spot.test.ts',
  'test/edge-api/inputs.test.ts',
  'test/edge-api/hot-cold.test.ts',
  'test/jobs/backup/recording.long.test.ts',
  'test/ingestor/writer/failures.test.ts',
  'test/ingestor/exchanges/bybit-linear/process.long.test.ts',
  'test/jobs/rollups/refresh.test.ts',
  'test/ingestor/control/postgres-away.test.ts',
]

export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const missing = LONGEST.filter((file) => !existsSync(join(ROOT, file)))
    if (missing.length > 0) throw new Error(`${missing.join(', ')} in LONGEST: no such file.`)
    // oxlint-disable-next-line unicorn/no-array-sort -- Vitest's order, not an array's method.
    const sorted = await super.sort(files)
    return sorted.toSorted((a, b) => rankOf(a) - rankOf(b))
  }
}

/** Then the other files that need services, and the short pure ones at the end. */
function rankOf({ moduleId, project }: TestSpecification): number {
  const place = LONGEST.indexOf(relative(ROOT, moduleId))
  if (place >= 0) return place
  return LONGEST.length + (project.name === 'pure' ? 1 : 0)
}
