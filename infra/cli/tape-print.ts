/** Shows, prints and checks a tape. Only reads: the ingestor may be writing at the same time. */
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
  /** Most records to print. */
  readonly limit: number
  readonly marks: boolean
}

/** One line a segment, and a line about the whole. */
export function listTape(dir: string): string {
  const segments = requireSegments(dir)
  const lines = segments.map((segment) => {
    const { header, first, file_bytes } = segment
    const created = header === undefined ? 'header broken' : toIso(micros(header.created_us))
    const range = `${first} to ${fileEnd(segment)}`
    return `${basename(segment.path)}  ${range}  ${file_bytes} bytes  ${created}`
  })
  const ids = new Set(segments.flatMap(({ header }) => header?.tape_id ?? []))
  const bytes = segments.reduce((sum, { file_bytes }) => sum + file_bytes, 0)
  const holder = lockHolder(dir)
  const state = holder === undefined ? 'nobody writes it' : `process ${holder.pid} writes it`
  const name = [...ids].join(', ') || '(unknown)'
  lines.push(`tape ${name}: ${segments.length} segments, ${bytes} bytes; ${state}`)
  return lines.map((line) => `${line}\n`).join('')
}

/** Prints a recording: header, frames, REST answers; marks where asked for. False where it could not read a part. */
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
    // `| head` has seen enough.
    if ((cause as NodeJS.ErrnoException).code !== 'EPIPE') throw cause
  } finally {
    reader.close()
  }
  if (counts.not_text > 0) {
    notes.write(`${counts.not_text} records are not UTF-8: bad bytes are printed as U+FFFD.\n`)
  }
  return counts.damage === 0
}

/** Reads everything. Damage is named with position and file. */
export function verifyTape(dir: string): { readonly report: string; readonly intact: boolean } {
  const lines = requireSegments(dir)
    .filter(({ header }) => header === undefined)
    .map(({ path }) => `damaged: the header of ${path} is broken; its records were read all the same`)
  const counts: Record<RecordKind, number> = { frame: 0, rest: 0, mark: 0 }
  const reader = openReader(dir, 'oldest')
  try {
    const from = reader.position
    for (const item of items(reader, Infinity)) {
      if ('reason' in item) lines.push(describeDamage(item))
      else counts[item.kind] += 1
    }
    const torn_bytes = reader.tornBytes()
    // While somebody writes, the last record may be on its way.
    if (torn_bytes > 0 && lockHolder(dir) === undefined) {
      const where = `position ${reader.position}`
      lines.push(`damaged: ${where}: the last ${torn_bytes} bytes are no whole record`)
    }
    const intact = lines.length === 0
    const kinds = RECORD_KINDS.map((kind) => `${counts[kind]} ${kind}`).join(', ')
    lines.push(`tape ${reader.tape_id}: positions ${from} to ${reader.position}; records: ${kinds}`)
    lines.push(intact ? 'The tape is whole.' : 'The tape is damaged.')
    return { report: lines.map((line) => `${line}\n`).join(''), intact }
  } finally {
    reader.close()
  }
}

/** Payloads hold until the next item. */
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

/** What the header line has to say before the first record is printed. */
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

/** What a recording says of itself whose times are in microseconds. */
const FINE: { readonly time_unit: TimeUnit } = { time_unit: 'microsecond' }

/** Whatever stands on the tape was asked for once. */
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
    `The record at position ${position} is of another exchange than the ones before it.`,
    { hint: 'A recording is of one exchange: print the parts one by one with --from and --limit.' },
  )
}
