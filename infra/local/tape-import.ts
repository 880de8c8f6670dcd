/** Appends a recording to a tape, as the records that the ingestor would have written live. */
import { OperatorError } from '#core/errors.ts'
import type { Channel } from '#core/market.ts'
import { EXCHANGES, isExchange } from '#core/symbols.ts'
import type { Micros } from '#core/time.ts'
import { adapterFor } from '../../ingestor/exchanges/registry.ts'
import type { Mark, RecordKind } from '../../ingestor/tape/record.ts'
import type { Tape } from '../../ingestor/tape/tape.ts'
import { readRecording, summariseRecording } from '../exchange/replay/recording.ts'

export interface ImportCounts {
  readonly ws_count: number
  readonly rest_count: number
  /** Positions [from, to) of the tape hold the recording. */
  readonly from: number
  readonly to: number
}

/** All frames of a recording count as one socket's. */
const CONNECTION = 1
const REST_CONNECTION = 0

/**
 * Reads the whole file before it appends the first record, so that a damaged file leaves nothing on
 * the tape. A `started` mark comes first, because there is a gap between this recording and earlier
 * ones. Throws OperatorError: recording_*, unknown_exchange, tape_full, record_too_large.
 */
export async function importRecording(tape: Tape, path: string): Promise<ImportCounts> {
  const summary = await summariseRecording(path)
  const { exchange, time_unit } = summary
  if (!isExchange(exchange)) {
    throw new OperatorError('unknown_exchange', `${path} is a recording of "${exchange}".`, {
      hint: `This build records ${EXCHANGES.join(', ')}.`,
    })
  }
  const adapter = adapterFor(exchange, time_unit)
  tape.flush()
  const from = tape.end
  const append = (kind: RecordKind, connection: number, ts: Micros, text: string): void => {
    const result = tape.append(kind, adapter.tape_code, connection, ts, Buffer.from(text))
    if (typeof result !== 'number') throw refusal(path, result, tape)
  }
  const { from_ts, symbols } = summary
  if (from_ts !== null) append('mark', CONNECTION, from_ts, startedMark(adapter.channels, symbols))
  for await (const line of readRecording(path)) {
    if (line.kind === 'ws') append('frame', CONNECTION, line.ts, line.data)
    else append('rest', REST_CONNECTION, line.ts, `${line.path}\n${line.data}`)
  }
  await tape.sync()
  return { ws_count: summary.ws_count, rest_count: summary.rest_count, from, to: tape.end }
}

function startedMark(channels: readonly Channel[], symbols: readonly string[]): string {
  const streams = symbols.flatMap((symbol) => channels.map((channel) => ({ symbol, channel })))
  const mark: Mark = { kind: 'started', streams }
  return JSON.stringify(mark)
}

function refusal(path: string, result: 'full' | 'too_large', tape: Tape): OperatorError {
  if (result === 'full') {
    const { used_bytes, max_bytes, full } = tape.status()
    const state = `${full?.cause}, ${used_bytes} of ${max_bytes} bytes`
    return new OperatorError(
      'tape_full',
      `The tape is full (${state}): only a part of ${path} is on it.`,
      { hint: 'Raise --max-bytes, or import onto an empty tape.' },
    )
  }
  return new OperatorError('record_too_large', `A line of ${path} is too large for the tape.`, {
    hint: 'Lines must be WebSocket frames or REST responses; this one is too large to be either.',
  })
}
