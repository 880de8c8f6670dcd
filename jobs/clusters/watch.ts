/** Which symbols are kept up: those of the settings, and those that somebody reads. */
import type { Pool } from '#core/node/pool.ts'
import type { RecordedSymbol } from './instruments.ts'

export interface Watch {
  /** A read keeps the symbol up for a while. Never fails: a watch that is not stored is no loss. */
  touch(symbol_id: number): void
  /** In the order of their ids. Watches that have ended are removed. */
  symbols(): Promise<readonly RecordedSymbol[]>
}

export interface WatchOptions {
  readonly pool: Pool
  /** Names that are always kept up. */
  readonly names: readonly string[] | 'all'
  /** How long after the last read [s]. */
  readonly watch_s: number
  now(): number
}

/** A watch is stored again only when that part of it has passed. */
const RENEWED_PART = 1 / 4

export function createWatch({ pool, names, watch_s, now }: WatchOptions): Watch {
  const stored_ms = new Map<number, number>()
  return {
    touch(symbol_id) {
      const renew_ms = watch_s * 1_000 * RENEWED_PART
      const known = stored_ms.get(symbol_id)
      if (known !== undefined && now() - known < renew_ms) return
      stored_ms.set(symbol_id, now())
      pool.query(TOUCH, [symbol_id, watch_s]).catch(() => void stored_ms.delete(symbol_id))
    },
    async symbols() {
      await pool.query('delete from marketdata.cluster_watch where watched_until <= now()')
      const { rows } = await pool.query<RecordedSymbol & { readonly id: string }>(SYMBOLS, [
        names === 'all' ? [] : names,
        names === 'all',
      ])
      return rows.map(({ id, exchange, symbol }) => ({ symbol_id: Number(id), exchange, symbol }))
    },
  }
}

const TOUCH = `insert into marketdata.cluster_watch (symbol_id, watched_until)
  values ($1, now() + $2 * interval '1 second')
  on conflict (symbol_id) do update
    set watched_until = greatest(cluster_watch.watched_until, excluded.watched_until)`

const SYMBOLS = `select s.id, s.exchange, s.symbol from marketdata.symbols s
  where symbol = any ($1::text[]) or ($2 and s.instrument_type is distinct from 'index')
    or exists (select from marketdata.cluster_watch w where w.symbol_id = s.id)
  order by s.id`
