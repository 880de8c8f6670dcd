/** Imports one file: fetches it, compares its checksum, and stores its rows. */
import { createReadStream } from 'node:fs'
import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { OperatorError } from '#core/errors.ts'
import { digestOf } from '../columns/digest.ts'
import { withLock } from '../runs/run.ts'
import { selectSha256 } from './file-records.ts'
import { importFacts } from './import-facts.ts'
import { importRaw, type RawOptions } from './import-raw.ts'
import { isFactFile, type SourceFile } from './kind.ts'
import { noteMissingDay } from './missing-day.ts'
import type { Origin } from './origin.ts'
import { checkContent } from './read-file.ts'
import type { FileResult } from './results.ts'
import { refuseOtherFile } from './right-file.ts'

export interface FileOptions extends RawOptions {
  readonly origin: Origin
  /** Compares files that are done with their source, and imports those that it has replaced. */
  readonly is_recheck: boolean
  readonly onBytes?: (file: SourceFile, count: number) => void
}

export const IMPORT_LOCK = 'import'

/** Errors: those of one file; others may go on. */
export async function importFile(options: FileOptions, file: SourceFile): Promise<FileResult> {
  const result = await withLock(options.pool, IMPORT_LOCK, file.path, () => locked(options, file))
  if (result.kind === 'done') return result.value
  throw new OperatorError('import_running', `Another import is at ${file.path}.`, {
    hint: 'Run this again when it is done.',
    retryable: true,
  })
}

async function locked(options: FileOptions, file: SourceFile): Promise<FileResult> {
  const { pool, origin, work_dir, is_recheck, now, onBytes, signal } = options
  const known = await selectSha256(pool, file)
  if (known !== undefined && !is_recheck) return { file, kind: 'known' }
  if ((await origin.find(file)) === undefined) {
    if (known !== undefined) return { file, kind: 'known' }
    return { file, kind: 'absent', day: await noteMissingDay(options, file, now() * 1_000) }
  }
  const stated = await origin.checksum(file)
  if (known !== undefined && stated === known) return { file, kind: 'known' }
  const dir = join(work_dir, 'import')
  await mkdir(dir, { recursive: true })
  const part = join(dir, file.path.replaceAll('/', '_'))
  const path = await origin.get(file, part, stated, (count) => onBytes?.(file, count))
  // A download that was interrupted stays, and goes on in the next run. Others are deleted.
  try {
    const { sha256, bytes } = await digestOf(createReadStream(path))
    if (stated !== undefined && stated !== sha256) throw wrongSum(file, stated, sha256)
    if (known === sha256) return { file, kind: 'known' }
    await refuseOtherFile(file, path)
    await checkContent(path, signal)
    const found = { sha256, byte_count: bytes, is_replaced: known !== undefined }
    const imported = isFactFile(file)
      ? await importFacts(options, file, path, found)
      : await importRaw(options, file, path, found)
    return { file, ...imported }
  } finally {
    await rm(part, { force: true })
  }
}

function wrongSum({ path }: SourceFile, stated: string, found: string): OperatorError {
  return new OperatorError(
    'import_checksum',
    `${path} has the sha256 ${found}, and its CHECKSUM says ${stated}.`,
    { hint: 'Nothing of it was stored. Fetch it again.', retryable: true },
  )
}
