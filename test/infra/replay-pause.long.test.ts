/**
 * A recording in which a busy stream pauses. A real ingestor would replace a socket this silent.
 */
import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, expect, test } from 'vitest'
import { DEFAULT_SETTINGS } from '../../ingestor/transport/settings.ts'

const CLI = join(import.meta.dirname, '../../infra/cli/booktape.mjs')
const dir = mkdtempSync(join(tmpdir(), 'booktape-replay-pause-'))
afterAll(() => rmSync(dir, { recursive: true, force: true }))

test('a pause of a busy stream in a recording is not a gap in its replay', async () => {
  const { silence_ms_min, rate_memory_ms, missing_frames_min } = DEFAULT_SETTINGS
  const pause_ms = silence_ms_min + 2_500
  // Enough frames that, at their rate, the pause would count as silence.
  const busy_count = Math.ceil((1.5 * missing_frames_min * rate_memory_ms) / silence_ms_min)
  const START_MS = 1_723_161_256_000
  const lines = Array.from({ length: busy_count + 10 }, (_, u) => {
    const T = START_MS + u + (u < busy_count ? 0 : pause_ms)
    const data = { e: 'bookTicker', u, s: 'BTCUSDT', b: '1', B: '2', a: '3', A: '4', T, E: T }
    return { t: 'ws', ts: T * 1_000, data: JSON.stringify(data) }
  })
  const header = { t: 'header', exchange: 'binance-futures', symbols: ['BTCUSDT'] }
  const file = join(dir, 'pause.ndjson')
  writeFileSync(file, [header, ...lines].map((line) => JSON.stringify(line)).join('\n'))
  const { stdout } = await promisify(execFile)(process.execPath, [
    CLI,
    'replay',
    file,
    '--speed',
    'real',
  ])
  expect(JSON.parse(stdout.trim().split('\n').at(-1)!)).toMatchObject({
    accounted_for: true,
    gaps: 0,
    rows: { book_ticker: busy_count + 10 },
    duplicates: { book_ticker: 0 },
  })
})
