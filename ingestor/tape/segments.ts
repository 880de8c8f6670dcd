/**
 * The segment files in a tape's directory: names, order, headers. format.ts and reader.ts handle
 * the records.
 */
import { closeSync, openSync, readdirSync, readSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { OperatorError } from '#core/errors.ts'
import { errorCode } from './files.ts'
import { decodeSegmentHeader, SEGMENT_HEADER_BYTES, type SegmentHeader } from './format.ts'

export interface SegmentName {
  readonly path: string
  readonly first: number
}

export interface Segment extends SegmentName {
  /** Size of the file, header included. */
  readonly file_bytes: number
  readonly modified_ms: number
  /** Undefined if it is corrupt. The records after it may still be whole. */
  readonly header: SegmentHeader | undefined
}

const SUFFIX = '.tape'
const NAME = /^\d{16}\.tape$/

export function segmentPath(dir: string, first: number): string {
  return join(dir, String(first).padStart(16, '0') + SUFFIX)
}

/** Names of all segments, oldest first. Empty if the directory does not exist. */
export function listSegmentNames(dir: string): readonly SegmentName[] {
  let entries: string[]
  try {
    entries = readdirSync(dir)
  } catch (cause) {
    if (errorCode(cause) === 'ENOENT') return []
    throw cause
  }
  return entries
    .filter((name) => NAME.test(name))
    .toSorted()
    .map((name) => ({ path: join(dir, name), first: Number(name.slice(0, -SUFFIX.length)) }))
}

/** Like listSegments, but throws OperatorError `tape_missing` if there is none. */
export function requireSegments(dir: string): readonly [Segment, ...Segment[]] {
  const [oldest, ...others] = listSegments(dir)
  if (oldest !== undefined) return [oldest, ...others]
  throw new OperatorError('tape_missing', `There is no tape in ${dir}.`, {
    hint: 'Check the directory. The ingestor creates its tape when it starts.',
  })
}

/** All segments with size and header, oldest first. Throws `tape_format_unknown`. */
export function listSegments(dir: string): readonly Segment[] {
  return listSegmentNames(dir).flatMap((name) => {
    const segment = readSegment(name)
    return segment === undefined ? [] : [segment]
  })
}

/** Undefined if the file was deleted meanwhile. Throws if the format is unknown. */
export function readSegment(name: SegmentName): Segment | undefined {
  try {
    const { size, mtimeMs } = statSync(name.path)
    return { ...name, file_bytes: size, modified_ms: mtimeMs, header: readHeader(name) }
  } catch (cause) {
    if (errorCode(cause) === 'ENOENT') return undefined
    throw cause
  }
}

/** Position after the last byte of the file, intact or not. */
export function fileEnd(segment: Segment): number {
  return segment.first + Math.max(0, segment.file_bytes - SEGMENT_HEADER_BYTES)
}

function readHeader(name: SegmentName): SegmentHeader | undefined {
  const bytes = Buffer.alloc(SEGMENT_HEADER_BYTES)
  const fd = openSync(name.path, 'r')
  let read_bytes: number
  try {
    read_bytes = readSync(fd, bytes, 0, SEGMENT_HEADER_BYTES, 0)
  } finally {
    closeSync(fd)
  }
  const verdict = decodeSegmentHeader(bytes.subarray(0, read_bytes))
  if (verdict.kind === 'foreign') {
    throw new OperatorError(
      'tape_format_unknown',
      `${name.path} has tape format ${verdict.version}, which this build does not know.`,
      { hint: 'Run the build that wrote it, or let it commit its tape before changing builds.' },
    )
  }
  // A header that names another position belongs to another file.
  return verdict.kind === 'ok' && verdict.header.first === name.first ? verdict.header : undefined
}
