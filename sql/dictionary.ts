/** The data dictionary as Markdown, generated from the database's catalog and its comments. */
import type { Pool } from '#core/node/pool.ts'

interface ColumnRow {
  readonly table_name: string
  readonly table_comment: string | null
  readonly column_name: string
  readonly type: string
  readonly nullable: boolean
  readonly generated: boolean
  readonly in_key: boolean
  readonly comment: string | null
}

const HEAD = `# Data dictionary

Schema \`marketdata\`. Generated from the catalog of a migrated database; a test fails when it is out
of date (\`UPDATE_GOLDEN=1 npx vitest run test/sql\` rewrites it). Change a comment in a migration.

All times are timestamptz, UTC, in microseconds. Prices and quantities are double precision; with an
instrument's \`tick_size\` and \`step_size\` they turn back into the exchange's exact decimal text.
Raw tables are partitioned by the hour of \`ts_exchange\`.
`

export async function dataDictionary(pool: Pool): Promise<string> {
  const { rows } = await pool.query<ColumnRow>(`
    select c.relname as table_name,
      obj_description(c.oid, 'pg_class') as table_comment,
      a.attname as column_name,
      format_type(a.atttypid, a.atttypmod) as type,
      not a.attnotnull as nullable,
      a.attgenerated <> '' as generated,
      coalesce(a.attnum = any (k.conkey), false) as in_key,
      col_description(c.oid, a.attnum) as comment
    from pg_class c
    join pg_namespace n on n.oid = c.relnamespace
    join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
    left join pg_constraint k on k.conrelid = c.oid and k.contype = 'p'
    where n.nspname = 'marketdata' and c.relkind in ('r', 'p', 'v') and not c.relispartition
    order by c.relname, a.attnum`)
  const tables = Map.groupBy(rows, (row) => row.table_name)
  return [HEAD, ...[...tables.values()].map(describeTable)].join('\n')
}

function describeTable(columns: readonly ColumnRow[]): string {
  const { table_name, table_comment } = columns[0]!
  const lines = columns.map((column) => {
    const notes = [
      column.in_key ? 'key' : '',
      column.nullable && !column.generated ? 'null' : '',
      column.generated ? 'computed' : '',
    ].filter((note) => note !== '')
    return `| ${column.column_name} | ${column.type} | ${notes.join(', ')} | ${column.comment ?? ''} |`
  })
  return `## ${table_name}

${table_comment ?? ''}

| column | type | | meaning |
|---|---|---|---|
${lines.join('\n')}
`
}
