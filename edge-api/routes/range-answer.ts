/** Turns a page of rows into a response in the requested format, with its caching headers. */
import type { Context } from 'hono'
import { entityTag } from '../cache/entity-tag.ts'
import { cacheFor, cacheLatest } from '../deps.ts'
import { arrowStream } from '../formats/arrow-stream.ts'
import { MEDIA_TYPES, type Format } from '../formats/format.ts'
import { csvText, jsonText, ndjsonText } from '../formats/table-text.ts'
import { bodyOf } from '../memory/body-parts.ts'
import type { MemoryGate } from '../memory/memory-gate.ts'
import { ANSWER_BYTES } from '../memory/send-body.ts'
import type { Decimals } from '#core/decimal-text.ts'
import { releaseLevels, type RangeColumn, type Row } from '../tables/table.ts'

export interface RangeAnswer {
  /** Fields of the JSON answer that come before the rows. */
  readonly head: Readonly<Record<string, string>>
  readonly rows: readonly Row[]
  readonly columns: readonly RangeColumn[]
  readonly decimals: Decimals
  /** Path of the next page. */
  readonly next: string | null
  /** Identifies the archived files that the rows came from; null while rows may still be added. */
  readonly version: string | null
}

/** Late rows may change an archived hour; callers see the change within a minute. */
const CLOSED_S = 60

export async function rangeAnswer(
  c: Context,
  memory: MemoryGate,
  format: Format,
  answer: RangeAnswer,
): Promise<Response> {
  const body = bytesOf(format, answer)
  memory.count(body)
  releaseLevels(answer.rows)
  if (answer.version === null) cacheLatest(c)
  else cacheFor(c, CLOSED_S)
  c.header('vary', 'accept', { append: true })
  if (answer.next !== null) c.header('link', `<${answer.next}>; rel="next"`)
  c.header('etag', await entityTag(answer.version ?? '', body))
  c.set(ANSWER_BYTES, body)
  return c.body(bodyOf(body), 200, { 'content-type': contentType(format) })
}

function contentType(format: Format): string {
  const charset = format === 'csv' || format === 'ndjson' ? '; charset=utf-8' : ''
  return MEDIA_TYPES[format] + charset
}

function bytesOf(format: Format, answer: RangeAnswer): Uint8Array<ArrayBuffer> {
  const { head, rows, columns, decimals, next } = answer
  switch (format) {
    case 'json':
      return jsonText({ ...head, row_count: rows.length, next }, rows, columns, decimals)
    case 'ndjson':
      return ndjsonText(rows, columns, decimals)
    case 'csv':
      return csvText(rows, columns, decimals)
    case 'arrow':
      return arrowStream(rows, columns, decimals)
  }
}
