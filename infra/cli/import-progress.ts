/** What an import says while it runs: a bar on a terminal, else plain lines now and then. */
import { describeError } from '#core/errors.ts'
import type { FileResult } from '../../jobs/import/results.ts'
import type { SourceFile } from '../../jobs/import/kind.ts'

export interface ImportProgress {
  onBytes(file: SourceFile, count: number): void
  onRows(file: SourceFile, count: number): void
  onFile(result: FileResult): void
  onStep(step: string, outcome: string): void
}

const BAR_CHARS = 24
const BAR_MS = 200
/** Without a terminal [ms]. */
const LINE_MS = 10_000

export function importProgress(files: readonly SourceFile[]): ImportProgress {
  const { isTTY } = process.stderr
  let [done_count, byte_count, row_count] = [0, 0, 0]
  let began_ms = performance.now()
  let told_ms = performance.now()
  const tell = (file: SourceFile): void => {
    const now_ms = performance.now()
    if (now_ms - told_ms < (isTTY ? BAR_MS : LINE_MS)) return
    told_ms = now_ms
    const text = [
      `${done_count + 1} of ${files.length} files`,
      `${megabytes(byte_count)} fetched`,
      `${row_count} rows`,
      row_count === 0 ? '' : `${Math.round((row_count / (now_ms - began_ms)) * 1_000)} rows/s`,
      file.path.split('/').at(-1)!,
    ]
    const line = text.filter((part) => part !== '').join(', ')
    process.stderr.write(isTTY ? `\r\u001B[K${bar(done_count, files.length)} ${line}` : `${line}\n`)
  }
  const clear = (): void => {
    if (isTTY) process.stderr.write('\r\u001B[K')
  }
  return {
    onBytes(file, count) {
      byte_count += count
      tell(file)
    },
    onRows(file, count) {
      if (row_count === 0) began_ms = performance.now()
      row_count += count
      tell(file)
    },
    onFile(result) {
      done_count += 1
      row_count = 0
      clear()
      process.stdout.write(`${fileText(result)}\n`)
    },
    onStep(step, outcome) {
      clear()
      process.stdout.write(`  ${step}: ${outcome}\n`)
    },
  }
}

function bar(done: number, all: number): string {
  const filled = Math.floor((done / all) * BAR_CHARS)
  return `[${'#'.repeat(filled)}${'.'.repeat(BAR_CHARS - filled)}]`
}

export function isWhole(result: FileResult): boolean {
  return result.kind === 'known' || (result.kind === 'imported' && result.facts.finding === null)
}

function fileText(result: FileResult): string {
  const { file } = result
  const name = `${file.from} ${file.symbol} ${file.kind.name}:`
  switch (result.kind) {
    case 'known':
      return `${name} imported before`
    case 'absent':
      return `${name} the source has no such file${result.day === 'early' ? ' yet' : ''}`
    case 'failed':
      return `${name} failed: ${describeError(result.error)}`
    case 'imported': {
      const { facts, closed_gaps, is_replaced, uncovered_hours } = result
      const counts: readonly (readonly [number, string])[] = [
        [facts.known_count, 'were there'],
        [facts.removed_count, 'of the replaced file removed'],
        [facts.repeated_count, 'ids twice in the file'],
        [facts.void_count, 'lines without a value'],
        [uncovered_hours.length, 'hours left as they were recorded'],
        [closed_gaps, 'gaps closed'],
      ]
      const extras = counts.filter(([count]) => count > 0).map(([count, of]) => `, ${count} ${of}`)
      const state = facts.finding === null ? 'whole' : `NOT WHOLE: ${facts.finding}`
      const replaced = is_replaced ? 'the source had replaced it; ' : ''
      return `${name} ${replaced}${facts.added_count} rows added${extras.join('')}: ${state}`
    }
  }
}

export function megabytes(byte_count: number | undefined): string {
  return byte_count === undefined ? 'size unknown' : `${(byte_count / 1e6).toFixed(1)} MB`
}
