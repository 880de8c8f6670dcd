/**
 * Refuses a connection pooler in transaction mode, which may run each transaction in a different
 * Postgres session. Session-level locks (one run of a job, one migration) would then protect
 * nothing.
 */
import { OperatorError } from '../errors.ts'
import { createPool, type Client, type Pool, withClient } from './pool.ts'

/**
 * Throws OperatorError `transaction_pooler`. Without a pooler this costs one statement: the backend
 * pid equals the one that Postgres sent at connection start. A pooler sends a pid it made up.
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

/** True if two connections share a session, or two transactions of one connection do not. */
async function shareSessions(one: Client, other: Client): Promise<boolean> {
  const before = await backendOf(one)
  // The open transaction of `other` holds its session, so the pooler cannot give it to `one`.
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
    'DATABASE_URL points to a connection pooler in transaction mode.',
    {
      hint:
        'Use the direct port of Postgres, or a pooler in session mode. ' +
        'Only the gateway may use a pooler in transaction mode.',
    },
  )
}
