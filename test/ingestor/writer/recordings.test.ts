import { join } from 'node:path'
import { expect, test } from 'vitest'
import { silentLogger } from '#core/node/log.ts'
import { micros } from '#core/time.ts'
import { readRecording } from '../../../infra/local/exchange/replay/recording.ts'
import { followToEnd } from '../../../ingestor/writer/follow-to-end.ts'
import { createTestDatabase } from '../../support/database.ts'
import { type Entry, temporaryDirectory, writeTape } from './support.ts'

const feeds_dir = process.env['FEEDS_DIR']
const reason = feeds_dir === undefined ? ' (skipped: FEEDS_DIR names no recordings)' : ''

for (const [name, trade_stream, book_ticker, trades] of [
  ['binance-usdm-btcusdt-20240808', 'trade', 66_089, 21_313],
  ['binance-usdm-5coins-20210405', 'aggTrade', 3_424, 574],
] as const) {
  test.skipIf(feeds_dir === undefined)(`${name}: every row once, every frame accounted for${reason}`, async () => {
    const entries: Entry[] = []
    for await (const line of readRecording(join(feeds_dir!, name, 'feed.ndjson.gz'))) {
      const text = line.kind === 'rest' ? `${line.path}\n${line.data}` : line.data
      const kind = line.kind === 'rest' ? 'rest' : 'frame'
      entries.push({ kind, connection: 1, ts_ingest: micros(line.ts), payload: Buffer.from(text) })
    }
    const database = await createTestDatabase()
    const tape_dir = await writeTape(entries)
    const options = {
      database_url: database.url,
      ingestor_id: 'recording',
      tape_dir,
      choice: { channels: ['book_ticker', 'trades'], trade_stream } as const,
      dead_letter_path: join(temporaryDirectory(), 'dead.ndjson'),
      log: silentLogger,
    }
    const counts = await followToEnd(options)
    expect(counts.rows).toEqual({ book_ticker, trades })
    expect(counts.events).toEqual(counts.rows)
    expect(counts.duplicates).toEqual({ book_ticker: 0, trades: 0 })
    expect(counts.gaps).toBe(0)
    expect(counts.rejected).toEqual({})
    const ignored = Object.values(counts.ignored).reduce((sum, count) => sum + count, 0)
    expect(counts.frames + counts.rest_answers).toBe(counts.event_frames + counts.event_answers + counts.control + ignored)
    expect(counts.frames + counts.rest_answers).toBe(entries.length)

    const again = await followToEnd({ ...options, ingestor_id: 'once-more' })
    expect(again.rows).toEqual({ book_ticker: 0, trades: 0 })
    expect(again.duplicates).toEqual(counts.rows)
  })
}
