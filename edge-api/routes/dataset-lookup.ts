/** Finds a published date, or says what there is instead. */
import type { Day } from '#core/time.ts'
import { Problem, found } from '../problem.ts'
import type { Datasets, PublishedManifest } from '../store/datasets.ts'

export async function requireManifest(
  datasets: Datasets,
  name: string,
  date: Day,
): Promise<PublishedManifest> {
  const published = await datasets.manifest(name, date)
  if (published !== undefined) return published
  const dates = await datasets.dates(name)
  if (dates.length === 0) throw unknownDataset(name)
  throw new Problem(
    404,
    'unknown_date',
    'This date is not published.',
    `${name} has no ${date}. Its ${dates.length} dates are from ${dates[0]!.date} to ${dates.at(-1)!.date}; ` +
      `/v1/datasets/${name} lists them.`,
  )
}

export function unknownDataset(name: string): Problem {
  return new Problem(
    404,
    'unknown_dataset',
    'There is no such dataset.',
    `No date of ${name} is published. /v1/datasets lists what is.`,
  )
}

export function unknownFile(file: string, files: readonly string[]): Problem {
  return new Problem(
    404,
    'unknown_file',
    'There is no such file.',
    `${found(file)} is not in the manifest; its files are ${files.join(', ')}.`,
  )
}
