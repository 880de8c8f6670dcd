/** Queues events for the webhook, in the transaction that makes them true. */
import type { Client } from '#core/node/pool.ts'
import type { Signal } from '#core/signals/signal.ts'
import { toIso } from '#core/time.ts'

export interface QueuedSignal extends Signal {
  readonly id: number
}

/** A repeated event is left out: its row has the same id. */
export async function queueSignals(
  client: Client,
  { exchange, symbol }: { readonly exchange: string; readonly symbol: string },
  signals: readonly QueuedSignal[],
): Promise<void> {
  for (const { ts, bar_ts, interval_s, ...signal } of signals) {
    const payload = {
      exchange,
      symbol,
      ...signal,
      interval: interval_s === null ? null : `${interval_s / 60}m`,
      ts: toIso(ts),
      bar_ts: bar_ts === null ? null : toIso(bar_ts),
    }
    await client.query(
      `insert into marketdata.webhook_deliveries (event_id, event_type, event_ts, payload)
       values ($1, 'signal.created', $2, $3) on conflict (event_id) do nothing`,
      [`signal_${exchange}_${symbol}_${signal.id}`, toIso(ts), JSON.stringify(payload)],
    )
  }
}
