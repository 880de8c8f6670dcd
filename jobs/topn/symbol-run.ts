/**
 * Turns one symbol's depth_events into orderbook_topn. It reads depth since the last run, some
 * minutes at a time, and writes each part together with its watermark in one transaction. The book
 * stays in memory between runs. If it is lost, it is rebuilt from the snapshot before the watermark
 * and gives the same rows.
 */
import { SNAPSHOT_LATE_US } from '#core/book-replay.ts'
import type { AnyDepthChange } from '#core/book-sync.ts'
import type { Client } from '#core/node/pool.ts'
import { type Micros, micros, SECOND_US } from '#core/time.ts'
import { readDiffs, readSnapshots, snapshotTimeNear } from '../day/depth-reader.ts'
import type { TopRow } from './row.ts'
import { type Cadence, TopSampler } from './sampler.ts'
import { writeTop } from './write-top.ts'

/** A symbol with depth newer than its watermark. */
export interface DueSymbol {
  readonly symbol_id: number
  readonly symbol: string
  /** All rows before it have been written; undefined before the first run. */
  readonly covered_to: Micros | undefined
  /** ts_exchange of the newest depth. */
  readonly newest: Micros
  /** The stream has been silent for a while, so no companion of the newest depth is expected. */
  readonly is_quiet: boolean
}

/** State that is kept between two runs. */
export interface SymbolProgress {
  readonly sampler: TopSampler
  covered_to: Micros | undefined
  /** Diffs before it have been taken. */
  read_to: Micros
  /** Ids of recently taken snapshots. */
  snapshot_ids: Set<number>
}

/** The newest events are held back: a second socket may still add events of the same time. */
const HOLD_US = 2 * SECOND_US
const PART_US = 300 * SECOND_US
/** A row depends on rows from at most this long before the watermark. */
const RUN_UP_US = 2 * SECOND_US

/** Depth before this time is read now. */
export function readEnd({ newest, is_quiet }: DueSymbol): Micros {
  return micros(is_quiet ? newest + 1 : newest - HOLD_US)
}

/** Undefined if the symbol has no snapshot yet, and therefore no book. */
export async function beginSymbol(
  client: Client,
  { symbol_id, covered_to }: DueSymbol,
  cadence: Cadence,
): Promise<SymbolProgress | undefined> {
  const from = covered_to ?? micros(0)
  const at = await snapshotTimeNear(client, symbol_id, micros(Math.max(0, from - RUN_UP_US)))
  if (at === undefined) return undefined
  return {
    sampler: new TopSampler(cadence, from),
    covered_to,
    read_to: micros(at - SNAPSHOT_LATE_US),
    snapshot_ids: new Set(),
  }
}

/** Writes rows for depth up to `readEnd`, or up to an abort. Returns the number of rows. */
export async function runSymbol(
  client: Client,
  due: DueSymbol,
  progress: SymbolProgress,
  signal: AbortSignal,
): Promise<number> {
  const { symbol_id } = due
  const end = readEnd(due)
  let row_count = 0
  while (progress.read_to < end && !signal.aborted) {
    const part = { from: progress.read_to, to: micros(Math.min(end, progress.read_to + PART_US)) }
    progress.sampler.addSnapshots(await newSnapshots(client, symbol_id, progress, part))
    const rows: TopRow[] = []
    for await (const diff of readDiffs(client, symbol_id, part)) {
      rows.push(...progress.sampler.take(diff))
    }
    progress.read_to = part.to
    const { covered_to } = progress.sampler
    if (covered_to === undefined || covered_to <= (progress.covered_to ?? 0)) continue
    await writeTop(client, { symbol_id, from: progress.covered_to, to: covered_to, rows })
    progress.covered_to = covered_to
    row_count += rows.length
  }
  return row_count
}

/** Snapshots around the part that were not taken yet. A snapshot may arrive after its diffs. */
async function newSnapshots(
  client: Client,
  symbol_id: number,
  progress: SymbolProgress,
  part: { readonly from: Micros; readonly to: Micros },
): Promise<readonly AnyDepthChange[]> {
  const around = {
    from: micros(part.from - SNAPSHOT_LATE_US),
    to: micros(part.to + SNAPSHOT_LATE_US),
  }
  const ids = new Set<number>()
  const fresh: AnyDepthChange[] = []
  for await (const snapshot of readSnapshots(client, symbol_id, around)) {
    ids.add(snapshot.final_update_id)
    if (!progress.snapshot_ids.has(snapshot.final_update_id)) fresh.push(snapshot)
  }
  progress.snapshot_ids = ids
  return fresh
}
