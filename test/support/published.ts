/** Published days in the object store: their manifest, and the keys of its files. */
import type { Manifest } from '#core/dataset.ts'
import { FEATURE_SETS } from '#core/features.ts'
import type { ObjectStore } from '#core/node/object-store.ts'
import { datasetFileKey, manifestKey } from '#core/object-keys.ts'
import { SIGNALS_SET } from '#core/signals/registry.ts'
import { parseDay } from '#core/time.ts'
import { BARS } from '../../jobs/bars/columns.ts'
import { LABELS_BARRIER } from '../../jobs/barriers/columns.ts'
import { CANDLES } from '../../jobs/candles/columns.ts'
import { CLUSTERS } from '../../jobs/clusters/columns.ts'
import { DEPTH } from '../../jobs/lob/depth-columns.ts'
import { LOB_10 } from '../../jobs/lob/columns.ts'
import { QUOTES_SET, TRADES_SET } from '../../jobs/datasets/build/raw-sets.ts'

/** The schema version that this build publishes. */
export function versionOf(dataset: string): number {
  const sets = [
    ...Object.values(FEATURE_SETS),
    CANDLES,
    CLUSTERS,
    BARS,
    LOB_10,
    DEPTH,
    LABELS_BARRIER,
    TRADES_SET,
    QUOTES_SET,
    SIGNALS_SET,
  ]
  return sets.find((set) => set.dataset === dataset)!.schema_version
}

/** Undefined if the day is not published. */
export async function readManifest(
  store: ObjectStore,
  dataset: string,
  schema_version: number,
  date: string,
): Promise<Manifest | undefined> {
  const bytes = await store.get(manifestKey(dataset, schema_version, parseDay(date)!))
  return bytes === undefined
    ? undefined
    : (JSON.parse(Buffer.from(bytes).toString('utf8')) as Manifest)
}

export function publishedKey(manifest: Manifest, file: string): string {
  return datasetFileKey(manifest, parseDay(manifest.date)!, file)
}
