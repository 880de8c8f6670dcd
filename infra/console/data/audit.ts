/** What operators did: read from the database, and added to it for what the console itself does. */
import { randomUUID } from 'node:crypto'
import type { Caller } from '#core/node/door/guard.ts'
import type { Pool } from '#core/node/pool.ts'
import type { AuditView } from '../wire.ts'
import { select } from './read.ts'

const ENTRIES_MAX = 500

export function selectAudit(pool: Pool): Promise<AuditView['entries']> {
  return select<AuditView['entries'][number]>(
    pool,
    `select audit_id::text as audit_id, at, program, instance, actor, origin, action, request,
       before, after, result
     from marketdata.audit order by at desc, audit_id limit ${ENTRIES_MAX}`,
  )
}

/** A job that an operator put into the queue. */
export async function insertJobAudit(
  pool: Pool,
  caller: Caller,
  request: unknown,
  result: unknown,
): Promise<void> {
  const { name, origin } = caller
  const values = [randomUUID(), name, origin, JSON.stringify(request), JSON.stringify(result)]
  await select(
    pool,
    `insert into marketdata.audit (audit_id, at, program, instance, actor, origin, action, request,
       revision, before, after, result)
     values ($1, now(), 'console', 'console', $2, $3, 'run_job', $4, 0, 'null', 'null', $5)`,
    values,
  )
}
