/** The text output of the commands on an ingestor. Pure. */
import type { AuditEntry } from '../../../ingestor/control/audit-log.ts'
import type { ChangeAnswer } from '../../../ingestor/control/changes.ts'
import type { StatusView, StreamView } from '../../../ingestor/control/view.ts'

const NAMES_TOLD = 12

export function statusText(status: StatusView): string {
  const { ingestor, state, desired, actual, feed, tape, writer, books, gaps } = status
  const wanted = symbolsText(desired.symbols)
  const by =
    desired.changed_by === null ? '' : `, by ${desired.changed_by} at ${desired.changed_at}`
  const lines = [
    `${ingestor.ingestor_id} (${ingestor.exchange}) is ${words(state)}, up for ${duration(ingestor.uptime_s)}.`,
    `  wanted    ${desired.recording}, symbols ${short(wanted)}, revision ${desired.revision} (${desired.source}${by})`,
    `  streams   ${number(actual.streams_heard)} of ${number(actual.streams_wanted)} are heard, of ${number(actual.symbol_count)} symbols, over ${status.sockets.length} sockets`,
    `  feed      ${number(feed.frames_per_s)} frames/s`,
    `  writer    ${number(writer.rows_per_s)} rows/s, lag ${number(writer.lag_ms)} ms, ${number(writer.dead_letters)} dead letters${writer.database_away ? ', POSTGRES IS AWAY' : ''}`,
    `  tape      ${bytes(tape.used_bytes)} of ${bytes(tape.limit_bytes)}, ${bytes(tape.backlog_bytes)} not committed${tape.is_full ? ', FULL' : ''}`,
    `  books     ${number(books.in_sequence)} of ${number(books.known)} are in sequence`,
    `  gaps      ${number(gaps.lost_streams)} have not ended${gaps.lost_streams === 0 ? '' : `: ${gaps.lost_stream_names.join(', ')}`}; ${number(gaps.gaps_open)} open and ${number(gaps.gaps_repaired)} refilled in 24 h`,
  ]
  if (actual.streams_refused > 0) {
    lines.push(
      `  refused   ${number(actual.streams_refused)} streams; \`booktape streams\` says why`,
    )
  }
  return `${lines.join('\n')}\n`
}

function symbolsText(symbols: StatusView['desired']['symbols']): string {
  if (typeof symbols === 'string') return symbols
  if ('count' in symbols) return `the first ${number(symbols.count)}`
  return 'tier' in symbols ? `of tier ${symbols.tier}` : symbols.join(', ')
}

export function summaryText(view: StatusView): string {
  const { ingestor, state, actual, tape, books, gaps } = view
  const parts = [
    `${ingestor.ingestor_id} (${ingestor.exchange}) is ${words(state)}`,
    `${number(actual.streams_heard)} of ${number(actual.streams_wanted)} streams are heard`,
    ...paceOf(view),
    `${bytes(tape.backlog_bytes)} not committed`,
    `${number(books.in_sequence)} of ${number(books.known)} books in sequence`,
    `gaps that have not ended: ${number(gaps.lost_streams)}`,
  ]
  return `${parts.join('; ')}.\n`
}

/** The line that `monitor` prints without a terminal: the time and the changing figures. */
export function watchLine(view: StatusView): string {
  const { clock, state, actual, tape, books, gaps } = view
  return [
    `${clock.now.slice(0, 19)}Z`,
    words(state),
    ...paceOf(view),
    `backlog ${bytes(tape.backlog_bytes)}`,
    `streams ${number(actual.streams_heard)}/${number(actual.streams_wanted)}`,
    `books ${number(books.in_sequence)}/${number(books.known)}`,
    `open gaps ${number(gaps.lost_streams)}`,
  ].join('  ')
}

function paceOf({ feed, writer }: StatusView): readonly string[] {
  return [
    `${number(feed.frames_per_s)} frames/s`,
    `${number(writer.rows_per_s)} rows/s`,
    `lag ${number(writer.lag_ms)} ms`,
  ]
}

export function streamsText(streams: readonly StreamView[]): string {
  if (streams.length === 0) return 'The ingestor records no such stream.\n'
  const rows = streams.map((one) => [
    one.stream,
    one.refusal !== null ? 'refused' : one.is_heard ? 'heard' : 'not heard',
    one.silent_ms === null ? '-' : `${(one.silent_ms / 1_000).toFixed(1)} s`,
    number(one.frame_count),
    one.is_book_in_sequence === null
      ? ''
      : one.is_book_in_sequence
        ? 'book in sequence'
        : 'book lost',
    one.lost === null ? '' : `lost: ${one.lost.cause} since ${one.lost.since}`,
    one.refusal ?? '',
  ])
  return table([['stream', 'state', 'silent', 'frames', '', '', ''], ...rows])
}

export function changeText(answer: ChangeAnswer): string {
  if (!answer.is_changed) return `Nothing to change: already so (revision ${answer.revision}).\n`
  const { result } = answer
  const will = answer.is_dry_run ? 'would be ' : ''
  const lines = [
    `${number(result.streams_added_count)} streams ${will}added, ` +
      `${number(result.streams_removed_count)} ${will}removed, ${number(result.streams_kept_count)} ${will}kept.`,
    ...named('symbols added  ', result.symbols_added, result.symbols_added_count),
    ...named('symbols removed', result.symbols_removed, result.symbols_removed_count),
    ...(result.rest_weight === 0 ? [] : [`  books take a weight of ${number(result.rest_weight)}`]),
    ...(result.duration_s === 0 ? [] : [`  about ${duration(result.duration_s)} at least`]),
    answer.is_dry_run ? 'Nothing was changed (--dry-run).' : `Revision ${answer.revision}.`,
  ]
  return `${lines.join('\n')}\n`
}

export function auditText(entries: readonly AuditEntry[]): string {
  if (entries.length === 0) return 'There has been no change.\n'
  const rows = entries.map(({ revision, at, actor, origin, action, request, result }) => [
    String(revision),
    at,
    actor,
    origin,
    action,
    result === null
      ? ''
      : `+${result.streams_added_count} -${result.streams_removed_count} streams`,
    short(JSON.stringify(request)),
  ])
  return table([['revision', 'at', 'who', 'from', 'what', 'result', 'request'], ...rows])
}

function named(label: string, names: readonly string[], count: number): readonly string[] {
  if (count === 0) return []
  const more = count > NAMES_TOLD ? ` and ${number(count - NAMES_TOLD)} more` : ''
  return [`  ${label} ${names.slice(0, NAMES_TOLD).join(', ')}${more}`]
}

function table(rows: readonly (readonly string[])[]): string {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)))
  const line = (row: readonly string[]): string =>
    row
      .map((cell, column) => cell.padEnd(widths[column]!))
      .join('  ')
      .trimEnd()
  return `${rows.map(line).join('\n')}\n`
}

function short(text: string): string {
  return text.length <= 60 ? text : `${text.slice(0, 57)}...`
}

function words(state: string): string {
  return state.replaceAll('_', ' ')
}

function number(value: number): string {
  return value.toLocaleString('en-US')
}

function bytes(value: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB']
  const power = value < 1 ? 0 : Math.min(units.length - 1, Math.floor(Math.log10(value) / 3))
  return `${(value / 1_000 ** power).toFixed(power === 0 ? 0 : 1)} ${units[power]}`
}

function duration(seconds: number): string {
  if (seconds < 120) return `${seconds} s`
  if (seconds < 7_200) return `${Math.round(seconds / 60)} min`
  return `${Math.round(seconds / 3_600)} h`
}
