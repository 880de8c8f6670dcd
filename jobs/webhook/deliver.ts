/**
 * Sends queued events to the webhook until each is confirmed: at least once, with the same id in
 * every attempt. What waits is in Postgres, so a restart loses nothing.
 *
 * Invariants
 * 1. An event is deleted only after it was confirmed, when it is given up, or when the queue is
 *    full.
 * 2. An event that the receiver refuses does not hold up the others. While the receiver cannot be
 *    reached, nothing is sent but one event now and then.
 */
import type { Logger } from '#core/node/log.ts'
import type { Pool } from '#core/node/pool.ts'
import { sendEvent, type SendOutcome } from './send.ts'
import type { WebhookSettings } from './settings.ts'

export interface WebhookOptions {
  readonly pool: Pool
  readonly settings: WebhookSettings
  readonly log: Logger
  /** Current time, in milliseconds since 1970. */
  readonly now: () => number
  /** In [0, 1). */
  readonly random: () => number
}

export interface WebhookJob {
  /** Sends what is due. */
  run(signal: AbortSignal): Promise<void>
}

export const WEBHOOK_JOB = 'webhook'
const BATCH = 20
/** The oldest events beyond it are dropped: a dead receiver must not fill the disk. */
const QUEUE_MAX = 100_000
/** Waits after the first failure, and at most [s]. */
const BACK_OFF_S = { first: 2, most: 300 }

export function createWebhookJob(options: WebhookOptions): WebhookJob {
  const { pool, settings, log, now, random } = options
  /** Attempts in a row without an answer. */
  let silent_count = 0
  let silent_until_ms = -Infinity

  const note = async (row: Waiting, outcome: SendOutcome): Promise<void> => {
    if (outcome.kind === 'confirmed') {
      await pool.query('delete from marketdata.webhook_deliveries where id = $1', [row.id])
      return
    }
    const why = outcome.kind === 'refused' ? `HTTP ${outcome.status}` : outcome.why
    await pool.query(
      `update marketdata.webhook_deliveries set attempt_count = attempt_count + 1, last_error = $2,
         next_attempt_at = to_timestamp($3) where id = $1`,
      [row.id, why, (now() + backOffMs(row.attempt_count, random())) / 1_000],
    )
  }
  return {
    async run(signal) {
      await giveUp(options)
      if (now() < silent_until_ms) return
      for (;;) {
        const due = await selectDue(pool, now(), silent_count > 0 ? 1 : BATCH)
        for (const row of due) {
          if (signal.aborted) return
          const event = { id: row.event_id, body: bodyOf(row) }
          const outcome = await sendEvent(settings, event, now(), signal)
          if (signal.aborted && outcome.kind === 'unreachable') return
          await note(row, outcome)
          if (outcome.kind !== 'unreachable') {
            if (silent_count > 0) log.info({}, 'The webhook answers again.')
            silent_count = 0
            continue
          }
          if (silent_count === 0) {
            const facts = { code: 'webhook_unreachable', error: outcome.why }
            log.warn(facts, 'The webhook cannot be reached; events wait.')
          }
          silent_until_ms = now() + backOffMs(silent_count, random())
          silent_count += 1
          return
        }
        if (due.length < BATCH) return
      }
    },
  }
}

interface Waiting {
  readonly id: string
  readonly event_id: string
  readonly event_type: string
  readonly event_ts: Date
  readonly payload: unknown
  readonly attempt_count: number
}

/** Oldest first. */
async function selectDue(pool: Pool, now_ms: number, limit: number): Promise<readonly Waiting[]> {
  const { rows } = await pool.query<Waiting>(
    `select id, event_id, event_type, event_ts, payload, attempt_count
     from marketdata.webhook_deliveries where next_attempt_at <= to_timestamp($1)
     order by id limit $2`,
    [now_ms / 1_000, limit],
  )
  return rows
}

function bodyOf({ event_type, event_ts, payload }: Waiting): string {
  return JSON.stringify({ type: event_type, timestamp: event_ts.toISOString(), data: payload })
}

/** Doubles with each failure. The random part keeps many senders from coming back together. */
export function backOffMs(failed_count: number, random: number): number {
  const { first, most } = BACK_OFF_S
  const seconds = Math.min(most, first * 2 ** Math.min(failed_count, 30))
  return seconds * 1_000 * (0.75 + random / 4)
}

async function giveUp({ pool, settings, log, now }: WebhookOptions): Promise<void> {
  const { rows } = await pool.query<{ old_count: number; excess_count: number }>(
    `with old as (
       delete from marketdata.webhook_deliveries where created_at < to_timestamp($1) returning 1
     ), excess as (
       delete from marketdata.webhook_deliveries where id <= (
         select id from marketdata.webhook_deliveries order by id desc offset $2 limit 1
       ) and created_at >= to_timestamp($1) returning 1
     )
     select (select count(*) from old)::int as old_count,
       (select count(*) from excess)::int as excess_count`,
    [(now() - settings.give_up_ms) / 1_000, QUEUE_MAX],
  )
  const { old_count, excess_count } = rows[0]!
  if (old_count + excess_count === 0) return
  const facts = { code: 'webhook_given_up', old_count, excess_count }
  log.warn(facts, 'Gave up events that the webhook did not confirm.')
}
