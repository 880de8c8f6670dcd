/**
 * Refuses a connection pooler that gives every transaction another session of Postgres. Locks that
 * last as long as a session (one run of a job, one migration) would then lock nothing.
 */
import { OperatorError } from '../errors.ts'
import { createPool, type Client, type Pool, withClient } from './pool.ts'

/**
 * Throws OperatorError `transaction_pooler`. Without a pooler this is one statement: Postgres told
 * its process id when the connection began, and a pooler tells one of its own making.
 */
export async function requireSession(pool: Pool): Promise<void> {
  const is_direct = await withClient(pool, async (client) => {
    const { processID } = client as Client & { readonly processID: number | null }
    return (await backendOf(client)) === processID
  })
  if (is_direct) return
  const database_url = pool.options.connectionString!
  const trial = createPool(database_url, 'booktape-session-check', 2)
  try {
    const [one, other] = [await trial.connect(), await trial.connect()]
    try {
      if (await shareSessions(one, other)) throw transactionPooler()
    } finally {
      one.release(true)
      other.release(true)
    }
  } finally {
    await trial.end()
  }
}

/** True where two connections, or two transactions of one, do not have sessions of their own. */
async function shareSessions(one: Client, other: Client): Promise<boolean> {
  const before = await backendOf(one)
  // Held by its transaction, the session of `other` cannot be given to `one`.
  await other.query('begin')
  if ((await backendOf(other)) === before) return true
  return (await backendOf(one)) !== before
}

async function backendOf(client: Client): Promise<number> {
  const { rows } = await client.query<{ pid: number }>('select pg_backend_pid() as pid')
  return rows[0]!.pid
}

function transactionPooler(): OperatorError {
  return new OperatorError(
    'transaction_pooler',
    'DATABASE_URL leads to a pooler that shares sessions of Postgres between transactions.',
    {
      hint: 'Name the direct port of Postgres, or a pooler in session mode; only the gateway may use a pooler in transaction mode.',
    },
  )
}
