/**
 * Refills gaps in trade streams over REST. Takes open gaps from the ledger, newest first; appends
 * the exchange's answers to the tape; waits until the writer has committed them; counts what is
 * stored; writes the outcome to the ledger. The ledger is the only memory, so a kill at any time
 * costs at most one repeated request. Gaps in quotes stay open, because the exchange keeps no
 * history of them.
 *
 * A gap gets its row when the next trade shows where it ends. A stream that is subscribed again but
 * stays quiet may have missed nothing. So the repairer requests the newest trade of the exchange's
 * history (`noteLost`, quiet-stream.ts), and a mark on the tape ends the gap with that trade.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { describeError } from '#core/errors.ts'
import type { Logger } from '#core/node/log.ts'
import { type Client, createPool } from '#core/node/pool.ts'
import { DAY_US, type Micros, micros } from '#core/time.ts'
import { backoffMs } from '#core/waiting.ts'
import { describeTrouble } from '../writer/database-errors.ts'
import { pause } from '../writer/session.ts'
import {
  countGaps,
  type LedgerCounts,
  type Missing,
  type Recorded,
  selectDueGaps,
  selectMissing,
  selectOpenEnds,
  type TradeGap,
  withClaim,
  writeVerdict,
} from './ledger.ts'
import { askNewest, type Newest } from './quiet-stream.ts'
import {
  findFirst,
  refill,
  type RefillDeps,
  type RefillEnd,
  startWalk,
  type Walk,
  windowStart,
} from './refill.ts'
import { LostStreams } from './lost-streams.ts'
import { hopeless, judge, unlocated, type VerdictSettings } from './verdict.ts'

export interface RepairSettings extends VerdictSettings {
  /** Pause between two reads of the ledger while nothing is due. */
  readonly look_ms: number
  /** Answers for one gap before a newer gap may go first. */
  readonly pages_per_turn: number
  /** How long a stream may stay quiet after it is subscribed again, before its history is read. */
  readonly quiet_ms: number
}

export const DEFAULT_REPAIR_SETTINGS: RepairSettings = {
  look_ms: 1_000,
  pages_per_turn: 20,
  quiet_ms: 30_000,
  attempts_max: 6,
  backoff_base_ms: 10_000,
  backoff_cap_ms: 3_600_000,
  unanswered_ms: 30_000,
}

export interface RepairOptions extends Omit<RefillDeps, 'clock'> {
  readonly database_url: string
  readonly ingestor_id: string
  readonly symbols: readonly string[]
  readonly clock: () => Micros
  readonly random: () => number
  readonly log: Logger
  readonly settings?: Partial<RepairSettings>
  /** Resolves once everything that is on the tape now is committed. */
  committed(): Promise<unknown>
  /** Position on the tape before which everything is committed. */
  committedPosition(): number
  /** Symbols whose trade stream is covered now. */
  coveredSymbols(): readonly string[]
  /** Appends the mark of a quiet stream that was not lost again during the request. */
  noteNewest(symbol: string, newest: Extract<Newest, { kind: 'newest' }>): void
}

export interface Repairer {
  /** Counts for the last 24 hours, all channels of our symbols, as of the last read. */
  counts(): LedgerCounts
  /** Replaces the symbols. */
  setSymbols(symbols: readonly string[]): void
  /** The trade streams of these symbols are lost, by a mark before `position`. */
  noteLost(symbols: readonly string[], position: number): void
  /** Resolves once the running statement ends, or after STOP_LIMIT_MS. */
  stop(): Promise<void>
}

const GAPS_PER_LOOK = 50
const STOP_LIMIT_MS = 2_000
const RECONNECT = { backoff_base_ms: 500, backoff_cap_ms: 15_000 }

export function startRepairer(options: RepairOptions): Repairer {
  return new LedgerRepairer(options)
}

class LedgerRepairer implements Repairer {
  readonly #options: RepairOptions
  readonly #settings: RepairSettings
  #recorded: Recorded
  readonly #stopping = new AbortController()
  readonly #lost: LostStreams
  /** Gaps that need more than one turn. */
  readonly #walks = new Map<number, Walk>()
  readonly #running: Promise<void>
  #counts: LedgerCounts = { gaps_open: 0, gaps_repaired: 0 }

  constructor(options: RepairOptions) {
    this.#options = options
    this.#settings = { ...DEFAULT_REPAIR_SETTINGS, ...options.settings }
    this.#recorded = { exchange: options.adapter.exchange, symbols: options.symbols }
    this.#lost = new LostStreams(this.#settings.quiet_ms)
    this.#running = this.#run()
  }

  counts(): LedgerCounts {
    return this.#counts
  }

  setSymbols(symbols: readonly string[]): void {
    this.#recorded = { ...this.#recorded, symbols }
  }

  noteLost(symbols: readonly string[], position: number): void {
    this.#lost.add(symbols, position)
  }

  async stop(): Promise<void> {
    this.#stopping.abort()
    const late = new AbortController()
    const waited = sleep(STOP_LIMIT_MS, undefined, { signal: late.signal }).catch(() => undefined)
    await Promise.race([this.#running, waited])
    late.abort()
  }

  /** Uses one connection after another, because locks belong to a connection. */
  async #run(): Promise<void> {
    const { database_url, ingestor_id, log, random } = this.#options
    const { signal } = this.#stopping
    const pool = createPool(database_url, `booktape-repair-${ingestor_id}`, 1)
    let failures = 0
    while (!signal.aborted) {
      let client: Client | undefined
      try {
        client = await pool.connect()
        while (!signal.aborted) {
          const has_worked = await this.#look(client)
          failures = 0
          if (!has_worked) await pause(this.#settings.look_ms, signal)
        }
      } catch (error) {
        if (signal.aborted) break
        failures++
        const words = { ...describeTrouble(error), error: describeError(error) }
        const facts = { code: 'repair_interrupted', ...words }
        if (failures === 1) log.warn(facts, 'Gap repair was interrupted; retrying.')
        await pause(backoffMs(failures, RECONNECT, random), signal)
      } finally {
        client?.release(true)
      }
    }
    await pool.end()
  }

  /** Works on one gap or one quiet stream; false if nothing is due. */
  async #look(client: Client): Promise<boolean> {
    const { clock } = this.#options
    const since = micros(clock() - DAY_US)
    this.#counts = await countGaps(client, this.#recorded, since)
    const due = await selectDueGaps(client, this.#recorded, clock(), GAPS_PER_LOOK)
    for (const { gap_id } of due) {
      if (this.#stopping.signal.aborted) return false
      const taken = await withClaim(client, gap_id, clock(), (gap) => this.#repair(client, gap))
      if (taken !== undefined) return taken
    }
    return this.#askForQuietStream(client)
  }

  /** False if the tape has no room: the gap waits. */
  async #repair(client: Client, gap: TradeGap): Promise<boolean> {
    // Without a last id it cannot be refilled: the operator left it out, or it was delisted.
    if (gap.from_id !== null || gap.to_id === null) return this.#repairLocated(client, gap)
    const { clock, random } = this.#options
    const found = await findFirst(this.#options, gap)
    if (found.kind === 'tape_full') return false
    if (found.kind === 'unanswered' || found.kind === 'refused') {
      const verdict = unlocated(gap, found, this.#settings, clock(), random)
      await writeVerdict(client, gap.gap_id, verdict, clock())
      return true
    }
    const from_id = found.kind === 'first_id' ? found.id - 1 : null
    return this.#repairLocated(client, { ...gap, from_id })
  }

  async #repairLocated(client: Client, gap: TradeGap): Promise<boolean> {
    const { adapter, choice, clock, random } = this.#options
    const { window_s } = adapter.tradeHistory(choice)
    const oldest = windowStart(adapter.tradeHistory(choice), clock())
    const before = await this.#missing(client, gap)
    const facts = { gap, window_s, oldest }
    const lost = hopeless({
      ...facts,
      missing_count: before.count,
      stored_count: before.stored_count,
    })
    if (lost !== undefined) {
      await writeVerdict(client, gap.gap_id, lost, clock())
      return true
    }
    const walk = this.#walks.get(gap.gap_id) ?? startWalk()
    const wanted = { ...gap, ranges: before.ranges }
    const { pages_per_turn } = this.#settings
    const end: RefillEnd =
      before.count === 0
        ? { kind: 'asked' }
        : await refill(this.#options, wanted, walk, pages_per_turn)
    if (end.kind === 'tape_full') return false
    if (end.kind === 'more') this.#walks.set(gap.gap_id, walk)
    else this.#walks.delete(gap.gap_id)
    await this.#options.committed()
    const { count: missing_count, stored_count } = await this.#missing(client, gap)
    const attempt = { ...facts, missing_count, stored_count, void_count: walk.void_count, end }
    const verdict = judge(attempt, this.#settings, clock(), random)
    await writeVerdict(client, gap.gap_id, verdict, clock())
    this.#logVerdict(gap, verdict)
    return true
  }

  async #missing(client: Client, gap: TradeGap): Promise<Missing> {
    const { from_id, to_id } = gap
    if (from_id === null || to_id === null) return { count: 0, stored_count: 0, ranges: [] }
    return selectMissing(client, { ...gap, from_id, to_id })
  }

  #logVerdict({ symbol, from_id, to_id }: TradeGap, verdict: ReturnType<typeof judge>): void {
    const { repaired_count, repair_note } = verdict
    const facts = { symbol, from_id, to_id, repaired_count, repair_note }
    if (verdict.due_at !== 'never') {
      this.#options.log.debug(facts, verdict.is_closed ? 'Gap refilled.' : 'Gap still open.')
      return
    }
    this.#options.log.warn({ code: 'gap_given_up', ...facts }, 'A gap cannot be refilled.')
  }

  async #askForQuietStream(client: Client): Promise<boolean> {
    if (this.#lost.size === 0) return false
    const { committedPosition, coveredSymbols, ingestor_id } = this.#options
    const symbols = this.#lost.due(coveredSymbols(), committedPosition(), performance.now())
    if (symbols.length === 0) return false
    const { exchange } = this.#recorded
    const ends = await selectOpenEnds(client, ingestor_id, { exchange, symbols })
    const quiet = new Set(ends.map((end) => end.symbol))
    this.#lost.forget(symbols.filter((symbol) => !quiet.has(symbol)))
    const [end] = ends
    if (end === undefined) return false
    const { symbol } = end
    const position = this.#lost.positionOf(symbol)
    const newest = await askNewest(this.#options, end)
    if (newest.kind === 'later') return false
    // The stream was lost again during the request, so the answer is out of date.
    if (this.#lost.positionOf(symbol) !== position) return true
    if (newest.kind === 'newest') this.#options.noteNewest(symbol, newest)
    this.#lost.forget([symbol])
    return true
  }
}
