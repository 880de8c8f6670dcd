/** Holes of the recording, from the ledger. */
import type { GapRow } from '../../client/live.ts'
import { askAll } from './api.ts'
import { microsOf } from './candles.ts'
import type { Instrument } from './instrument.ts'

export interface Gap {
  readonly channel: string
  readonly from: number
  /** Infinity: it has not ended. */
  readonly to: number
  readonly cause: string
  readonly repaired_count: number
  /** Events are missing. */
  readonly is_open: boolean
  readonly note: string | null
}

interface Row {
  readonly channel: string
  readonly from_ts: string
  readonly to_ts: string | null
  readonly cause: string
  readonly repaired_count: number
  readonly repaired_at: string | null
  readonly repair_note: string | null
}

export async function askGaps(
  { exchange, symbol }: Instrument,
  from: number,
  to: number,
  signal: AbortSignal,
): Promise<readonly Gap[]> {
  const names = new URLSearchParams({ exchange, symbol })
  const rows = await askAll<Row>(`/v1/gaps?${names}&from=${from}&to=${to}`, signal)
  return rows.map((row) => ({
    channel: row.channel,
    from: microsOf(row.from_ts),
    to: row.to_ts === null ? Infinity : microsOf(row.to_ts),
    cause: row.cause,
    repaired_count: row.repaired_count,
    is_open: row.repaired_at === null,
    note: row.repair_note,
  }))
}

export function gapOfLive({ channel, from_ts, to_ts, cause }: GapRow): Gap {
  const bounds = { from: microsOf(from_ts), to: microsOf(to_ts) }
  return { channel, ...bounds, cause, repaired_count: 0, is_open: true, note: null }
}

const CAUSES: Readonly<Record<string, string>> = {
  sequence: 'update ids are missing',
  disconnect: 'the socket was down',
  restart: 'the recorder was down',
  silence: 'the socket delivered nothing',
  refused: 'the exchange refused the subscription',
  rejected: 'a frame could not be parsed',
  tape_full: 'the tape reached its size limit',
  tape_cut: 'part of the tape was lost',
  delisted: 'the exchange no longer lists the symbol',
  operator: 'an operator paused the recording',
  import: 'an imported file lacks it',
}

/** `trades: disconnect, the socket was down, 12:01:03 to 12:01:09, 43 rows refilled` */
export function gapWords(gap: Gap): string {
  const clock = (ts: number): string =>
    Number.isFinite(ts) ? new Date(ts / 1_000).toISOString().slice(11, 19) : 'now'
  const repair = gap.is_open
    ? 'events are missing'
    : gap.repaired_count > 0
      ? `${gap.repaired_count} rows refilled`
      : 'repaired'
  const cause = `${gap.cause} (${CAUSES[gap.cause] ?? 'unknown'})`
  return `${gap.channel}: ${cause}, ${clock(gap.from)} to ${clock(gap.to)} UTC, ${repair}`
}
