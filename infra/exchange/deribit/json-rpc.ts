/** JSON-RPC 2.0 in Deribit's form: parses calls, writes responses. Pure. */

export interface Call {
  readonly id: number | null
  /** `public/subscribe` */
  readonly method: string
  readonly params: Readonly<Record<string, unknown>>
}

/** An error response to a call. */
export class RpcError extends Error {
  readonly code: number
  readonly data: Readonly<Record<string, unknown>> | undefined

  constructor(code: number, message: string, data?: Readonly<Record<string, unknown>>) {
    super(message)
    this.name = 'RpcError'
    this.code = code
    this.data = data
  }
}

export const invalidParams = (param: string, reason: string): RpcError =>
  new RpcError(-32602, 'Invalid params', { reason, param })

export const tooManyRequests = (): RpcError => new RpcError(10028, 'too_many_requests')

/** Throws an RpcError if the text is not a call. */
export function parseCall(text: string): Call {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    throw new RpcError(-32700, 'Parse error')
  }
  if (!isObject(value)) throw new RpcError(-32600, 'Invalid Request')
  const { id = null, method, params = {} } = value
  if (typeof method !== 'string' || (id !== null && typeof id !== 'number') || !isObject(params)) {
    throw new RpcError(-32600, 'Invalid Request')
  }
  return { id, method, params }
}

/** `took`: when the call came in and when the response goes out [us]. */
export function resultAnswer(
  id: number | null,
  result: unknown,
  took: readonly [number, number],
): string {
  return JSON.stringify({ jsonrpc: '2.0', ...idOf(id), result, ...stamps(took) })
}

export function errorAnswer(
  id: number | null,
  { code, message, data }: RpcError,
  took: readonly [number, number],
): string {
  const error = { message, code, ...(data === undefined ? {} : { data }) }
  return JSON.stringify({ jsonrpc: '2.0', ...idOf(id), error, ...stamps(took) })
}

export function notification(method: string, params: object): string {
  return JSON.stringify({ jsonrpc: '2.0', method, params })
}

function idOf(id: number | null): object {
  return id === null ? {} : { id }
}

function stamps([usIn, usOut]: readonly [number, number]): object {
  return { usIn, usOut, usDiff: usOut - usIn, testnet: false }
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
