/**
 * One statement with its limits, sent in one piece of the extended protocol, so that it takes one
 * round trip. A caller's statement runs in a read-only transaction that is rolled back; after an
 * error Postgres skips the rest up to the Sync, so the transaction then is still open. A statement
 * of ours needs no such transaction: Postgres ends its own at the Sync.
 */
import type { DatabaseError, Submittable } from 'pg'

/** A column of the answer, as Postgres describes it. */
export interface Field {
  readonly name: string
  readonly tableID: number
  readonly columnID: number
  readonly dataTypeID: number
  readonly dataTypeSize: number
  readonly dataTypeModifier: number
  readonly format: 'text'
}

export interface ReadOnlyQuery {
  readonly query: string
  readonly params: readonly (string | number | boolean | null)[]
  readonly timeout_ms: number
  /** Ours: it is known to read only. */
  readonly is_ours: boolean
  onFields(fields: readonly Field[]): void
  /** Values in Postgres's text format. */
  onRow(values: readonly (string | null)[]): void
  /** `command`: its tag without counts, such as SELECT. */
  onEnd(command: string): void
  onError(error: unknown): void
}

/** The part of pg's connection that is used. */
interface Connection {
  readonly stream: { cork(): void; uncork(): void }
  parse(statement: { readonly text: string; readonly name: string; readonly types: [] }): void
  bind(portal: {
    readonly portal: string
    readonly statement: string
    readonly values: readonly (string | null)[]
  }): void
  describe(portal: { readonly type: 'P'; readonly name: string }): void
  execute(portal: { readonly portal: string; readonly rows: number }): void
  sync(): void
  sendCopyFail(why: string): void
}

export function readOnlyQuery(wanted: ReadOnlyQuery): Submittable {
  const { before, after } = around(wanted)
  let completed_count = 0
  let command = ''
  let has_failed = false
  const isOwn = (): boolean => completed_count === before.length
  const handlers = {
    submit(connection: Connection) {
      const send = (text: string, params: ReadOnlyQuery['params'], is_described: boolean): void => {
        connection.parse({ text, name: '', types: [] })
        const values = params.map((value) => (value === null ? null : String(value)))
        connection.bind({ portal: '', statement: '', values })
        if (is_described) connection.describe({ type: 'P', name: '' })
        connection.execute({ portal: '', rows: 0 })
      }
      connection.stream.cork()
      for (const text of before) send(text, [], false)
      send(wanted.query, wanted.params, true)
      for (const text of after) send(text, [], false)
      connection.sync()
      connection.stream.uncork()
    },
    handleRowDescription: ({ fields }: { readonly fields: readonly Field[] }) =>
      wanted.onFields(fields),
    handleDataRow({ fields }: { readonly fields: readonly (string | null)[] }) {
      if (isOwn()) wanted.onRow(fields)
    },
    handleCommandComplete({ text }: { readonly text: string }) {
      if (isOwn()) command = text.split(' ')[0]!
      completed_count += 1
    },
    handleEmptyQuery: () => undefined,
    handlePortalSuspended: () => undefined,
    handleCopyInResponse: (connection: Connection) => connection.sendCopyFail('No COPY here.'),
    handleCopyData: () => undefined,
    handleReadyForQuery() {
      if (!has_failed) wanted.onEnd(command)
    },
    handleError(error: DatabaseError) {
      has_failed = true
      wanted.onError(error)
    },
  }
  // pg's type names only submit(), and its connection only as an event emitter.
  return handlers as unknown as Submittable
}

/** Statements before and after the one that is wanted. */
function around({ timeout_ms, is_ours }: ReadOnlyQuery): {
  readonly before: readonly string[]
  readonly after: readonly string[]
} {
  if (is_ours) {
    // SET LOCAL warns outside a block.
    return { before: [`select set_config('statement_timeout', '${timeout_ms}', true)`], after: [] }
  }
  const limit = `set local statement_timeout = ${timeout_ms}`
  const idle = `set local idle_in_transaction_session_timeout = ${timeout_ms}`
  return {
    before: ['begin read only', limit, idle],
    // Advisory locks outlive a rollback.
    after: ['rollback', 'select pg_advisory_unlock_all()'],
  }
}
