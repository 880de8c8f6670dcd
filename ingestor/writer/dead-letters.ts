/**
 * Keeps rows and other records that Postgres will never accept: one line of JSON each, with the
 * reason. Bounded: a full file replaces `<name>.1`, so at most two files are kept. Lines are
 * written before the batch commits; after a crash between the two, the replay repeats them.
 */
import { mkdirSync, renameSync, statSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { Logger } from '#core/node/log.ts'
import type { Refused } from './apart.ts'
import { decodeRow } from './copy-encoder.ts'
import { describeTrouble } from './database-errors.ts'
import type { BadRow } from './staging.ts'

export const DEAD_LETTER_FILE_BYTES_MAX = 16 * 1024 * 1024

/** A row of a raw table, or a record of another table. */
export type DeadLetter = BadRow | RefusedRecord

export interface RefusedRecord {
  readonly table_name: string
  readonly record: object
  readonly cause: unknown
}

/** The records that `storeApart` could not store. */
export function refusedFor(
  table_name: string,
  refused: readonly Refused<object>[],
): readonly RefusedRecord[] {
  return refused.map(({ item, cause }) => ({ table_name, record: item, cause }))
}

export interface DeadLetters {
  /** Resolves once the lines are on disk. `from` and `to` are the batch's range of the tape. */
  write(bad: readonly DeadLetter[], from: number, to: number): Promise<void>
}

export function openDeadLetters(
  path: string,
  log: Logger,
  bytes_max = DEAD_LETTER_FILE_BYTES_MAX,
): DeadLetters {
  return {
    async write(bad, from, to) {
      const lines = bad.map((letter) =>
        JSON.stringify({
          table: 'rows' in letter ? letter.rows.table.name : letter.table_name,
          ...describeTrouble(letter.cause),
          tape_from: from,
          tape_to: to,
          row: 'rows' in letter ? decodeRow(letter.rows, letter.index) : letter.record,
        }),
      )
      const text = `${lines.join('\n')}\n`
      mkdirSync(dirname(path), { recursive: true })
      const size = statSync(path, { throwIfNoEntry: false })?.size ?? 0
      if (size > 0 && size + Buffer.byteLength(text) > bytes_max) renameSync(path, `${path}.1`)
      const file = await open(path, 'a', 0o600)
      try {
        await file.appendFile(text)
        await file.sync()
      } finally {
        await file.close()
      }
      log.error(
        { code: 'dead_letters', row_count: bad.length, path, ...describeTrouble(bad[0]?.cause) },
        'Postgres refused rows; they were written to the dead-letter file.',
      )
    },
  }
}
