/** Lists, prints and checks a tape. Read-only: the ingestor may write at the same time. */
import { isUtf8 } from 'node:buffer'
import { basename } from 'node:path'
import { Readable, type Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { OperatorError } from '#core/errors.ts'
import { CHANNELS } from '#core/market.ts'
import type { TimeUnit } from '#core/time-source.ts'
import { micros, toIso } from '#core/time.ts'
import type { DepthChoice, ExchangeAdapter } from '../../ingestor/exchanges/adapter.ts'
import { DEPTH_STREAMS } from '../../ingestor/exchanges/depth-choice.ts'
import { adapterByCode, adapterFor } from '../../ingestor/exchanges/registry.ts'
import { lockHolder } from '../../ingestor/tape/lock.ts'
import { openReader, type Damage, type TapeReader } from '../../ingestor/tape/reader.ts'
import { RECORD_KINDS, type RecordKind, type TapeRecord } from '../../ingestor/tape/record.ts'
import { fileEnd, requireSegments } from '../../ingestor/tape/segments.ts'

export interface CatOptions {
  readonly dir: string
  readonly from: number | 'oldest'
  /** Maximum number of records to print. */
  readonly limit: number
  readonly marks: boolean
}

/** One line per segment, and one for the whole tape. */
export function listTape(dir: string): string {
  const segments = requireSegments(dir)
  const lines = segments.map((segment) => {
    const { header, first, file_bytes } = segment
    const created = header === undefined ? 'corrupt header' : toIso(micros(header.created_us))
    const range = `${first} to ${fileEnd(segment)}`
    return `${basename(segment.path)}  ${range}  ${file_bytes} bytes  ${created}`
  })
  const ids = new Set(segments.flatMap(({ header }) => header?.tape_id ?? []))
  const bytes = segments.reduce((sum, { file_bytes }) => sum + file_bytes, 0)
  const holder = lockHolder(dir)
  const state = holder === undefined ? 'no process writes it' : `process ${holder.pid} writes it`
  const name = [...ids].join(', ') || '(unknown)'
  lines.push(`tape ${name}: ${segments.length} segments, ${bytes} bytes; ${state}`)
  return lines.map((line) => `${line}\n`).join('')
}

/**
 * Prints the tape as a recording: header, frames, REST answers and, on request, marks. Returns
 * false if a part of the tape is damaged.
 */
export async function catTape(
  options: CatOptions,
  output: Writable,
  notes: Writable,
): Promise<boolean> {
  const { adapter, symbols } = survey(options)
  const counts = { damage: 0, not_text: 0 }
  const reader = openReader(options.dir, options.from)
  function* lines(): Generator<string> {
    const { exchange = 'none' } = adapter ?? {}
    const unit = adapter === undefined || adapterFor(adapter.exchange) === adapter ? {} : FINE
    const source = `tape ${reader.tape_id}`
    yield `${JSON.stringify({ t: 'header', exchange, ...unit, symbols, source })}\n`
    for (const item of items(reader, options.limit)) {
      if ('reason' in item) {
        counts.damage += 1
        notes.write(`${describeDamage(item)}\n`)
      } else if (item.kind !== 'mark' || options.marks) {
        if (!isUtf8(item.payload)) counts.not_text += 1
        yield printRecord(item)
      }
    }
  }
  try {
    await pipeline(Readable.from(lines()), output, { end: false })
  } catch (cause) {
    // The reader closed the pipe, as `| head` does.
    if ((cause as NodeJS.ErrnoException).code !== 'EPIPE') throw cause
  } finally {
    reader.close()
  }
  if (counts.not_text > 0) {
    notes.write(`${counts.not_text} records are not UTF-8: invalid bytes are printed as U+FFFD.\n`)
  }
  return counts.damage === 0
}

/** Reads every record. The report gives position and file of all damage. */
export function verifyTape(dir: string): { readonly report: string; readonly intact: boolean } {
  const lines = requireSegments(dir)
    .filter(({ header }) => header === undefined)
    .map(({ path }) => `damaged: the header of ${path} is corrupt; its records were read anyway`)
  const counts: Record<RecordKind, number> = { frame: 0, rest: 0, mark: 0 }
  const reader = openReader(dir, 'oldest')
  try {
    const from = reader.position
    for (const item of items(reader, Infinity)) {
      if ('reason' in item) lines.push(describeDamage(item))
      else counts[item.kind] += 1
    }
    const torn_bytes = reader.tornBytes()
    // While a process writes the tape, the last record may be incomplete.
    if (torn_bytes > 0 && lockHolder(dir) === undefined) {
      const where = `position ${reader.position}`
      lines.push(`damaged: ${where}: the last ${torn_bytes} bytes are not a complete record`)
    }
    const intact = lines.length === 0
    const kinds = RECORD_KINDS.map((kind) => `${counts[kind]} ${kind}`).join(', ')
    lines.push(`tape ${reader.tape_id}: positions ${from} to ${reader.position}; records: ${kinds}`)
    lines.push(intact ? 'The tape is intact.' : 'The tape is damaged.')
    return { report: lines.map((line) => `${line}\n`).join(''), intact }
  } finally {
    reader.close()
  }
}

/** A payload is valid until the next item. */
function* items(reader: TapeReader, limit: number): Generator<TapeRecord | Damage> {
  let left = limit
  while (left > 0) {
    const { damage, records } = reader.readBatch()
    if (damage !== undefined) yield damage
    else if (records.length === 0) return
    for (const record of records) {
      if (left-- <= 0) return
      yield record
    }
  }
}

/** Reads the records once for the header line, which precedes them. */
function survey({ dir, from, limit }: CatOptions): {
  readonly adapter: ExchangeAdapter | undefined
  readonly symbols: readonly string[]
} {
  const symbols = new Set<string>()
  const known = new Set<string>()
  let adapter: ExchangeAdapter | undefined
  const reader = openReader(dir, from)
  try {
    for (const item of items(reader, limit)) {
      if ('reason' in item || item.exchange_code === 0) continue
      adapter ??= adapterByCode(item.exchange_code)
      if (item.exchange_code !== adapter.tape_code) throw twoExchanges(item.position)
      const stream = item.kind === 'frame' ? adapter.streamOf(item.payload) : undefined
      if (stream === undefined || known.has(stream)) continue
      known.add(stream)
      for (const symbol of symbolsOf(adapter, item)) symbols.add(symbol)
    }
  } finally {
    reader.close()
  }
  return { adapter, symbols: [...symbols].toSorted() }
}

/** Header field of a recording whose times are in microseconds. */
const FINE: { readonly time_unit: TimeUnit } = { time_unit: 'microsecond' }

/** Accepts every depth stream, because the tape may hold any of them. */
const EVERY_DEPTH: DepthChoice = { symbols: 'all', streams: DEPTH_STREAMS, interval_ms: 100 }

function symbolsOf(adapter: ExchangeAdapter, record: TapeRecord): readonly string[] {
  for (const trade_stream of ['aggTrade', 'trade'] as const) {
    const choice = { channels: CHANNELS, trade_stream, depth: EVERY_DEPTH, include_coin_m: true }
    const parsed = adapter.parse(record.payload, record.ts_ingest, choice)
    if (parsed.kind === 'events') return parsed.events.map(({ symbol }) => symbol)
  }
  return []
}

function printRecord({ kind, ts_ingest, payload }: TapeRecord): string {
  const text = payload.toString('utf8')
  const ts = `"ts":${ts_ingest}`
  if (kind === 'frame') return `{"t":"ws",${ts},"data":${JSON.stringify(text)}}\n`
  if (kind === 'mark') return `{"t":"mark",${ts},"mark":${text}}\n`
  const line_end = text.indexOf('\n')
  const path = JSON.stringify(text.slice(0, line_end))
  return `{"t":"rest",${ts},"path":${path},"data":${JSON.stringify(text.slice(line_end + 1))}}\n`
}

function describeDamage({ from, to, reason, path }: Damage): string {
  return `damaged: position ${from} to ${to} of ${path} is ${reason}`
}

function twoExchanges(position: number): OperatorError {
  return new OperatorError(
    'tape_of_two_exchanges',
    `The record at position ${position} is from another exchange than the records before it.`,
    { hint: 'A recording holds one exchange: print each part separately with --from and --limit.' },
  )
}
