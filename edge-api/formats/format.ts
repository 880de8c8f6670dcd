/** Chooses the format of an answer: `format=`, or else the best match for the Accept header. */
import type { Context } from 'hono'
import { Problem, found } from '../problem.ts'

export const FORMATS = ['json', 'ndjson', 'csv', 'arrow'] as const
export type Format = (typeof FORMATS)[number]

export const MEDIA_TYPES = {
  json: 'application/json',
  ndjson: 'application/x-ndjson',
  csv: 'text/csv',
  arrow: 'application/vnd.apache.arrow.stream',
} as const satisfies { readonly [format in Format]: string }

/** Throws a 406 if the caller accepts none of the formats. */
export function chooseFormat(c: Context, asked: Format | undefined): Format {
  if (asked !== undefined) return asked
  const accept = c.req.header('accept')
  const format = acceptedFormat(accept)
  if (format !== undefined) return format
  throw new Problem(
    406,
    'not_acceptable',
    'This route cannot answer in the requested format.',
    `Accept is ${found(accept)}. ` +
      `The formats are ${FORMATS.map((name) => MEDIA_TYPES[name]).join(', ')}.`,
  )
}

/** The format with the largest weight; the first one among equals; undefined if all weigh 0. */
export function acceptedFormat(accept: string | undefined): Format | undefined {
  if (accept === undefined || accept.trim() === '') return 'json'
  const ranges = accept.split(',').slice(0, 50).map(parseMediaRange)
  let best: { readonly format: Format; readonly weight: number } | undefined
  for (const format of FORMATS) {
    const weight = weightOf(MEDIA_TYPES[format], ranges)
    if (weight > (best?.weight ?? 0)) best = { format, weight }
  }
  return best?.format
}

interface MediaRange {
  readonly type: string
  readonly weight: number
}

function parseMediaRange(text: string): MediaRange {
  const [type = '', ...parameters] = text.split(';').map((part) => part.trim().toLowerCase())
  const q = parameters.find((part) => part.startsWith('q='))?.slice(2)
  const weight = q === undefined ? 1 : Number(q)
  return { type, weight: weight >= 0 && weight <= 1 ? weight : 0 }
}

/** The most specific range that matches the type decides. */
function weightOf(media_type: string, ranges: readonly MediaRange[]): number {
  const [main] = media_type.split('/')
  for (const type of [media_type, `${main}/*`, '*/*']) {
    const range = ranges.find((candidate) => candidate.type === type)
    if (range !== undefined) return range.weight
  }
  return 0
}
