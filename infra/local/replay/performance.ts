/** Input and result of playing one recording, for both ways. */
import type { FollowCounts } from '../../../ingestor/writer/counts.ts'
import type { DataDir } from '../data-dir.ts'
import type { RecordingSummary } from '../../exchange/replay/recording.ts'
import type { Supervisor } from '../supervisor.ts'
import type { Accounting } from './accounting.ts'

/** Folder of the tape inside the data folder, and the ingestor's id: the same for both ways. */
export const REPLAY_TAPE = 'replay-tape'
export const REPLAY_INGESTOR = 'replay'

/** One recording to play, with the services it needs. */
export interface Performance {
  readonly file: string
  readonly summary: RecordingSummary
  readonly data_dir: DataDir
  readonly supervisor: Supervisor
  readonly database_url: string
  readonly speed: string
  readonly say: (sentence: string) => void
}

export interface Played {
  readonly counts: FollowCounts
  readonly accounting: Accounting
  /** From the first frame to the last committed row. */
  readonly seconds: number
}
