/**
 * A cursor is the epoch and seq of a message: the client has everything up to it. A connection over
 * SSE has one cursor per stream, and the id of each event holds all of them.
 */

/** The text before `:` is the epoch. */
export interface Cursor {
  readonly epoch: string
  readonly seq: number
}

const EPOCH = /^[0-9a-f-]{1,36}$/

export function cursorText({ epoch, seq }: Cursor): string {
  return `${epoch}:${seq}`
}

/** Undefined unless it is an object {epoch, seq} of the right types. */
export function cursorFrom(value: unknown): Cursor | undefined {
  const { epoch, seq } = (value ?? {}) as Partial<Record<'epoch' | 'seq', unknown>>
  if (typeof epoch !== 'string' || !EPOCH.test(epoch)) return undefined
  return Number.isSafeInteger(seq) && (seq as number) >= 0
    ? { epoch, seq: seq as number }
    : undefined
}

/** Parses `EPOCH:SEQ`. Undefined if the text is anything else. */
export function parseCursor(text: string): Cursor | undefined {
  const [epoch, seq, ...rest] = text.split(':')
  if (seq === undefined || rest.length > 0 || !/^\d{1,16}$/.test(seq)) return undefined
  return cursorFrom({ epoch, seq: Number(seq) })
}

const BASE = 36

/** The id of an event: `EPOCH:NEWEST:behind,behind,…` with one number per stream, in base 36. */
export function eventId(epoch: string, seqs: readonly number[]): string {
  const newest = Math.max(0, ...seqs)
  const behind = seqs.map((seq) => (newest - seq).toString(BASE))
  return `${epoch}:${newest.toString(BASE)}:${behind.join(',')}`
}

/** One cursor per stream, or undefined if the text is not an id for `stream_count` streams. */
export function parseEventId(text: string, stream_count: number): readonly Cursor[] | undefined {
  const [epoch, newest_text = '', behind_text = '', ...rest] = text.split(':')
  const behind = behind_text.split(',')
  const is_number = (part: string): boolean => /^[0-9a-z]{1,11}$/.test(part)
  if (rest.length > 0 || behind.length !== stream_count) return undefined
  if (!is_number(newest_text) || !behind.every(is_number)) return undefined
  const newest = Number.parseInt(newest_text, BASE)
  const cursors = behind.map((part) =>
    cursorFrom({ epoch, seq: newest - Number.parseInt(part, BASE) }),
  )
  return cursors.every((cursor) => cursor !== undefined) ? cursors : undefined
}
