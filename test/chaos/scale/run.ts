/**
 * An operator scales an ingestor in full flow, 3 → 50 → 200 → 3 symbols and again. Every frame
 * is compared with the tables; streams that stay must keep their socket and have no gap, and those
 * that leave must have the gaps of absences.ts and no others.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { createPool, type Pool, withClient } from '#core/node/pool.ts'
import type { StatusView, StreamView } from '../../../ingestor/control/view.ts'
import { ask, type Answer } from '../../ingestor/control/support.ts'
import { check, complaints } from '../checker.ts'
import { loadEvidence } from '../evidence.ts'
import { World } from '../world.ts'
import { type AbsenceBook, createAbsenceBook } from './ledger.ts'

export interface ScaleOptions {
  readonly seed: number
  readonly events_per_s: number
  /** Between two changes [ms]. */
  readonly hold_ms: number
  /** How often the steps are gone through. */
  readonly rounds: number
  onProgress?(what: string): void
}

export interface ScaleReport {
  readonly seed: number
  readonly changes: readonly Change[]
  readonly sent: number
  readonly stored: number
  readonly lost: number
  readonly duplicated: number
  readonly received_twice: number
  readonly gaps: number
  readonly examples: readonly string[]
  /** Sentences; empty if every guarantee held. */
  readonly complaints: readonly string[]
}

interface Change {
  readonly count: number
  /** From the request to the answer, and to the moment at which all streams are subscribed. */
  readonly answered_ms: number
  readonly settled_ms: number
  readonly streams_kept: number
  readonly sockets: number
  readonly frames_per_s: number
}

const FEWEST = 3
const SYMBOL_COUNT = 200
const STEPS = [50, SYMBOL_COUNT, FEWEST] as const
const SETTLE_LIMIT_MS = 120_000
const POLL_MS = 200
const MIB = 1024 * 1024

export async function runScale(options: ScaleOptions): Promise<ScaleReport> {
  const { seed, events_per_s, onProgress } = options
  const world = new World({
    seed,
    symbol_count: SYMBOL_COUNT,
    events_per_s,
    ingestor_env: {
      SYMBOLS: 'BTCUSDT,ETHUSDT,SOLUSDT',
      DEPTH_SYMBOLS: 'tier',
      TAPE_MAX_BYTES: String(4_096 * MIB),
    },
  })
  try {
    await world.open()
    await world.ready()
    const pool = createPool(world.database_url, 'scale', 1)
    try {
      const run = new ScaleRun(world, pool, options)
      await run.settle(FEWEST)
      for (let round = 0; round < options.rounds; round++) {
        for (const count of STEPS) await run.change(count)
      }
      onProgress?.('checking')
      return await run.judge()
    } finally {
      await pool.end()
    }
  } finally {
    await world.close(false)
  }
}

class ScaleRun {
  readonly #world: World
  readonly #pool: Pool
  readonly #options: ScaleOptions
  readonly #changes: Change[] = []
  readonly #faults: string[] = []
  readonly #absences: AbsenceBook

  constructor(world: World, pool: Pool, options: ScaleOptions) {
    this.#world = world
    this.#pool = pool
    this.#options = options
    this.#absences = createAbsenceBook(pool)
  }

  async change(count: number): Promise<void> {
    const before = (await this.#streams()).map(nameOf)
    const carried = await this.#carriers()
    const asked_at = Date.now() * 1_000
    const began = performance.now()
    const answer = await this.#call('/scale', 'POST', { count })
    const answered_ms = performance.now() - began
    // A millisecond more, because Date.now() cuts off the fraction.
    const answered_at = (Date.now() + 1) * 1_000
    if (answer.status !== 200) throw new Error(`/scale answered ${answer.status} ${answer.text}`)
    await this.settle(count)
    const settled_ms = performance.now() - began
    this.#options.onProgress?.(`${count} symbols after ${(settled_ms / 1_000).toFixed(1)} s`)
    await sleep(this.#options.hold_ms)
    const after = new Set((await this.#streams()).map(nameOf))
    const stayed = before.filter((name) => after.has(name))
    const known = new Set(before)
    this.#absences.comeBack(
      [...after].filter((name) => !known.has(name)),
      asked_at,
    )
    await this.#absences.leave(
      before.filter((name) => !after.has(name)),
      asked_at,
      answered_at,
    )
    const now = await this.#carriers()
    const moved = stayed.filter((name) => carried.has(name) && carried.get(name) !== now.get(name))
    if (moved.length > 0) {
      this.#faults.push(`${moved.length} streams that stayed at ${count} changed their socket`)
    }
    const { sockets, feed } = await this.#status()
    const open = new Set(sockets.map(({ connection }) => connection))
    const closed = stayed.filter((name) => carried.has(name) && !open.has(carried.get(name)!))
    if (closed.length > 0) {
      this.#faults.push(`${closed.length} streams that stayed at ${count} lost their socket`)
    }
    this.#changes.push({
      count,
      answered_ms: Math.round(answered_ms),
      settled_ms: Math.round(settled_ms),
      streams_kept: stayed.length,
      sockets: sockets.length,
      frames_per_s: Math.round(feed.frames_per_s),
    })
  }

  /** Every wanted stream is acknowledged. */
  async settle(count: number): Promise<void> {
    const deadline = performance.now() + SETTLE_LIMIT_MS
    for (;;) {
      const { actual } = await this.#status()
      const { symbol_count, streams_heard, streams_wanted } = actual
      if (symbol_count === count && streams_heard === streams_wanted) return
      if (performance.now() > deadline) throw this.#world.failure(`${count} symbols are not heard`)
      await sleep(POLL_MS)
    }
  }

  async judge(): Promise<ScaleReport> {
    const { seed } = this.#options
    await this.#world.tellExchange({ actions: [{ kind: 'halt' }] })
    while ((await this.#world.exchangeStatus()).state !== 'done') await sleep(POLL_MS)
    await this.#world.drain()
    const { duplicates } = (await this.#status()).writer
    // Trades may be refilled over REST, in pages that contain known ones.
    const { trades: _, ...others } = duplicates
    const received_twice = Object.values(others).reduce((sum, count) => sum + count, 0)
    if (received_twice > 0) this.#faults.push(`${received_twice} events were received twice`)
    await this.#checkAudit()
    const ended = await this.#world.endFeed()
    if (ended !== 'exit code 0') this.#faults.push(`The ingestor stopped with ${ended}`)
    const ledger = await this.#absences.check()
    const verdict = await withClient(this.#pool, async (client) => {
      await loadEvidence(client, this.#world.truth_file, this.#world.frames())
      return check(client)
    })
    const { sent, stored, lost, duplicated, examples } = verdict
    return {
      seed,
      changes: this.#changes,
      sent,
      stored,
      lost,
      duplicated,
      received_twice,
      gaps: ledger.gap_count,
      examples,
      complaints: [
        ...this.#faults,
        ...ledger.faults,
        ...complaints(verdict),
        ...this.#world.crashes,
      ],
    }
  }

  async #checkAudit(): Promise<void> {
    const expected = this.#changes.map(({ count }) => count)
    const file = readFileSync(join(this.#world.tape_dir, 'audit.ndjson'), 'utf8').trim().split('\n')
    const on_disk = file.map((line) => (JSON.parse(line) as { request: { count: number } }).request)
    const stored = async (): Promise<readonly number[]> => {
      const { rows } = await this.#pool.query<{ count: number }>(
        `select (request ->> 'count')::int as count from marketdata.audit
         where program = 'ingestor' and action = 'scale' order by revision`,
      )
      return rows.map(({ count }) => count)
    }
    const deadline = performance.now() + SETTLE_LIMIT_MS
    let in_postgres = await stored()
    while (in_postgres.length < expected.length && performance.now() < deadline) {
      await sleep(POLL_MS)
      in_postgres = await stored()
    }
    for (const [place, counts] of [
      ['The log on the disk', on_disk.map(({ count }) => count)],
      ['marketdata.audit', in_postgres],
    ] as const) {
      if (counts.join() !== expected.join()) {
        this.#faults.push(`${place} has the changes ${counts.join()}, expected ${expected.join()}`)
      }
    }
  }

  /** The connection that carries each stream, as the writer has stored it. */
  async #carriers(): Promise<ReadonlyMap<string, number>> {
    const { rows } = await this.#pool.query<{ name: string; connection: number }>(
      `select s.symbol || ' ' || o.channel as name, o.connection
       from marketdata.stream_offsets o join marketdata.symbols s on s.id = o.symbol_id
       where o.connection <> 0`,
    )
    return new Map(rows.map(({ name, connection }) => [name, Number(connection)]))
  }

  async #status(): Promise<StatusView> {
    return (await this.#call('/status')).body as StatusView
  }

  async #streams(): Promise<readonly StreamView[]> {
    return ((await this.#call('/streams')).body as { streams: readonly StreamView[] }).streams
  }

  #call(path: string, method = 'GET', body?: unknown): Promise<Answer> {
    return ask(join(this.#world.tape_dir, 'control.sock'), path, { method, body })
  }
}

function nameOf({ symbol, channel }: StreamView): string {
  return `${symbol} ${channel}`
}
