import { join } from 'node:path'
import { expect, test } from 'vitest'
import { CHANNELS } from '#core/market.ts'
import { silentLogger } from '#core/node/log.ts'
import { micros } from '#core/time.ts'
import { readRecording } from '../../../infra/exchange/replay/recording.ts'
import { followToEnd } from '../../../ingestor/writer/follow-to-end.ts'
import { createTestDatabase } from '../../support/database.ts'
import { type Entry, temporaryDirectory, writeTape } from './support.ts'

const feeds_dir = process.env['FEEDS_DIR']
const reason = feeds_dir === undefined ? ' (skipped: FEEDS_DIR names no recordings)' : ''

const NOTHING = Object.fromEntries(CHANNELS.map((channel) => [channel, 0]))

// Diffs of the books, and one snapshot per symbol.
for (const [name, trade_stream, rows] of [
  [
    'binance-usdm-btcusdt-20240808',
    'trade',
    { book_ticker: 66_089, trades: 21_313, depth_events: 6_551 + 1 },
  ],
  [
    'binance-usdm-5coins-20210405',
    'aggTrade',
    { book_ticker: 3_424, trades: 574, depth_events: 4_423 + 5 },
  ],
] as const) {
  test.skipIf(feeds_dir === undefined)(
    `${name}: every row once, every frame accounted for${reason}`,
    async () => {
      const entries: Entry[] = []
      for await (const line of readRecording(join(feeds_dir!, name, 'feed.ndjson.gz'))) {
        const text = line.kind === 'rest' ? `${line.path}\n${line.data}` : line.data
        const kind = line.kind === 'rest' ? 'rest' : 'frame'
        entries.push({
          kind,
          connection: 1,
          ts_ingest: micros(line.ts),
          payload: Buffer.from(text),
        })
      }
      const database = await createTestDatabase()
      const tape_dir = await writeTape(entries)
      const options = {
        database_url: database.url,
        ingestor_id: 'recording',
        tape_dir,
        choice: { channels: CHANNELS, trade_stream },
        dead_letter_path: join(temporaryDirectory(), 'dead.ndjson'),
        log: silentLogger,
      }
      const counts = await followToEnd(options)
      expect(counts.rows).toEqual({ ...NOTHING, ...rows })
      expect(counts.events).toEqual(counts.rows)
      expect(counts.duplicates).toEqual(NOTHING)
      expect(counts.gaps).toBe(0)
      expect(counts.rejected).toEqual({})
      const ignored = Object.values(counts.ignored).reduce((sum, count) => sum + count, 0)
      expect(counts.frames + counts.rest_answers).toBe(
        counts.event_frames + counts.event_answers + counts.control + ignored,
      )
      expect(counts.frames + counts.rest_answers).toBe(entries.length)

      const again = await followToEnd({ ...options, ingestor_id: 'once-more' })
      expect(again.rows).toEqual(NOTHING)
      expect(again.duplicates).toEqual(counts.rows)
    },
  )
}
