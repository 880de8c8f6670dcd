/**
 * Imports files of other archives into the raw tables, one after another. A file that is done has a
 * row in marketdata.imports; a run that was killed reads its last file again, and rows that are
 * there already stay as they are.
 */
import { OperatorError } from '#core/errors.ts'
import { type FileOptions, importFile } from './import-file.ts'
import type { SourceFile } from './kind.ts'
import { noteMissingDay } from './missing-day.ts'
import type { FileResult } from './results.ts'

export interface ImportOptions extends FileOptions {
  readonly files: readonly SourceFile[]
  readonly onFile?: (result: FileResult) => void
}

/** Files that cannot be used: their days are missing. */
const USELESS: ReadonlySet<string> = new Set([
  'import_checksum',
  'import_damaged',
  'import_other_file',
])

/** Errors of a file are in its result; only an abort is thrown. */
export async function runImport(options: ImportOptions): Promise<readonly FileResult[]> {
  const { files, signal, now, onFile } = options
  const results: FileResult[] = []
  for (const file of files) {
    signal.throwIfAborted()
    const result = await importFile(options, file).catch(async (error: unknown) => {
      signal.throwIfAborted()
      if (error instanceof OperatorError && USELESS.has(error.code)) {
        await noteMissingDay(options, file, now() * 1_000)
      }
      return { file, kind: 'failed', error } as const
    })
    onFile?.(result)
    results.push(result)
  }
  return results
}
