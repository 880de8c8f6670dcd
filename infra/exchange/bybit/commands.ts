/**
 * Client messages on /v5/public/linear (subscribe, unsubscribe, ping) and their responses. Pure.
 */

export interface Command {
  readonly op: string
  readonly req_id: string
  readonly args: readonly string[]
}

/** Undefined if the text is not a command. */
export function parseCommand(text: string): Command | undefined {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return undefined
  }
  if (typeof value !== 'object' || value === null) return undefined
  const { op, req_id = '', args = [] } = value as Readonly<Record<string, unknown>>
  if (typeof op !== 'string' || typeof req_id !== 'string' || !Array.isArray(args)) return undefined
  if (!args.every((name) => typeof name === 'string')) return undefined
  return { op, req_id, args }
}

export function answer(
  { op, req_id }: Pick<Command, 'op' | 'req_id'>,
  conn_id: string,
  ret_msg: string,
  success = true,
): string {
  return JSON.stringify({ success, ret_msg, conn_id, req_id, op })
}
