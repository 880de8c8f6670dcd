/** Faults of Postgres and of what is stored in it. */
import { setTimeout as sleep } from 'node:timers/promises'
import { type Fault, holding, once } from './fault.ts'
import { EXPORTER_ROLE } from './monitoring.ts'
import type { LocalStack } from './stack.ts'

/** Each lock waits for the transactions before it, and those of a writer wait for the lock. */
async function lockAgainAndAgain(stack: LocalStack, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    const unlock = await holding(
      stack,
      'begin',
      'lock table marketdata.book_ticker in access exclusive mode',
    )
    await sleep(3_000)
    await unlock()
  }
}

export const DATABASE_FAULTS: readonly Fault[] = [
  {
    name: 'a table is locked for three seconds, again and again',
    // Its small batches take one lock each, so the lag grows by more than half a second a second.
    alerts: { IngestorLagging: 30 },
    async inject(stack) {
      const locking = new AbortController()
      const ended = lockAgainAndAgain(stack, locking.signal)
      return () => {
        locking.abort()
        return ended
      }
    },
  },
  {
    name: 'Postgres refuses the rows of one symbol',
    alerts: { IngestorDeadLetters: 0 },
    async inject(stack) {
      const table = 'marketdata.mark_price'
      // Of one symbol only: the writer takes too many bad rows for a fault of the table, and waits.
      await once(
        stack,
        `do $$ begin execute format(
           'alter table ${table} add constraint fault check (symbol_id <> %s) not valid',
           (select min(symbol_id) from ${table} where ts_exchange > now() - interval '1 minute')
         ); end $$`,
      )
      return () => once(stack, `alter table ${table} drop constraint fault`)
    },
  },
  {
    name: 'stored trades are changed before a second ingestor writes them',
    alerts: { IngestorRowsConflicting: 0 },
    async inject(stack) {
      const { pid } = stack.small
      process.kill(pid, 'SIGSTOP')
      await sleep(5_000)
      await once(
        stack,
        `update marketdata.trades set price = price + 1
         where ts_exchange > now() - interval '4 seconds'`,
      )
      process.kill(pid, 'SIGCONT')
      return () => undefined
    },
  },
  {
    name: 'Postgres refuses the login of its exporter',
    alerts: { PostgresDown: 15 },
    async inject(stack) {
      await once(
        stack,
        `alter role ${EXPORTER_ROLE} nologin`,
        `select pg_terminate_backend(pid) from pg_stat_activity where usename = '${EXPORTER_ROLE}'`,
      )
      return () => once(stack, `alter role ${EXPORTER_ROLE} login`)
    },
  },
  {
    name: 'Postgres is frozen',
    alerts: {
      IngestorDatabaseAway: 30,
      IngestorTapeFilling: 180,
      IngestorTapeFull: 360,
      JobsDatabaseAway: 10,
      GatewayDatabaseAway: 5,
      IngestorHeartbeatLost: 75,
    },
    async inject(stack) {
      const pids = stack.postgresPids()
      for (const pid of pids) process.kill(pid, 'SIGSTOP')
      const calls = setInterval(() => void stack.ask('/v1/quotes/BTCUSDT/latest'), 1_000)
      return () => {
        clearInterval(calls)
        for (const pid of pids) process.kill(pid, 'SIGCONT')
      }
    },
  },
  {
    name: 'connections are used up',
    alerts: { PostgresConnectionsNearLimit: 0 },
    async inject(stack) {
      const limit = await stack.connectionLimit()
      const held: (() => Promise<void>)[] = []
      for (let i = 0; i < limit * 0.8; i++) {
        const one = await holding(stack, 'select 1').catch(() => undefined)
        if (one === undefined) break
        held.push(one)
      }
      return async () => void (await Promise.all(held.map((end) => end())))
    },
  },
]
