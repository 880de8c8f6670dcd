/** Reads a login's rights from the catalog, because trying them would lock the tables. */
import type { Client } from '#core/node/pool.ts'
import { failure, fine, type Finding, warning } from './finding.ts'

const READER = 'booktape_reader'

interface WriterRights {
  readonly role: string
  readonly has_schema: boolean
  readonly may_create_schemas: boolean
  readonly may_use_temp: boolean
  readonly may_create_tables: boolean | null
  /** Tables and functions of the schema that belong to others. */
  readonly foreign_count: number
  readonly some_foreign: string | null
  readonly owner: string | null
  readonly has_queue: boolean
  readonly may_use_queue: boolean | null
}

const WRITER_RIGHTS = `
with tables as (
  select c.relname, pg_get_userbyid(c.relowner) as owner
  from pg_class c
  where c.relnamespace = to_regnamespace('marketdata') and c.relkind in ('r', 'p', 'v')
    and not pg_has_role(c.relowner, 'usage')
)
select current_user as role,
  to_regnamespace('marketdata') is not null as has_schema,
  has_database_privilege(current_database(), 'create') as may_create_schemas,
  has_database_privilege(current_database(), 'temp') as may_use_temp,
  has_schema_privilege(to_regnamespace('marketdata'), 'create')
    and has_schema_privilege(to_regnamespace('marketdata'), 'usage') as may_create_tables,
  (select count(*)::int from tables) as foreign_count,
  (select min(relname) from tables) as some_foreign,
  (select min(owner) from tables) as owner,
  to_regnamespace('graphile_worker') is not null as has_queue,
  has_schema_privilege(to_regnamespace('graphile_worker'), 'create')
    and has_schema_privilege(to_regnamespace('graphile_worker'), 'usage') as may_use_queue`

/** Only the owner of a table can create and drop its partitions. */
export async function lookAtWriter(client: Client): Promise<readonly Finding[]> {
  const check = 'database.writer.rights'
  const { rows } = await client.query<WriterRights>(WRITER_RIGHTS)
  const rights = rows[0]!
  const { role, owner } = rights
  const expected =
    'one login that migrates, records and runs jobs, or logins that are members of it'
  const findings: Finding[] = []
  const refuse = (found: string, todo: string): void =>
    void findings.push(failure(check, found, { expected, todo }))
  if (!rights.may_use_temp) {
    refuse(`${role} may make no temporary table.`, `grant temporary on database … to ${role};`)
  }
  if (!rights.has_schema && !rights.may_create_schemas) {
    refuse(`${role} may make no schema.`, `grant create on database … to ${role};`)
  }
  if (rights.foreign_count > 0) {
    const found =
      `${role} does not own ${rights.some_foreign}${moreText(rights.foreign_count - 1)}: ` +
      'it can make no partition.'
    refuse(found, `grant ${owner} to ${role};`)
  }
  if (rights.may_create_tables === false) {
    refuse(
      `${role} may make no table in marketdata.`,
      `grant usage, create on schema marketdata to ${role};`,
    )
  }
  if (rights.has_queue ? rights.may_use_queue === false : !rights.may_create_schemas) {
    const todo = rights.has_queue
      ? `grant usage, create on schema graphile_worker to ${role};`
      : `grant create on database … to ${role};`
    refuse(`${role} cannot use the queue of jobs (schema graphile_worker).`, todo)
  }
  if (findings.length > 0) return findings
  return [fine(check, `${role} may make what it needs, and owns what is there.`)]
}

interface ReaderRights {
  readonly role: string
  readonly is_superuser: boolean
  readonly has_reader_role: boolean
  readonly is_reader: boolean | null
  readonly writable: string | null
}

const READER_RIGHTS = `
select r.rolname as role, r.rolsuper as is_superuser,
  to_regrole('${READER}') is not null as has_reader_role,
  pg_has_role(to_regrole('${READER}'), 'usage') as is_reader,
  (select min(c.relname) from pg_class c
   where c.relnamespace = to_regnamespace('marketdata') and c.relkind in ('r', 'p')
     and not c.relispartition and has_table_privilege(c.oid, 'insert, update, delete, truncate')
  ) as writable
from pg_roles r where r.rolname = current_user`

export async function lookAtReader(client: Client): Promise<readonly Finding[]> {
  const check = 'database.reader.rights'
  const { rows } = await client.query<ReaderRights>(READER_RIGHTS)
  const { role, is_superuser, has_reader_role, is_reader, writable } = rows[0]!
  const expected = `a login that is a member of ${READER} and of nothing else`
  if (!has_reader_role) {
    return [
      failure(check, `There is no role ${READER}.`, {
        expected,
        todo: 'Run `npx booktape migrate`.',
      }),
    ]
  }
  if (is_reader !== true) {
    const todo = `grant ${READER} to ${role};`
    return [failure(check, `${role} may not read what the edge serves.`, { expected, todo })]
  }
  if (is_superuser || writable !== null) {
    const what = is_superuser ? 'is a superuser' : `may write ${writable}`
    const todo = 'Give the gateway a login of its own: docs/deploy-edge.md, step 1.'
    return [warning(check, `${role} ${what}.`, { expected, todo })]
  }
  return [fine(check, `${role} may read what the edge serves, and write nothing.`)]
}

function moreText(count: number): string {
  return count > 0 ? ` and ${count} more` : ''
}
