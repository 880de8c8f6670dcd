/**
 * The cluster engine: answers for the edge API, and keeps symbols up. Concurrent callers with the
 * same question share one answer.
 */
import { OperatorError } from '#core/errors.ts'
import type { Logger } from '#core/node/log.ts'
import type { ObjectStore } from '#core/node/object-store.ts'
import type { Pool } from '#core/node/pool.ts'
import { createArchiveReader } from '../archive/read.ts'
import { type Loop, startLoop } from '../runs/loop.ts'
import { type BarCacheCounts, createBarCache, type SharedCache } from './bar-cache.ts'
import type { MinuteSummary } from './base-rows.ts'
import { createFlights } from './flights.ts'
import { createSymbolFinder } from './instruments.ts'
import { createKeepUp, type KeepUp } from './keep-up.ts'
import { type BarsPage, type BarsWanted, readBars } from './read-bars.ts'
import { type ProfileAnswer, type ProfileWanted, readProfile } from './read-profile.ts'
import { createReadAhead } from './read-ahead.ts'
import { createSizedCache, type SizedCache } from './sized-cache.ts'
import { createSyncManager, type SyncManager } from './sync.ts'
import { createWatch } from './watch.ts'

export interface EngineOptions {
  readonly pool: Pool
  readonly store: ObjectStore
  readonly shared: SharedCache | undefined
  /** Symbols that are always kept up. */
  readonly names: readonly string[] | 'all'
  readonly watch_s: number
  readonly cache_bytes_max: number
  readonly cache_s: number
  /** Seconds between two rounds of keeping up. */
  readonly every_s: number
  /** How long a caller waits for what has to be computed first. */
  readonly wait_ms: number
  readonly log: Logger
  now(): number
}

type Named<Wanted> = Omit<Wanted, 'symbol'> & {
  readonly exchange: string
  readonly symbol: string
}

export interface ClusterEngine {
  readonly sync: SyncManager
  readonly keep_up: KeepUp
  readonly cache_counts: BarCacheCounts
  readonly cache_bytes: number
  bars(asked: Named<BarsWanted>): Promise<BarsPage>
  profile(asked: Named<ProfileWanted>): Promise<ProfileAnswer>
  stop(): Promise<void>
}

/** Of the memory for caches: bars as text, and summaries of minutes. */
const BARS_PART = 0.75
export const KEEP_UP_JOB = 'clusters'

export function startEngine(options: EngineOptions): ClusterEngine {
  const { pool, store, shared, names, watch_s, every_s, wait_ms, log, now } = options
  const texts = createCache<string>(options, BARS_PART)
  const summaries = createCache<readonly MinuteSummary[]>(options, 1 - BARS_PART)
  const cache = createBarCache(texts, shared)
  const sync = createSyncManager({ pool, archive: createArchiveReader(store) }, summaries)
  const watch = createWatch({ pool, names, watch_s, now })
  const findSymbol = createSymbolFinder(pool, now)
  const keep_up = createKeepUp({ pool, sync, watch, now })
  const loop: Loop = startLoop({
    job: KEEP_UP_JOB,
    every_s,
    run: (signal) => keep_up.run(signal),
    log,
  })
  const read_ahead = createReadAhead({ pool, sync, log })
  const flights = createFlights()
  const answer = <T>(asked: object, make: () => Promise<T>): Promise<T> =>
    within(flights.join(JSON.stringify(asked), make), wait_ms)

  return {
    sync,
    keep_up,
    cache_counts: cache.counts,
    get cache_bytes() {
      return texts.byte_count + summaries.byte_count
    },
    bars: (asked) =>
      answer(asked, async () => {
        const symbol = await findSymbol(asked.exchange, asked.symbol)
        watch.touch(symbol.symbol_id)
        const page = await readBars({ pool, sync, cache }, { ...asked, symbol })
        read_ahead.note(symbol, page.span)
        return page
      }),
    profile: (asked) =>
      answer({ profile: asked }, async () => {
        const symbol = await findSymbol(asked.exchange, asked.symbol)
        watch.touch(symbol.symbol_id)
        return readProfile({ pool, sync }, { ...asked, symbol })
      }),
    async stop() {
      await loop.stop()
      await read_ahead.stop()
      await shared?.close()
    },
  }
}

function createCache<Value>(
  { cache_bytes_max, cache_s, now }: EngineOptions,
  part: number,
): SizedCache<Value> {
  const bytes_max = Math.floor(cache_bytes_max * part)
  return createSizedCache({ bytes_max, lifetime_ms: cache_s * 1_000, now })
}

/** The work goes on for the next caller. */
async function within<T>(work: Promise<T>, wait_ms: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(stillComputing()), wait_ms)
  })
  try {
    return await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
  }
}

function stillComputing(): OperatorError {
  return new OperatorError('clusters_computing', 'The clusters of the range are being computed.', {
    hint: 'Try again in a few seconds, or ask for a shorter range.',
    retryable: true,
  })
}
