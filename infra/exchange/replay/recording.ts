/**
 * Recordings: NDJSON, plain or gzip, with a header line, then WebSocket frames and REST answers as
 * received. This file reads them line by line and summarises them. It checks the format of the
 * lines, not the content of the frames.
 */
import { OperatorError } from '#core/errors.ts'
import { isSymbolName } from '#core/symbols.ts'
import { TIME_UNITS, type TimeUnit } from '#core/time-source.ts'
import { DAY_US, dayOf, micros, type Day, type Micros } from '#core/time.ts'
import {
  eventTime,
  noteDecimals,
  parseObject,
  readFrame,
  streamOf,
  type Decimals,
} from './frame.ts'
import { readTextLines, type TextLine } from './text-lines.ts'

export interface RecordingHeader {
  readonly exchange: string
  /** Unit of the times in frames; default: milliseconds. */
  readonly time_unit: TimeUnit
  readonly symbols: readonly string[]
}

export type RecordingLine =
  /** `data` is the frame as text, with or without the combined-stream wrapper. */
  | { readonly kind: 'ws'; readonly ts: Micros; readonly data: string }
  /** `path` with its query; `data` is the body. */
  | { readonly kind: 'rest'; readonly ts: Micros; readonly path: string; readonly data: string }

export interface RecordingSummary {
  readonly exchange: string
  readonly time_unit: TimeUnit
  /** Symbols of the header, then others that occur in frames. */
  readonly symbols: readonly string[]
  /** Frame count of each stream. */
  readonly streams: Readonly<Record<string, number>>
  /** Frames that belong to no stream: not JSON, acknowledgements, unknown shapes. */
  readonly unroutable_count: number
  readonly ws_count: number
  readonly rest_count: number
  /** Earliest and latest receive time; null if there is only the header. */
  readonly from_ts: Micros | null
  readonly to_ts: Micros | null
  /** UTC days of the frames by the exchange's clock, which may differ from the recorder's. */
  readonly days: readonly Day[]
  /** Per symbol: steps of the last decimal written, such as 0.01 for a price of 58710.20. */
  readonly steps: Readonly<
    Record<string, { readonly tick_size: number; readonly step_size: number }>
  >
}

/**
 * The lines after the header, in file order. A file may contain several recordings in sequence, if
 * they are of the same exchange. Throws an OperatorError with the line number if the file is not a
 * recording.
 */
export async function* readRecording(path: string): AsyncGenerator<RecordingLine> {
  for await (const lines of readLines(path)) {
    for (const line of lines) if (line.kind !== 'header') yield line
  }
}

/** Reads only the first line. */
export async function readHeader(path: string): Promise<RecordingHeader> {
  for await (const lines of readLines(path)) {
    for (const line of lines) if (line.kind === 'header') return line
  }
  throw emptyRecording(path)
}

/** Reads and checks the whole file. `onRest` gets each REST answer. */
export async function summariseRecording(
  path: string,
  onRest?: (line: Extract<RecordingLine, { kind: 'rest' }>) => void,
): Promise<RecordingSummary> {
  let exchange = ''
  let time_unit: TimeUnit = 'millisecond'
  const symbols = new Set<string>()
  const streams = new Map<string, number>()
  const decimals = new Map<string, Decimals>()
  const day_indexes = new Set<number>()
  const counts = { ws: 0, rest: 0, unroutable: 0 }
  let from_ts: Micros | null = null
  let to_ts: Micros | null = null

  const note = (symbol: string, payload: Readonly<Record<string, unknown>>): void => {
    let seen = decimals.get(symbol)
    if (seen === undefined) decimals.set(symbol, (seen = { price: undefined, qty: undefined }))
    noteDecimals(payload, seen)
  }
  for await (const lines of readLines(path))
    for (const line of lines) {
      if (line.kind === 'header') {
        exchange = line.exchange
        time_unit = line.time_unit
        for (const symbol of line.symbols) symbols.add(symbol)
        continue
      }
      if (from_ts === null || line.ts < from_ts) from_ts = line.ts
      if (to_ts === null || line.ts > to_ts) to_ts = line.ts
      counts[line.kind] += 1
      if (line.kind === 'rest') {
        const symbol = symbolOfPath(line.path)
        const body = parseObject(line.data)
        if (symbol !== undefined && body !== undefined) note(symbol, body)
        onRest?.(line)
        continue
      }
      const stream = streamOf(line.data)
      if (stream === undefined) {
        counts.unroutable += 1
        continue
      }
      streams.set(stream, (streams.get(stream) ?? 0) + 1)
      const frame = readFrame(line.data)
      if (frame === undefined || !isSymbolName(frame.symbol)) continue
      symbols.add(frame.symbol)
      note(frame.symbol, frame.payload)
      day_indexes.add(Math.floor((eventTime(frame.payload, time_unit) ?? line.ts) / DAY_US))
    }
  return {
    exchange,
    time_unit,
    symbols: [...symbols],
    streams: Object.fromEntries([...streams].toSorted(([a], [b]) => (a < b ? -1 : 1))),
    unroutable_count: counts.unroutable,
    ws_count: counts.ws,
    rest_count: counts.rest,
    from_ts,
    to_ts,
    days: [...day_indexes].toSorted((a, b) => a - b).map((index) => dayOf(micros(index * DAY_US))),
    steps: Object.fromEntries(
      [...symbols].map((symbol) => {
        const seen = decimals.get(symbol)
        return [symbol, { tick_size: stepOf(seen?.price), step_size: stepOf(seen?.qty) }]
      }),
    ),
  }
}

/** The symbol in a REST path. */
export function symbolOfPath(path: string): string | undefined {
  return new URLSearchParams(path.split('?')[1]).get('symbol') ?? undefined
}

type Line = ({ readonly kind: 'header' } & RecordingHeader) | RecordingLine

/** In batches, like readTextLines. */
async function* readLines(path: string): AsyncGenerator<Iterable<Line>> {
  let exchange: string | undefined
  let time_unit: TimeUnit | undefined
  const check = (text_line: TextLine): Line => {
    const line = parseLine(path, text_line)
    if (line.kind === 'header') {
      const { exchange: name, time_unit: unit } = line
      if (exchange !== undefined && (exchange !== name || time_unit !== unit)) {
        const found = `a second header, of exchange ${quote(name)}, times in ${unit}s`
        throw badLine(path, text_line, found, `one of ${exchange}, times in ${time_unit}s`)
      }
      exchange = name
      time_unit = unit
    } else if (exchange === undefined) {
      throw badLine(path, text_line, `a line of type "${line.kind}"`, 'the header line first')
    }
    return line
  }
  function* checked(text_lines: Iterable<TextLine>): Iterable<Line> {
    for (const text_line of text_lines) yield check(text_line)
  }
  for await (const text_lines of readTextLines(path)) yield checked(text_lines)
  if (exchange === undefined) throw emptyRecording(path)
}

function parseLine(path: string, line: TextLine): Line {
  const value = parseObject(line.text)
  if (value === undefined) {
    throw badLine(path, line, quote(line.text), 'one whole JSON object')
  }
  const { t, ts, data } = value
  if (t === 'header') return parseHeader(path, line, value)
  if (t !== 'ws' && t !== 'rest') {
    throw badLine(path, line, `"t" is ${quote(t)}`, '"header", "ws" or "rest"')
  }
  if (typeof ts !== 'number' || !Number.isSafeInteger(ts) || ts <= 0) {
    throw badLine(path, line, `"ts" is ${quote(ts)}`, 'whole microseconds since 1970')
  }
  if (typeof data !== 'string') {
    throw badLine(path, line, `"data" is ${quote(data)}`, 'the frame or body as text')
  }
  if (t === 'ws') return { kind: 'ws', ts: micros(ts), data }
  const rest_path = value['path']
  if (typeof rest_path !== 'string' || !rest_path.startsWith('/')) {
    throw badLine(path, line, `"path" is ${quote(rest_path)}`, 'the path of the request')
  }
  return { kind: 'rest', ts: micros(ts), path: rest_path, data }
}

function parseHeader(
  path: string,
  line: TextLine,
  { exchange, symbols, time_unit = 'millisecond' }: Readonly<Record<string, unknown>>,
): Line {
  if (typeof exchange !== 'string' || exchange === '') {
    throw badLine(path, line, `"exchange" is ${quote(exchange)}`, 'the name of an exchange')
  }
  const is_list =
    Array.isArray(symbols) &&
    symbols.every((name) => typeof name === 'string' && isSymbolName(name))
  if (!is_list) {
    throw badLine(path, line, `"symbols" is ${quote(symbols)}`, 'a list of symbol names')
  }
  const unit = TIME_UNITS.find((known) => known === time_unit)
  if (unit === undefined) {
    throw badLine(path, line, `"time_unit" is ${quote(time_unit)}`, TIME_UNITS.join(' or '))
  }
  return { kind: 'header', exchange, time_unit: unit, symbols: symbols as readonly string[] }
}

function badLine(path: string, line: TextLine, found: string, expected: string): OperatorError {
  return new OperatorError(
    'recording_bad_line',
    `${path}, line ${line.number}: found ${found}; expected ${expected}.`,
    {
      hint: 'The file is damaged or not a recording (NDJSON with header, ws and rest lines).',
    },
  )
}

function emptyRecording(path: string): OperatorError {
  return new OperatorError('recording_empty', `${path} is empty; expected a header line.`, {
    hint: 'Give the path of a recording (NDJSON, plain or gzip).',
  })
}

/** The start of a value, short enough for a message. */
function quote(value: unknown): string {
  const text =
    typeof value === 'string' ? JSON.stringify(value) : (JSON.stringify(value) ?? 'missing')
  return text.length > 60 ? `${text.slice(0, 60)}…` : text
}

/** If no number was seen, the default is fine enough for any symbol. */
function stepOf(decimals = 8): number {
  return Number(`1e-${decimals}`)
}
