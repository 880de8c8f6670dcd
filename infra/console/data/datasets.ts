/** Published days, from their manifests in the object store. */
import type { Manifest } from '#core/dataset.ts'
import { datasetFileKey, isDatasetName } from '#core/object-keys.ts'
import { type Day, fromMillis } from '#core/time.ts'
import { createMemoryGate, LAKE_MEMORY } from '../../../edge-api/memory/memory-gate.ts'
import { createDatasets } from '../../../edge-api/store/datasets.ts'
import { createObjectReader } from '../../../edge-api/store/object-store.ts'
import { createUrlSigner } from '../../../edge-api/store/sign-url.ts'
import type { ObjectStoreConfig } from '#core/node/object-store.ts'
import type { DatasetNews, DatasetsView, DayDetail, DaySummary } from '../wire.ts'

export interface DatasetReader {
  /** The newest published day of each dataset. */
  newest(): Promise<readonly DatasetNews[]>
  list(): Promise<DatasetsView>
  /** Published days of a month (YYYY-MM), in order. */
  month(dataset: string, month: string): Promise<readonly DaySummary[]>
  day(dataset: string, date: Day): Promise<DayDetail | undefined>
  /** A URL of the file that works for some minutes without credentials. */
  signedUrl(dataset: string, date: Day, file: string): Promise<string | undefined>
}

const DAY_S = 86_400
const URL_S = 900
const KEPT_MS = 30_000
const READS_AT_ONCE = 6

export function createDatasetReader(config: ObjectStoreConfig): DatasetReader {
  const store = createObjectReader(config)
  const datasets = createDatasets(store, createMemoryGate(LAKE_MEMORY, Date.now))
  const sign = createUrlSigner(config, URL_S)
  const kept = new Map<string, { readonly at_ms: number; readonly manifest: Manifest }>()

  const manifestOf = async (dataset: string, date: Day): Promise<Manifest | undefined> => {
    const key = `${dataset} ${date}`
    const known = kept.get(key)
    if (known !== undefined && performance.now() - known.at_ms < KEPT_MS) return known.manifest
    const manifest = (await datasets.manifest(dataset, date))?.manifest
    kept.delete(key)
    if (manifest === undefined) return undefined
    kept.set(key, { at_ms: performance.now(), manifest })
    for (const old of [...kept.keys()].slice(0, -100)) kept.delete(old)
    return manifest
  }
  const names = async (): Promise<readonly string[]> =>
    (await datasets.list()).map(({ name }) => name)
  const newestOf = async (dataset: string): Promise<DatasetNews | undefined> => {
    const latest = await datasets.latest(dataset)
    return latest && { dataset, date: latest.date, is_complete: latest.complete }
  }
  return {
    async newest() {
      const found = await Promise.all((await names()).map(newestOf))
      return found.filter((one) => one !== undefined)
    },
    async list() {
      const found = await Promise.all(
        (await names()).map(async (dataset) => ({
          dataset,
          days: await datasets.dates(dataset),
          newest: (await newestOf(dataset)) ?? null,
        })),
      )
      return { datasets: found }
    },
    async month(dataset, month) {
      if (!isDatasetName(dataset)) return []
      const days = (await datasets.dates(dataset)).filter(({ date }) => date.startsWith(month))
      const found: DaySummary[] = []
      for (let i = 0; i < days.length; i += READS_AT_ONCE) {
        const some = days.slice(i, i + READS_AT_ONCE)
        const manifests = await Promise.all(
          some.map(({ date }) => manifestOf(dataset, date as Day)),
        )
        for (const manifest of manifests)
          if (manifest !== undefined) found.push(summaryOf(manifest))
      }
      return found
    },
    async day(dataset, date) {
      const manifest = isDatasetName(dataset) ? await manifestOf(dataset, date) : undefined
      return manifest && detailOf(manifest)
    },
    async signedUrl(dataset, date, file) {
      const manifest = isDatasetName(dataset) ? await manifestOf(dataset, date) : undefined
      if (manifest?.files.some(({ name }) => name === file) !== true) return undefined
      return (await sign(datasetFileKey(manifest, date, file), 'GET', fromMillis(Date.now()))).url
    },
  }
}

function summaryOf(manifest: Manifest): DaySummary {
  const { dataset, date, complete, row_count, coverage, files } = manifest
  const present_s = coverage.reduce((sum, symbol) => sum + symbol.present_s, 0)
  const newest_ms = Math.max(...coverage.map(({ to_ts }) => Date.parse(to_ts) + 1_000))
  const so_far_s = complete
    ? DAY_S
    : Math.max(1, (newest_ms - Date.parse(`${date}T00:00:00Z`)) / 1_000)
  return {
    dataset,
    date,
    is_complete: complete,
    row_count,
    symbol_count: coverage.length,
    coverage: coverage.length === 0 ? 0 : Math.min(1, present_s / (coverage.length * so_far_s)),
    gap_count: coverage.reduce((sum, symbol) => sum + symbol.gap_count, 0),
    bytes: files.reduce((sum, file) => sum + file.bytes, 0),
  }
}

function detailOf(manifest: Manifest): DayDetail {
  const { schema_version, files, coverage, columns } = manifest
  return {
    ...summaryOf(manifest),
    schema_version,
    files: files.map(({ name, format, bytes, row_count, sha256 }) => ({
      name,
      format,
      bytes,
      row_count,
      sha256,
    })),
    symbols: coverage.map(({ exchange, symbol, row_count, present_s, missing_s, gap_count }) => ({
      exchange,
      symbol,
      row_count,
      present_s,
      missing_s,
      gap_count,
    })),
    columns: columns.map(({ name, unit, description }) => ({ name, unit, description })),
  }
}
