/**
 * Missed messages that have left memory: rows of Postgres and the archive, in the order of receipt.
 * A row's ts_ingest is the seq of its message, so a cursor needs nothing else (decision 44).
 *
 * Rows are immutable. If Postgres does not have all of them yet, the read is refused. An hour that
 * is dropped during a read is already in the archive, because the list of dropped hours is read
 * after the rows.
 */
import type { Decimals } from '#core/decimal-text.ts'
import type { ObjectStore } from '#core/node/object-store.ts'
import { type Pool, withClient } from '#core/node/pool.ts'
import { type Channel, type GapCause } from '#core/market.ts'
import type { RawChannel } from '#core/tables.ts'
import { type Micros, micros, toIso } from '#core/time.ts'
import { FED_BY, type LiveChannel } from '../channels.ts'
import { readCoveredUntil } from '../committed-state.ts'
import { Fault } from '../fault.ts'
import { compareKeys, gapText, type Row, rowKey, rowText } from '../rows.ts'
import { readSignals, readSignalSpan, signalText } from '../signals/stored-signals.ts'
import { readArchivedHours } from './archive-hours.ts'
import { readPostgresHours } from './postgres-hours.ts'
import { type HourSource, receivedAt, type Wanted } from './source.ts'

/** The rows that were received at one time: one message. */
export interface PastMessage {
  readonly seq: number
  /** As JSON. */
  readonly rows: readonly string[]
}

export interface HistoryOptions {
  readonly pool: Pool
  readonly store: ObjectStore | undefined
  readonly ingestor_ids: readonly string[]
  /** Reads that run at once. */
  readonly concurrency: number
}

export interface WantedPast extends Omit<Wanted, 'channel'> {
  readonly channel: LiveChannel
  readonly decimals: Decimals
  /** Seqs: `after` is exclusive, `to` is inclusive. */
  readonly after: number
  readonly to: number
}

const PAGE_ROWS = 2_000
/** A gap may be written this long after it was detected. */
const GAP_DELAY_US = 60_000_000

export class History {
  readonly #options: HistoryOptions
  #running = 0
  readonly #waiting: (() => void)[] = []
  read_count = 0

  constructor(options: HistoryOptions) {
    this.#options = options
  }

  /**
   * Pages of the messages in (after, to]. Throws Fault history_unavailable until Postgres has all
   * of them.
   */
  async *read(wanted: WantedPast): AsyncGenerator<readonly PastMessage[], void, undefined> {
    await this.#enter()
    this.read_count++
    try {
      if (wanted.channel === 'signals') return yield* this.#readSignals(wanted)
      await this.#requireCommitted(wanted.to)
      if (wanted.channel === 'gaps') yield await readGaps(this.#options.pool, wanted)
      else yield* this.#readRows(wanted)
    } catch (error) {
      if (error instanceof Fault) throw error
      throw new Fault('history_unavailable', 'The rows since then cannot be read now.')
    } finally {
      this.#leave()
    }
  }

  /** A published day leaves Postgres with its signals: a cursor from before them is refused. */
  async *#readSignals({ after, to, symbol_id, decimals }: WantedPast) {
    const { pool } = this.#options
    const { oldest } = await withClient(pool, readSignalSpan)
    if (oldest > after + 1) {
      throw new Fault('outdated_cursor', 'The signals since then have left the database.')
    }
    for (let last = after; ;) {
      const rows = await withClient(pool, (client) =>
        readSignals(client, symbol_id, last, to, PAGE_ROWS),
      )
      yield rows.map((row) => ({ seq: row.seq, rows: [signalText(row, decimals)] }))
      if (rows.length < PAGE_ROWS) return
      last = rows.at(-1)!.seq
    }
  }

  async *#readRows(wanted: WantedPast): AsyncGenerator<readonly PastMessage[], void, undefined> {
    const { to, decimals } = wanted
    const channel = rawOf(wanted.channel)
    if (channel === undefined) return
    const { pool, store } = this.#options
    let { after } = wanted
    while (after < to) {
      const stream = { ...wanted, channel, after }
      const dropped_count = await this.#droppedCount(stream)
      const hot = await readPostgresHours(pool, stream, after)
      const hours = [...hot, ...(await readArchivedHours(pool, store, stream, after))]
      const first = hours.reduce((least, hour) => Math.min(least, hour.first), Infinity)
      after = Math.max(after, Math.min(to, first - 1))
      for await (const page of pagesOf(hours, channel, after, to)) {
        // An hour left Postgres meanwhile, so its rows may be missing from this page.
        if ((await this.#droppedCount(stream)) !== dropped_count) break
        if (page.rows.length > 0) yield messagesOf(channel, page.rows, decimals)
        after = page.until
      }
    }
  }

  async #droppedCount({ exchange, channel }: Wanted): Promise<number> {
    const { rows } = await withClient(this.#options.pool, (client) =>
      client.query<{ count: number }>(
        `select count(*)::int as count from marketdata.archive
         where exchange = $1 and table_name = $2 and dropped_at is not null`,
        [exchange, channel],
      ),
    )
    return rows[0]!.count
  }

  async #requireCommitted(to: number): Promise<void> {
    const { pool, ingestor_ids } = this.#options
    const covered_until = await withClient(pool, (client) => readCoveredUntil(client, ingestor_ids))
    if (covered_until >= to) return
    throw new Fault('history_unavailable', 'Postgres does not hold the rows since then yet.')
  }

  async #enter(): Promise<void> {
    if (this.#running >= this.#options.concurrency) {
      await new Promise<void>((resolve) => this.#waiting.push(resolve))
    }
    this.#running++
  }

  #leave(): void {
    this.#running--
    this.#waiting.shift()?.()
  }
}

/** The rows received after the previous page, up to `until`. */
interface Page {
  readonly rows: readonly Row[]
  readonly until: number
}

async function* pagesOf(
  hours: readonly HourSource[],
  channel: RawChannel,
  after: number,
  to: number,
): AsyncGenerator<Page, void, undefined> {
  for (let at = after; at < to;) {
    let until = to
    const found: Row[] = []
    for (const hour of hours) {
      if (hour.last <= at || hour.first > until) continue
      const { rows, is_whole } = await hour.read(at, until, PAGE_ROWS)
      found.push(...rows)
      if (!is_whole) until = Math.min(until, receivedAt(rows.at(-1)!))
    }
    const rows = found.filter((row) => receivedAt(row) <= until)
    rows.sort((a, b) => receivedAt(a) - receivedAt(b) || compareKeys(channel, a, b))
    yield { rows, until }
    at = until
  }
}

function messagesOf(
  channel: RawChannel,
  rows: readonly Row[],
  decimals: Decimals,
): readonly PastMessage[] {
  const messages: { seq: number; rows: string[] }[] = []
  let last_key: string | undefined
  for (const row of rows) {
    // Each book update is one message. Snapshots are no messages.
    if (channel === 'depth_events' && row['depth_kind'] !== 'diff') continue
    const seq = receivedAt(row)
    const key = `${seq} ${rowKey(channel, row)}`
    // During a drop, an hour is in both Postgres and the archive.
    if (key === last_key) continue
    last_key = key
    const text = rowText(channel, row, decimals)
    const newest = messages.at(-1)
    if (newest?.seq === seq) newest.rows.push(text)
    else messages.push({ seq, rows: [text] })
  }
  return messages
}

function rawOf(channel: LiveChannel): RawChannel | undefined {
  return (Object.keys(FED_BY) as Channel[]).find((name) => FED_BY[name] === channel) as
    | RawChannel
    | undefined
}

interface GapRow {
  readonly channel: Channel
  readonly from_ts: Micros
  readonly to_ts: Micros
  readonly from_id: number | null
  readonly to_id: number | null
  readonly cause: GapCause
  readonly detected_at: Micros
}

/** Numbers the gaps in the order in which the writer added them to the ledger. */
async function readGaps(
  pool: Pool,
  { symbol_id, symbol, after, to }: WantedPast,
): Promise<readonly PastMessage[]> {
  const { rows } = await withClient(pool, (client) =>
    client.query<GapRow>(
      `select channel, (extract(epoch from from_ts) * 1000000)::float8 as from_ts,
         (extract(epoch from to_ts) * 1000000)::float8 as to_ts, from_id::float8 as from_id,
         to_id::float8 as to_id, cause,
         (extract(epoch from detected_at) * 1000000)::float8 as detected_at
       from marketdata.gaps
       where symbol_id = $1 and detected_at > $2 and detected_at <= $3
       order by id`,
      [symbol_id, toIso(micros(after - GAP_DELAY_US)), toIso(micros(to))],
    ),
  )
  let last = 0
  return rows.flatMap((row) => {
    last = Math.max(last + 1, row.detected_at)
    return last > after && last <= to ? [{ seq: last, rows: [gapText({ symbol, ...row })] }] : []
  })
}
