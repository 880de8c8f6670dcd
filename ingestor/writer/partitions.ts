/** Creates the hourly partitions that a batch needs, and the next ones ahead of time. */
import type { Client } from '#core/node/pool.ts'
import type { RawChannel } from '#core/tables.ts'
import { HOUR_US, hourStart, type Micros, micros, toIso } from '#core/time.ts'

export interface Partitions {
  ensure(channel: RawChannel, hours: Iterable<Micros>): Promise<void>
  /** Creates this hour's and the next one's, so a new hour starts without a wait. */
  ensureAhead(now: Micros): Promise<void>
  /** A partition was dropped: query Postgres again. */
  forget(): void
}

/**
 * `ahead`: the tables whose partitions are created ahead of time. `client` must not be in a
 * transaction when a function of Partitions is called.
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
