/** Prepares the stack's database: creates it, migrates it, and creates the edge's login. */
import { OperatorError } from '#core/errors.ts'
import { migrate } from '#core/node/migrate.ts'
import { createPool } from '#core/node/pool.ts'

const DATABASE = 'booktape'
const EDGE_LOGIN = 'booktape_edge'

export interface DatabaseUrls {
  /** The owner's URL, for the ingestor, the jobs and the operator. */
  readonly owner_url: string
  /** The edge's login: read-only, with a statement timeout. */
  readonly edge_url: string
}

export async function prepareDatabase(
  superuser_url: string,
  edge_password: string,
): Promise<DatabaseUrls> {
  const owner = new URL(superuser_url)
  owner.pathname = `/${DATABASE}`
  const server = createPool(superuser_url, 'booktape-setup', 1)
  try {
    const { rowCount } = await server.query('select from pg_database where datname = $1', [
      DATABASE,
    ])
    if (rowCount === 0) await server.query(`create database ${DATABASE}`)
  } finally {
    await server.end()
  }
  const pool = createPool(owner.href, 'booktape-setup', 1)
  try {
    await migrate(pool)
    await ensureEdgeLogin(pool, edge_password)
  } finally {
    await pool.end()
  }
  const edge = new URL(owner.href)
  edge.username = EDGE_LOGIN
  edge.password = edge_password
  return { owner_url: owner.href, edge_url: edge.href }
}

async function ensureEdgeLogin(
  pool: ReturnType<typeof createPool>,
  password: string,
): Promise<void> {
  // `create role` takes no parameters, so the password's alphabet is checked.
  if (!/^[A-Za-z0-9_-]{16,128}$/.test(password)) {
    const message =
      'The edge password in secrets.json is not base64url text of 16 to 128 characters.'
    throw new OperatorError('bad_secret', message, {
      hint: 'Restore secrets.json, or delete it to get new secrets.',
    })
  }
  const { rowCount } = await pool.query('select from pg_roles where rolname = $1', [EDGE_LOGIN])
  await pool.query(
    `${rowCount === 0 ? 'create' : 'alter'} role ${EDGE_LOGIN} login password '${password}' connection limit 32`,
  )
  await pool.query(`grant booktape_reader to ${EDGE_LOGIN}`)
  await pool.query(`alter role ${EDGE_LOGIN} set default_transaction_read_only = on`)
  await pool.query(`alter role ${EDGE_LOGIN} set statement_timeout = '5s'`)
}
