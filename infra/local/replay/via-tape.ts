/**
 * Imports a recording onto the tape and follows the tape into the tables, without a socket. The
 * recorded receive times become ts_ingest; everything else is the ingestor's code.
 */
import { existsSync, statSync } from 'node:fs'
import { silentLogger } from '#core/node/log.ts'
import { CHANNELS } from '#core/market.ts'
import type { Tape } from '../../../ingestor/tape/tape.ts'
import { openTape } from '../../../ingestor/tape/writer.ts'
import type { FollowCounts } from '../../../ingestor/writer/counts.ts'
import { followToEnd } from '../../../ingestor/writer/follow-to-end.ts'
import { importRecording } from '../tape-import.ts'
import { streamsOf } from '../feed.ts'
import { accountForTape } from './accounting.ts'
import { type Performance, type Played, REPLAY_INGESTOR, REPLAY_TAPE } from './performance.ts'

const SEGMENT_BYTES = 64 * 1024 ** 2
const RECORD_BYTES_MAX = 16 * 1024 ** 2
/** Upper bound of gzip's ratio for recordings; the tape holds one run. */
const TAPE_BYTES_PER_FILE_BYTE = 200

export async function playOntoTape(performance_: Performance): Promise<Played> {
  const { file, summary } = performance_
  const started_at = performance.now()
  const tape = openReplayTape(performance_)
  try {
    await importRecording(tape, file)
  } finally {
    await tape.close()
  }
  const counts = await commitTape(performance_)
  return {
    counts,
    accounting: accountForTape(summary, counts),
    seconds: (performance.now() - started_at) / 1_000,
  }
}

/** Commits what a killed replay left on the tape, so that it does not count in this replay. */
export async function commitLeftOver(performance_: Performance): Promise<void> {
  if (!existsSync(performance_.data_dir.join(REPLAY_TAPE))) return
  const tape = openReplayTape(performance_)
  await tape.close()
  await commitTape(performance_)
}

function openReplayTape({ file, data_dir }: Performance): Tape {
  return openTape({
    dir: data_dir.join(REPLAY_TAPE),
    max_bytes: statSync(file).size * TAPE_BYTES_PER_FILE_BYTE + 16 * SEGMENT_BYTES,
    segment_bytes: SEGMENT_BYTES,
    record_bytes_max: RECORD_BYTES_MAX,
    keep_s: 0,
    log: silentLogger,
  })
}

function commitTape({ summary, data_dir, database_url }: Performance): Promise<FollowCounts> {
  return followToEnd({
    database_url,
    ingestor_id: REPLAY_INGESTOR,
    tape_dir: data_dir.join(REPLAY_TAPE),
    choice: { channels: CHANNELS, ...streamsOf(summary) },
    dead_letter_path: data_dir.join('replay-dead-letters.ndjson'),
    log: silentLogger,
  })
}
