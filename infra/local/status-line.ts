/** The stack's status line: rewritten each second on a terminal, else printed every 10 seconds. */
import type { IngestorStatus } from '../../ingestor/status.ts'

export interface StatusLine {
  update(status: IngestorStatus): void
  /** Prints a sentence above the status line. */
  say(sentence: string): void
}

const PLAIN_INTERVAL_MS = 10_000
const COLUMNS_DEFAULT = 80

export function createStatusLine(out: NodeJS.WriteStream): StatusLine {
  // If the reader goes away (a closed terminal, `| head`), the stack keeps running.
  out.on('error', () => undefined)
  let line = ''
  let printed_at = Number.NEGATIVE_INFINITY
  const clear = (): void => {
    if (out.isTTY && line !== '') out.write('\r\u001b[2K')
  }
  return {
    update(status) {
      clear()
      line = describeStatus(status)
      if (out.isTTY) {
        out.write(line.slice(0, (out.columns || COLUMNS_DEFAULT) - 1))
      } else if (performance.now() - printed_at >= PLAIN_INTERVAL_MS) {
        printed_at = performance.now()
        out.write(`${line}\n`)
      }
    },
    say(sentence) {
      clear()
      line = ''
      out.write(`${sentence}\n`)
    },
  }
}

/** `1,012 events/s | 123,456 rows committed | lag 54 ms | 3 gaps, 2 repaired` */
export function describeStatus(status: IngestorStatus): string {
  const row_count = Object.values(status.rows_committed).reduce((sum, count) => sum + count, 0)
  const count = (value: number): string => Math.round(value).toLocaleString('en-US')
  const parts = [
    `${count(status.frames_per_s)} events/s`,
    `${count(row_count)} rows committed`,
    `lag ${count(status.lag_ms)} ms`,
    describeGaps(status.gaps_open + status.gaps_repaired, status.gaps_repaired, count),
  ]
  const conflict_count = Object.values(status.conflicts).reduce((sum, more) => sum + more, 0)
  if (conflict_count > 0) parts.push(`${count(conflict_count)} conflicts`)
  if (status.lost_streams > 0) parts.push(describeLostStreams(status))
  if (status.books_synced < status.books) {
    parts.push(`${count(status.books_synced)} of ${count(status.books)} books`)
  }
  if (status.state !== 'live') parts.push(status.state.replaceAll('_', ' '))
  return parts.join(' | ')
}

/** `3 streams silent for 12 s: BTCUSDT trades (disconnect), ...` */
function describeLostStreams(status: IngestorStatus): string {
  const { lost_streams, lost_stream_names, oldest_lost_stream_s } = status
  const [first] = lost_stream_names
  const more = lost_streams > 1 ? ', ...' : ''
  const streams = `${lost_streams} ${lost_streams === 1 ? 'stream' : 'streams'} silent`
  return `${streams} for ${oldest_lost_stream_s} s: ${first}${more}`
}

function describeGaps(
  gap_count: number,
  repaired_count: number,
  count: (value: number) => string,
): string {
  const gaps = `${count(gap_count)} ${gap_count === 1 ? 'gap' : 'gaps'}`
  return repaired_count === 0 ? gaps : `${gaps}, ${count(repaired_count)} repaired`
}
