/** Finds the manifest of a date, or throws a 404 that says what is published. */
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
    'The dataset is not published for this date.',
    `${name} is not published for ${date}. It has ${dates.length} dates, ` +
      `from ${dates[0]!.date} to ${dates.at(-1)!.date}. /v1/datasets/${name} lists them.`,
  )
}

export function unknownDataset(name: string): Problem {
  return new Problem(
    404,
    'unknown_dataset',
    'The dataset is unknown.',
    `No date of ${name} is published. /v1/datasets lists the published datasets.`,
  )
}

export function unknownFile(file: string, files: readonly string[]): Problem {
  return new Problem(
    404,
    'unknown_file',
    'The file is unknown.',
    `${found(file)} is not in the manifest. The manifest lists ${files.join(', ')}.`,
  )
}
