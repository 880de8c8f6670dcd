/**
 * A recording onto the tape and from there into the tables, without a socket: its receive times
 * become ts_ingest, all else is the same code.
 */
import { statSync } from 'node:fs'
import { silentLogger } from '#core/node/log.ts'
import { CHANNELS } from '#core/market.ts'
import { openTape } from '../../../ingestor/tape/writer.ts'
import { followToEnd } from '../../../ingestor/writer/follow-to-end.ts'
import { importRecording } from '../../cli/tape-import.ts'
import { tradeStreamOf } from '../feed.ts'
import { accountForTape } from './accounting.ts'
import type { Performance, Played } from './performance.ts'

const SEGMENT_BYTES = 64 * 1024 ** 2
const RECORD_BYTES_MAX = 16 * 1024 ** 2
/** A recording shrinks at most this much under gzip; the tape is for this one run. */
const TAPE_BYTES_PER_FILE_BYTE = 200

export async function playOntoTape({ file, summary, data_dir, database_url }: Performance): Promise<Played> {
  const started_at = performance.now()
  const tape_dir = data_dir.join('replay-tape')
  const tape = await openTape({
    dir: tape_dir,
    max_bytes: statSync(file).size * TAPE_BYTES_PER_FILE_BYTE + 16 * SEGMENT_BYTES,
    segment_bytes: SEGMENT_BYTES,
    record_bytes_max: RECORD_BYTES_MAX,
    keep_s: 0,
    log: silentLogger,
  })
  try {
    await importRecording(tape, file)
  } finally {
    await tape.close()
  }
  const counts = await followToEnd({
    database_url,
    ingestor_id: 'replay',
    tape_dir,
    choice: { channels: CHANNELS, trade_stream: tradeStreamOf(summary) },
    dead_letter_path: data_dir.join('replay-dead-letters.ndjson'),
    log: silentLogger,
  })
  return {
    counts,
    accounting: accountForTape(summary, counts),
    seconds: (performance.now() - started_at) / 1_000,
  }
}
