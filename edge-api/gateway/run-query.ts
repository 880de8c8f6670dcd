/**
 * Runs one statement of a caller so that it can only read. The extended protocol allows a single
 * statement, and it must be a SELECT. It runs in a read-only transaction with a timeout, which is
 * always rolled back: that undoes any SET inside the statement. The login has no other rights than
 * SELECT anyway.
 */
import { OperatorError } from '#core/errors.ts'
import { sendAgainIfLost } from '#core/lost-connections.ts'
import { isStatementError } from '#core/node/pool.ts'
import { isAway } from './answers.ts'
import type { GatewayLimits } from './config.ts'
import type { Answer, Connection, Statement } from './connection.ts'
import type { Connections } from './connections.ts'

/**
 * Functions that a reader may call in a read-only transaction although they affect others: they end
 * sessions, write to the log, or run SQL from strings, which could hide such names. Identifiers
 * with escapes could hide them too.
 */
const REFUSED = new RegExp(
  [
    '\\bpg_(?:terminate|cancel)_backend\\b',
    '\\bpg_(?:logical|replication|notify|reload|rotate|switch|create|drop|stat_reset)\\w*',
    '\\b(?:query|cursor|table|schema|database)_to_xml\\w*',
    '\\bts_(?:stat|rewrite)\\b',
    // Jobs and migrations use these locks. The next ones use up transaction ids or leave a file.
    '\\bpg_(?:try_)?advisory_\\w+',
    '\\b(?:txid_current|pg_current_xact_id)\\b',
    '\\bpg_export_snapshot\\b',
    '\\b(?:lo|dblink)_\\w+|\\bdblink\\b',
    '\\bu&"',
  ].join('|'),
  'i',
)

export async function runQuery(
  connections: Connections,
  statement: Statement,
  limits: GatewayLimits,
): Promise<Answer> {
  if (!/^\s*(?:select|with)\b/i.test(statement.query)) {
    throw new OperatorError('not_a_select', 'A statement must begin with SELECT or WITH.')
  }
  const function_name = REFUSED.exec(statement.query)?.[0]
  if (function_name !== undefined) {
    throw new OperatorError('function_refused', `${function_name} is not allowed in a query.`)
  }
  return run(connections, statement, limits, false)
}

/** A statement of ours, with parameters of callers. */
export function runOwnQuery(
  connections: Connections,
  statement: Statement,
  limits: GatewayLimits,
): Promise<Answer> {
  return run(connections, statement, limits, true)
}

function run(
  connections: Connections,
  statement: Statement,
  limits: GatewayLimits,
  is_ours: boolean,
): Promise<Answer> {
  let was_kept = false
  const read = async (): Promise<Answer> => {
    const connection = await connections.take()
    was_kept = connection.was_kept
    try {
      const answer = await connection.read(statement, limits, is_ours)
      connections.giveBack(connection)
      return answer
    } catch (error) {
      if (isStatementError(error)) leave(connections, connection)
      else connection.client.release(true)
      // What ended or silenced it may have done so to the others.
      if (isAway(error) || isLost(error)) connections.closeKept()
      throw error
    }
  }
  return sendAgainIfLost(read, (error) => was_kept && isLost(error))
}

/** Neither what Postgres answered to the statement, nor a limit of ours. */
function isLost(error: unknown): boolean {
  return !isStatementError(error) && !(error instanceof OperatorError)
}

/** Ends the transaction of a statement that failed. The caller does not need to wait for it. */
function leave(connections: Connections, connection: Connection): void {
  connection.client.query('rollback; select pg_advisory_unlock_all()').then(
    () => connections.giveBack(connection),
    () => connection.client.release(true),
  )
}
