/** Client messages on a market socket: SUBSCRIBE, UNSUBSCRIBE, LIST_SUBSCRIPTIONS. Pure. */

export type Command =
  | {
      readonly kind: 'subscribe' | 'unsubscribe'
      readonly id: number
      readonly streams: readonly string[]
    }
  | { readonly kind: 'list'; readonly id: number }
  /** Binance's response to an invalid request. */
  | { readonly kind: 'error'; readonly answer: string }

const METHODS = {
  SUBSCRIBE: 'subscribe',
  UNSUBSCRIBE: 'unsubscribe',
  LIST_SUBSCRIPTIONS: 'list',
} as const
const EXPECTED = Object.keys(METHODS)
  .map((name) => `\`${name}\``)
  .join(', ')

export function parseCommand(text: string): Command {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return fail(3, 'Invalid JSON: expected value at line 1 column 1', null)
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return fail(2, 'Invalid request: expected an object', null)
  }
  const { id, method, params } = value as Readonly<Record<string, unknown>>
  if (typeof id !== 'number' || !Number.isSafeInteger(id) || id < 0) {
    return fail(2, 'Invalid request: request ID must be an unsigned integer', null)
  }
  if (typeof method !== 'string') return fail(2, 'Invalid request: missing field `method`', id)
  if (!Object.hasOwn(METHODS, method)) {
    return fail(
      2,
      `Invalid request: unknown variant \`${method.slice(0, 40)}\`, expected one of ${EXPECTED}`,
      id,
    )
  }
  const kind = METHODS[method as keyof typeof METHODS]
  if (kind === 'list') return { kind, id }
  if (!Array.isArray(params)) return fail(2, 'Invalid request: missing field `params`', id)
  if (!params.every((name) => typeof name === 'string')) {
    return fail(2, 'Invalid request: property name must be a string', id)
  }
  return { kind, id, streams: params as readonly string[] }
}

export function resultAnswer(id: number, result: readonly string[] | null = null): string {
  return JSON.stringify({ result, id })
}

export function errorAnswer(code: number, msg: string, id: number | null): string {
  return JSON.stringify({ error: { code, msg }, id })
}

function fail(code: number, msg: string, id: number | null): Command {
  return { kind: 'error', answer: errorAnswer(code, msg, id) }
}
