/**
 * The log of all changes, next to the tape: one JSON line per change, append-only. A change counts
 * once its line is on the disk, because the line is enough to apply it again after a crash. An
 * incomplete last line is ignored.
 */
import {
  closeSync,
  existsSync,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  openSync,
  readSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { OperatorError } from '#core/errors.ts'
import { WantedWire } from './wire.ts'

export const AuditResult = z.strictObject({
  symbols_added: z.array(z.string()),
  symbols_removed: z.array(z.string()),
  symbols_added_count: z.int(),
  symbols_removed_count: z.int(),
  streams_added_count: z.int(),
  streams_removed_count: z.int(),
  streams_kept_count: z.int(),
  rest_weight: z.int(),
  duration_s: z.int(),
})

const Entry = z.strictObject({
  audit_id: z.uuid(),
  /** ISO 8601, UTC. */
  at: z.string(),
  program: z.literal('ingestor'),
  instance: z.string(),
  actor: z.string(),
  origin: z.string(),
  action: z.enum(['recording', 'symbols', 'scale', 'channels', 'depth', 'environment']),
  request: z.unknown(),
  revision: z.int().min(1),
  before: WantedWire,
  after: WantedWire,
  /** Null if the change was made before recording started. */
  result: AuditResult.nullable(),
  /** The request's key, and a hash of its action and body. */
  idempotency_key: z.string().optional(),
  fingerprint: z.string().optional(),
})

export type AuditResult = z.infer<typeof AuditResult>
export type AuditEntry = z.infer<typeof Entry>

export interface AuditLog {
  /** The newest ENTRIES_MAX, oldest first. */
  entries(): readonly AuditEntry[]
  /**
   * Returns once the entry is on the disk. Errors: OperatorError audit_unwritable; the log is then
   * unchanged.
   */
  append(entry: AuditEntry): void
  /** The entry with this key, if it is one of `entries`. */
  byKey(idempotency_key: string): AuditEntry | undefined
  close(): void
}

export const AUDIT_FILE = 'audit.ndjson'
const ENTRIES_MAX = 1_000
/** How much of the end of the file is read at the start. */
const TAIL_BYTES = 8 * 1024 * 1024
const LINE_FEED = 0x0a

/** Cuts off an incomplete last line, so only the program that writes the log may call this. */
export function openAuditLog(dir: string): AuditLog {
  const fd = openSync(join(dir, AUDIT_FILE), 'a+', 0o600)
  const { entries, torn_at } = readTail(fd)
  if (torn_at !== undefined) ftruncateSync(fd, torn_at)
  const keys = new Map<string, AuditEntry>()
  const remember = (entry: AuditEntry): void => {
    if (entry.idempotency_key !== undefined) keys.set(entry.idempotency_key, entry)
  }
  entries.forEach(remember)
  return {
    entries: () => entries,
    append(entry) {
      const size = fstatSync(fd).size
      try {
        writeAll(fd, Buffer.from(`${JSON.stringify(entry)}\n`))
        fsyncSync(fd)
      } catch (cause) {
        ftruncateSync(fd, size)
        const message = `The audit log cannot be written: ${(cause as Error).message}.`
        const hint = 'Nothing was changed. See whether the disk of TAPE_DIR is full.'
        throw new OperatorError('audit_unwritable', message, { hint, retryable: true, cause })
      }
      entries.push(entry)
      remember(entry)
      for (const { idempotency_key } of entries.splice(0, entries.length - ENTRIES_MAX)) {
        if (idempotency_key !== undefined) keys.delete(idempotency_key)
      }
    },
    byKey: (key) => keys.get(key),
    close: () => closeSync(fd),
  }
}

/** Reads only. Undefined if the log has no entry. */
export function readNewestEntry(dir: string): AuditEntry | undefined {
  const path = join(dir, AUDIT_FILE)
  if (!existsSync(path)) return undefined
  const fd = openSync(path, 'r')
  try {
    return readTail(fd).entries.at(-1)
  } finally {
    closeSync(fd)
  }
}

function readTail(fd: number): {
  readonly entries: AuditEntry[]
  readonly torn_at: number | undefined
} {
  const { size } = fstatSync(fd)
  const from = Math.max(0, size - TAIL_BYTES)
  const tail = Buffer.alloc(size - from)
  for (let read = 0; read < tail.length;)
    read += readSync(fd, tail, read, tail.length - read, from + read)
  const end = tail.lastIndexOf(LINE_FEED) + 1
  const lines = tail.toString('utf8', 0, end).split('\n')
  // If the file is longer than the tail, the first line may be incomplete.
  const whole = lines.slice(from === 0 ? 0 : 1)
  const entries = whole.flatMap((line) => parseEntry(line)).slice(-ENTRIES_MAX)
  return { entries, torn_at: end < tail.length ? from + end : undefined }
}

/** Empty if the line is from another build or was edited. */
function parseEntry(line: string): readonly AuditEntry[] {
  if (line === '') return []
  try {
    const result = Entry.safeParse(JSON.parse(line))
    return result.success ? [result.data] : []
  } catch {
    return []
  }
}

function writeAll(fd: number, bytes: Buffer): void {
  for (let written = 0; written < bytes.length;) written += writeSync(fd, bytes, written)
}
