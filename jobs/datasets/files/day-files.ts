/** Writes one day of a dataset: the same rows as Parquet and as Arrow. */
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { DatasetFile } from '#core/dataset.ts'
import type { FeatureSet } from '#core/features.ts'
import type { Day } from '#core/time.ts'
import type { SymbolSummary } from '../../day/coverage.ts'
import { writeCoverage } from './coverage.ts'
import type { DatasetRows } from './dataset-rows.ts'
import { describeFile } from './describe-file.ts'
import type { PartBytes } from './part.ts'
import { createPartsArrow, type NameLists } from './parts-arrow.ts'
import { createPartsParquet } from './parts-parquet.ts'

export interface DayFiles {
  readonly set: FeatureSet
  readonly dir: string
  /** One symbol's rows, cut into parts. */
  write(name: Pick<DatasetRows, 'exchange' | 'symbol'>, parts: readonly PartBytes[]): Promise<void>
  /** Finishes both files, adds coverage.parquet of streams, and describes all of them. */
  finish(summaries?: readonly SymbolSummary[]): Promise<readonly DatasetFile[]>
  /** Call after finish(), or to abandon the files. */
  close(): Promise<void>
}

export async function createDayFiles(
  dir: string,
  set: FeatureSet,
  names: NameLists,
  date: Day,
): Promise<DayFiles> {
  const { dataset, schema_version, columns } = set
  await mkdir(dir, { recursive: true })
  const identity = { dataset, schema_version, date }
  const parquet = await createPartsParquet(join(dir, `${dataset}.parquet`), columns, identity)
  const arrow_path = join(dir, `${dataset}.arrow`)
  const arrow = await createPartsArrow(arrow_path, columns, names, identity)
  let row_count = 0
  return {
    set,
    dir,
    async write(name, parts) {
      await parquet.append(name, parts)
      for (const part of parts) {
        await arrow.append(part.batch)
        row_count += part.row_count
      }
    },
    async finish(summaries) {
      await parquet.finish()
      await arrow.finish()
      const files = [
        await describeFile(dir, `${dataset}.parquet`, 'parquet', row_count),
        await describeFile(dir, `${dataset}.arrow`, 'arrow', row_count),
      ]
      if (summaries === undefined) return files
      const coverage_count = await writeCoverage(join(dir, 'coverage.parquet'), summaries, identity)
      return [...files, await describeFile(dir, 'coverage.parquet', 'parquet', coverage_count)]
    },
    async close() {
      await parquet.close()
      await arrow.close()
    },
  }
}
