/** Operators' changes, from the database. */
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
