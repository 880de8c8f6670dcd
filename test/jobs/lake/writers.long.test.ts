/**
 * Writers of the lake: two at once, one that is killed (-9) at each of its writes, on a store that
 * refuses to overwrite and on one that does not.
 */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import type { ObjectStore } from '#core/node/object-store.ts'
import { HOUR_US, micros } from '#core/time.ts'
import { insertListed, insertRows, makeRows, HOUR } from '../archive/rows.ts'
import { createStand, type Stand } from '../stand.ts'
import { archive, commitTrades, runLakeJob } from './commits.ts'
import { readMetadata, readTable } from './icebird.ts'
import { withoutConditions } from './stores.ts'

const CHILD = fileURLToPath(new URL('commit-child.ts', import.meta.url))
const ROWS = 40
const HOURS = 3

async function createArchive(): Promise<Stand> {
  const stand = await createStand()
  await insertListed(stand.pool)
  await addHours(stand, 0)
  return stand
}

async function addHours(stand: Stand, first: number): Promise<void> {
  for (let i = 0; i < HOURS; i++) {
    const hour = micros(HOUR + (first + i) * HOUR_US)
    await insertRows(stand.pool, 'trades', makeRows('trades', ROWS, hour))
  }
  await archive(stand)
}

/** Every hour is there once: no file twice, none missing, in a chain of snapshots. */
async function expectWhole(store: ObjectStore, hour_count: number): Promise<void> {
  const metadata = await readMetadata(store, 'raw.trades')
  const rows = await readTable(store, 'raw.trades')
  expect(rows).toHaveLength(hour_count * ROWS)
  const keys = rows.map((row) => `${row['exchange']} ${row['symbol']} ${row['ts_exchange']}`)
  expect(new Set(keys).size).toBe(keys.length)
  const { snapshots } = metadata
  expect(snapshots.at(-1)!.summary['total-records']).toBe(String(hour_count * ROWS))
  for (const [i, snapshot] of snapshots.entries()) {
    expect(snapshot['sequence-number']).toBe(i + 1)
    expect(snapshot['parent-snapshot-id']).toBe(snapshots[i - 1]?.['snapshot-id'])
  }
}

for (const [kind, conditions] of [
  ['a store that refuses to overwrite', 'yes'],
  ['a store that does not', 'no'],
] as const) {
  const storeOf = ({ store }: Stand): ObjectStore =>
    conditions === 'yes' ? store : withoutConditions(store)

  describe(kind, () => {
    test('two writers at once commit everything once', async () => {
      const stand = await createArchive()
      const store = storeOf(stand)
      const writer = (): Promise<unknown> => commitTrades({ pool: stand.pool, store })
      await Promise.all([writer(), writer(), writer()])
      await expectWhole(stand.store, HOURS)
      await addHours(stand, HOURS)
      await Promise.all([writer(), writer(), writer()])
      await expectWhole(stand.store, 2 * HOURS)
      const { rows } = await stand.pool.query('select name from marketdata.lake_tables')
      expect(rows).toHaveLength(conditions === 'yes' ? 0 : 1)
    })

    test('a writer that is killed at any write leaves the old table or the new one', async () => {
      const stand = await createArchive()
      const store = storeOf(stand)
      let deaths = 0
      for (let write = 1; ; write++) {
        const side = write % 2 === 0 ? 'after' : 'before'
        const env = {
          ...process.env,
          DATABASE_URL: stand.database_url,
          STORE: JSON.stringify(stand.store_config),
          CONDITIONS: conditions,
          DIE_AT: `${side} ${write}`,
        }
        const [code, signal] = await once(fork(CHILD, { env }), 'exit')
        if (code === 0) break
        expect(signal).toBe('SIGKILL')
        deaths += 1
        const rows = await readTable(stand.store, 'raw.trades').catch(() => [])
        expect([0, HOURS * ROWS]).toContain(rows.length)
      }
      // Manifests, lists, the metadata and the hint.
      expect(deaths).toBeGreaterThanOrEqual(6)
      await runLakeJob({ pool: stand.pool, store })
      await expectWhole(stand.store, HOURS)
    })
  })
}
