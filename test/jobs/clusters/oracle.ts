/** Footprint bars from oracle.py, and rows of the API in its form: numbers as reduced fractions. */
import { execFileSync, spawnSync } from 'node:child_process'
import { join } from 'node:path'
import type { ClusterRow } from '#core/clusters/row.ts'
import { type Interval, INTERVAL_US } from '#core/clusters/intervals.ts'
import type { TradeRow } from '../market.ts'

/** Why tests against the oracle are skipped; undefined if it can run. */
export const NO_PYTHON =
  spawnSync('python3', ['--version']).status === 0 ? undefined : 'python3 is not installed'

export interface OracleWanted {
  readonly trades: readonly TradeRow[]
  readonly tick_size: number
  readonly interval: Interval
  readonly bin: number | 'auto'
}

export type OracleBar = Readonly<Record<string, unknown>>

const known = new WeakMap<readonly TradeRow[], Map<string, readonly OracleBar[]>>()

/** The same trades, by identity, are computed once. */
export function oracleBars(wanted: OracleWanted): readonly OracleBar[] {
  const { trades, tick_size, interval, bin } = wanted
  const of_trades = known.get(trades) ?? new Map<string, readonly OracleBar[]>()
  known.set(trades, of_trades)
  const key = `${tick_size} ${interval} ${bin}`
  const bars = of_trades.get(key) ?? computeBars(wanted)
  of_trades.set(key, bars)
  return bars
}

function computeBars({ trades, tick_size, interval, bin }: OracleWanted): readonly OracleBar[] {
  const input = JSON.stringify({
    interval_us: INTERVAL_US[interval],
    tick: String(tick_size),
    bin,
    trades: trades.map(({ ts, id, price, qty, is_buyer_maker }) => {
      return [ts, id, String(price), String(qty), is_buyer_maker]
    }),
  })
  const output = execFileSync('python3', [join(import.meta.dirname, 'oracle.py')], {
    input,
    maxBuffer: 1 << 30,
  })
  return JSON.parse(output.toString()) as readonly OracleBar[]
}

/** A row without what the oracle does not know. */
export function asOracle(row: ClusterRow): OracleBar {
  const { ts, interval: _i, tick_size: _t, is_final: _f, cells, ...rest } = row
  const fractions = Object.fromEntries(
    Object.entries(rest).map(([name, value]) => [name, asFraction(value)]),
  )
  return {
    ...fractions,
    ts: Date.parse(ts) * 1_000,
    cells: cells.map((cell) => cell.map(asFraction)),
  }
}

function asFraction(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(asFraction)
  if (typeof value !== 'string') return value
  const [whole = '', decimals = ''] = value.split('.')
  const top = BigInt(whole + decimals)
  const bottom = 10n ** BigInt(decimals.length)
  const divisor = gcd(top < 0n ? -top : top, bottom)
  const reduced = [top / divisor, bottom / divisor]
  return reduced[1] === 1n ? String(reduced[0]) : reduced.join('/')
}

function gcd(a: bigint, b: bigint): bigint {
  return b === 0n ? a : gcd(b, a % b)
}
