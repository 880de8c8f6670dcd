/** Loads the depth of a recording into a test database via the tape and the writer. */
import { join } from 'node:path'
import { silentLogger } from '#core/node/log.ts'
import { micros } from '#core/time.ts'
import { readRecording } from '../../infra/exchange/replay/recording.ts'
import { followToEnd } from '../../ingestor/writer/follow-to-end.ts'
import type { TestDatabase } from './database.ts'
import { type Entry, temporaryDirectory, writeTape } from '../ingestor/writer/support.ts'

/** `folder` is in FEEDS_DIR and is a USD-M recording. */
export async function loadRecordedDepth(database: TestDatabase, folder: string): Promise<void> {
  const entries: Entry[] = []
  const path = join(process.env['FEEDS_DIR'] ?? '', folder, 'feed.ndjson.gz')
  for await (const line of readRecording(path)) {
    if (line.kind === 'ws' && !line.data.slice(0, 60).includes('@depth')) continue
    const kind = line.kind === 'rest' ? 'rest' : 'frame'
    const text = line.kind === 'rest' ? `${line.path}\n${line.data}` : line.data
    entries.push({ kind, connection: 1, ts_ingest: micros(line.ts), payload: Buffer.from(text) })
  }
  const { rows } = await followToEnd({
    database_url: database.url,
    ingestor_id: 'recording',
    tape_dir: await writeTape(entries),
    choice: { channels: ['depth_events'], trade_stream: 'aggTrade' },
    dead_letter_path: join(temporaryDirectory(), 'dead.ndjson'),
    log: silentLogger,
  })
  if (rows.depth_events !== entries.length) {
    throw new Error(`${folder}: ${rows.depth_events} rows of ${entries.length}.`)
  }
}
