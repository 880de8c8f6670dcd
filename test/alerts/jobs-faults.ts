/** Faults of jobs, of what they read, and of the object store. */
import { setTimeout as sleep } from 'node:timers/promises'
import { latestKey } from '#core/object-keys.ts'
import { createObjectStore } from '#core/node/object-store.ts'
import { type Fault, holding, once, stopped } from './fault.ts'

const HOUR_MS = 3_600_000
/** Of an hour that is over, and was due for the archive more than an hour ago. */
const oldHour = (): string => new Date(Date.now() - 4 * HOUR_MS).toISOString()

/** The feed goes on, and so do the programs. */
export const WORK_FAULTS: readonly Fault[] = [
  {
    name: 'the rollups hang at a lock',
    alerts: { RollupLate: 200, JobLate: 200 },
    inject: (stack) =>
      holding(stack, 'begin', 'select from marketdata.rollup_watermarks for update'),
  },
  {
    name: 'a job fails in every attempt',
    alerts: { JobGivenUp: 10, JobFailing: 15 },
    async inject(stack) {
      const add = (payload: string): string =>
        `select graphile_worker.add_job('features', '${payload}'::json, max_attempts := 1)`
      await once(
        stack,
        add('{"date":"not a day"}'),
        `insert into marketdata.job_runs (job, job_window, status, attempt, started_at, finished_at)
         values ('features', 'fault', 'failed', 1, now(), now())`,
      )
      return () =>
        once(
          stack,
          `select graphile_worker.permanently_fail_jobs(array_agg(id), 'fault')
           from graphile_worker.jobs where attempts >= max_attempts`,
          `select graphile_worker.complete_jobs(array_agg(id))
           from graphile_worker.jobs where attempts >= max_attempts`,
          "delete from marketdata.job_runs where job_window = 'fault'",
        )
    },
  },
]

export const STORAGE_FAULTS: readonly Fault[] = [
  {
    name: 'the object store is frozen, with hours to archive and an old dataset',
    alerts: { ObjectStoreAway: 15, ArchiveLate: 10, DatasetLate: 15 },
    async inject(stack) {
      const store = createObjectStore(stack.file.object_store)
      const date = new Date(Date.now() - 72 * HOUR_MS).toISOString().slice(0, 10)
      const latest = { dataset: 'candles', schema_version: 1, date, complete: true }
      const key = latestKey('candles')
      const before = await store.get(key)
      await store.put(key, JSON.stringify(latest), 'application/json')
      await once(
        stack,
        `select marketdata.ensure_hour('trades', '${oldHour()}')`,
        `insert into marketdata.trades (ts_exchange, ts_ingest, symbol_id, agg_trade_id, price, qty,
           is_buyer_maker)
         select '${oldHour()}', now(), min(id), 1, 1, 1, true from marketdata.symbols`,
      )
      // The store has to be read once with the old dataset before it freezes.
      await sleep(45_000)
      const thaw = await stopped('infra/local/object-store-main.ts')(stack)
      return async () => {
        thaw()
        const text = JSON.stringify({ ...latest, date: new Date().toISOString().slice(0, 10) })
        await store.put(key, before ?? text, 'application/json')
        store.close()
        stack.booktape('jobs', 'run', 'archive')
      }
    },
  },
  {
    name: 'partitions outgrow their budget',
    alerts: { DiskOverBudget: 15 },
    async inject(stack) {
      const hour = oldHour()
      const partition = `depth_events_${hour.slice(0, 13).replaceAll(/[-T]/g, '')}`
      // Random numbers, which cannot be compressed: 40 kB a row.
      await once(
        stack,
        `select marketdata.ensure_hour('depth_events', '${hour}')`,
        `insert into marketdata.depth_events (ts_exchange, ts_ingest, symbol_id, first_update_id,
           final_update_id, depth_kind, bids, asks)
         select '${hour}', now(), (select min(id) from marketdata.symbols), i, i, 'diff',
           array(select array[random(), random()] from generate_series(1, 2500) where i = i), '{}'
         from generate_series(1, 45000) i`,
      )
      return () => once(stack, `drop table if exists marketdata.${partition}`)
    },
  },
]
