/** Makes sure that the hourly partitions exist: those a batch needs, and the coming ones. */
import type { Client } from '#core/node/pool.ts'
import type { RawChannel } from '#core/tables.ts'
import { HOUR_US, hourStart, type Micros, micros, toIso } from '#core/time.ts'

export interface Partitions {
  ensure(channel: RawChannel, hours: Iterable<Micros>): Promise<void>
  /** This hour's and the next one's, so that a new hour starts without a wait. */
  ensureAhead(now: Micros): Promise<void>
  /** Somebody dropped one: ask Postgres again. */
  forget(): void
}

/**
 * `ahead`: the tables whose partitions are made ahead of time. `client` must not be in a
 * transaction when these are called.
 */
export function createPartitions(client: Client, ahead: readonly RawChannel[]): Partitions {
  const known = new Set<string>()
  const ensure = async (channel: RawChannel, hours: Iterable<Micros>): Promise<void> => {
    for (const hour of hours) {
      const key = `${channel} ${hour}`
      if (known.has(key)) continue
      await client.query('select marketdata.ensure_hour($1, $2)', [channel, toIso(hour)])
      known.add(key)
    }
  }
  return {
    ensure,
    async ensureAhead(now) {
      const hour = hourStart(now)
      for (const channel of ahead) await ensure(channel, [hour, micros(hour + HOUR_US)])
    },
    forget: () => known.clear(),
  }
}
