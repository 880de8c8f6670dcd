/** `booktape replay` of a Binance spot recording, over sockets and via the tape. */
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'

const CLI = join(import.meta.dirname, '../../infra/cli/booktape.mjs')
const FEEDS = process.env['FEEDS_DIR']
const FILE = join(FEEDS ?? '', 'binance-spot-3coins-20210405/feed.ndjson.gz')

for (const via of ['socket', 'tape']) {
  test.skipIf(FEEDS === undefined)(
    `by ${via} every frame is accounted for and no sequence is broken (skipped without FEEDS_DIR)`,
    async () => {
      const { stdout } = await promisify(execFile)(process.execPath, [
        CLI,
        'replay',
        FILE,
        '--via',
        via,
      ])
      const result = JSON.parse(stdout.trim().split('\n').at(-1)!) as {
        readonly rows: Readonly<Record<string, number>>
      }
      expect(result).toMatchObject({
        accounted_for: true,
        frames: { recorded: 4_719, not_asked_for: 118, rejected: 0 },
        rows: { trades: 1_910, book_ticker: 0 },
        gaps: 0,
        rejected: {},
        dead_letters: 0,
      })
      // At full speed a book may be requested more than once.
      expect(result.rows['depth_events']).toBeGreaterThanOrEqual(2_688 + 3)
    },
  )
}
