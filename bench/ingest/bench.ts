/** Times one way of filling the tables, from the same start state, and checks the rows. */
import type { Pool } from '#core/node/pool.ts'
import {
  CORE_COUNT,
  cpuSeconds,
  machineCpuSeconds,
  threadCpuSeconds,
  treeCpuSeconds,
} from './machine.ts'
import { START_MS, SYMBOLS } from './workload.ts'

export interface Program {
  readonly name: string
  readonly pid: number
}

export interface Sample {
  readonly seconds: number
  readonly rows_per_s: number
  /** The rate that CPU time allows: at most one core per thread, CORE_COUNT cores in total. */
  readonly rows_per_s_alone: number
  /** CPU microseconds per row: Postgres, this process or the programs, others. */
  readonly cpu_us_per_row: Readonly<Record<string, number>>
}

export class Bench {
  readonly #pool: Pool
  readonly #postgres_pid: number
  readonly #row_count: number
  /** Hash of the rows of the first way. */
  #fingerprint: string | undefined

  constructor(pool: Pool, postgres_pid: number, row_count: number) {
    this.#pool = pool
    this.#postgres_pid = postgres_pid
    this.#row_count = row_count
  }

  async registerSymbols(): Promise<ReadonlyMap<string, number>> {
    const { rows } = await this.#pool.query<{ symbol: string; id: string }>(
      `insert into marketdata.symbols (exchange, symbol)
        select 'binance-futures', symbol from unnest($1::text[]) as listed (symbol)
        returning symbol, id`,
      [SYMBOLS.map(({ listing }) => listing.symbol)],
    )
    return new Map(rows.map(({ symbol, id }) => [symbol, Number(id)]))
  }

  /** Start state: partitions without rows, and no checkpoint due. */
  async empty(): Promise<void> {
    const hour = new Date(START_MS).toISOString()
    await this.#pool.query(
      "select marketdata.ensure_hour(name, $1) from unnest(array['book_ticker', 'trades']) as t (name)",
      [hour],
    )
    await this.#pool.query('truncate marketdata.book_ticker, marketdata.trades')
    await this.#pool.query('checkpoint')
  }

  async measure(programs: readonly Program[], work: () => Promise<void>): Promise<Sample> {
    await this.empty()
    const before = this.#cpu(programs)
    const threads_before = programs.map(({ pid }) => threadCpuSeconds(pid))
    const started = performance.now()
    await work()
    const seconds = (performance.now() - started) / 1_000
    const after = this.#cpu(programs)
    const threads_after = programs.map(({ pid }) => threadCpuSeconds(pid))
    await this.#check()
    const cpu_us_per_row: Record<string, number> = {}
    const note = (name: string, used_s: number): void => {
      cpu_us_per_row[name] = Number(((used_s * 1e6) / this.#row_count).toFixed(2))
    }
    for (const [name, cpu_s] of Object.entries(after)) note(name, cpu_s - before[name]!)
    for (const [index, { name, pid }] of programs.entries()) {
      const [main = 0, ...others] = threadDifferences(
        pid,
        threads_before[index]!,
        threads_after[index]!,
      )
      note(`${name}: main thread`, main)
      note(`${name}: busiest other thread`, others[0] ?? 0)
      note(
        `${name}: the rest (V8's collector and compiler)`,
        others.slice(1).reduce((sum, s) => sum + s, 0),
      )
    }
    const used_s = (name: string): number => after[name]! - before[name]!
    const ours = ['postgres', 'bench', ...programs.map(({ name }) => name)].map(used_s)
    const threads = programs.flatMap(({ pid }, at) =>
      threadDifferences(pid, threads_before[at]!, threads_after[at]!),
    )
    // In (a) and (c) this process waits for Postgres on every batch, so the two alternate.
    const longest_s =
      programs.length === 0
        ? used_s('postgres') + used_s('bench')
        : Math.max(used_s('postgres'), ...threads)
    const total_s = ours.reduce((sum, cpu_s) => sum + cpu_s, 0)
    return {
      seconds,
      rows_per_s: Math.round(this.#row_count / seconds),
      rows_per_s_alone: Math.round(this.#row_count / Math.max(longest_s, total_s / CORE_COUNT)),
      cpu_us_per_row,
    }
  }

  #cpu(programs: readonly Program[]): Readonly<Record<string, number>> {
    const { user, system } = process.cpuUsage()
    const cpu: Record<string, number> = {
      postgres: treeCpuSeconds(this.#postgres_pid),
      bench: (user + system) / 1e6,
    }
    for (const { name, pid } of programs) cpu[name] = cpuSeconds(pid)
    cpu['others'] = machineCpuSeconds() - Object.values(cpu).reduce((sum, cpu_s) => sum + cpu_s, 0)
    return cpu
  }

  /** Every way must leave the same rows, except for the ingestor's receive times. */
  async #check(): Promise<void> {
    const { rows } = await this.#pool.query<{ row_count: number; fingerprint: string }>(
      `select count(*)::int as row_count, sum(hash)::text as fingerprint from (
        select hash_record_extended(row(symbol_id, ts_exchange, update_id, best_bid, best_ask, bid_qty, ask_qty), 0) as hash
        from marketdata.book_ticker
        union all
        select hash_record_extended(row(symbol_id, ts_exchange, agg_trade_id, price, qty, non_rpi_qty,
          first_trade_id, last_trade_id, is_buyer_maker), 0)
        from marketdata.trades) as stored`,
    )
    const { row_count, fingerprint } = rows[0]!
    this.#fingerprint ??= fingerprint
    if (row_count === this.#row_count && fingerprint === this.#fingerprint) return
    throw new Error(
      `The tables hold ${row_count} rows (hash ${fingerprint}); expected ${this.#row_count} (${this.#fingerprint}).`,
    )
  }
}

/** CPU seconds that each thread used: main thread first, then in descending order. */
function threadDifferences(
  pid: number,
  before: ReadonlyMap<string, number>,
  after: ReadonlyMap<string, number>,
): readonly number[] {
  const used = new Map([...after].map(([tid, cpu_s]) => [tid, cpu_s - (before.get(tid) ?? 0)]))
  const main = used.get(String(pid)) ?? 0
  used.delete(String(pid))
  return [main, ...[...used.values()].toSorted((a, b) => b - a)]
}

export function median(numbers: readonly number[]): number {
  return numbers.toSorted((left, right) => left - right)[Math.floor(numbers.length / 2)] ?? 0
}
