/** A random tape as rows of the raw tables. */
import type { Level } from '#core/market.ts'
import type { Pool } from '#core/node/pool.ts'
import { signalTape, type SignalTape } from '../../core/signals/tape.ts'
import { type DepthEventRow, insertDepth, insertSymbols, insertTrades } from '../market.ts'

/** Inserts the symbol, its trades and its depth, and returns the tape without gaps. */
export async function insertTape(
  pool: Pool,
  symbol: string,
  seed: number,
  from_iso: string,
  minutes: number,
): Promise<SignalTape> {
  const tape = signalTape(seed, from_iso, minutes)
  await insertSymbols(pool, [symbol])
  await pool.query('update marketdata.symbols set tick_size = $2 where symbol = $1', [
    symbol,
    tape.tick_size,
  ])
  await insertTrades(
    pool,
    tape.trades.map((trade) => ({ symbol, ...trade })),
  )
  await insertDepth(pool, depthRows(symbol, tape))
  return tape
}

const CHANGE_US = 400_000

/** A snapshot, then a diff 400 ms before each sample that turns the book into it. */
function depthRows(symbol: string, { samples }: SignalTape): readonly DepthEventRow[] {
  const rows: DepthEventRow[] = []
  let id = 1_000
  let before: (typeof samples)[number] | undefined
  for (const sample of samples) {
    const ts = sample.ts - CHANGE_US
    if (before === undefined) {
      const [bids, asks] = [textOf(sample.bids), textOf(sample.asks)]
      rows.push({ symbol, ts, kind: 'snapshot', before: null, id, bids, asks })
    } else {
      const bids = textOf(changesOf(before.bids, sample.bids))
      const asks = textOf(changesOf(before.asks, sample.asks))
      rows.push({ symbol, ts, kind: 'diff', before: id, id: id + 1, bids, asks })
      id += 1
    }
    before = sample
  }
  return rows
}

function changesOf(old: readonly Level[], now: readonly Level[]): readonly Level[] {
  const kept = new Set(now.map(([price]) => price))
  return [
    ...old.filter(([price]) => !kept.has(price)).map(([price]) => [price, 0] as const),
    ...now,
  ]
}

function textOf(levels: readonly Level[]): string {
  return `{${levels.map((level) => `{${level.join(',')}}`).join(',')}}`
}
