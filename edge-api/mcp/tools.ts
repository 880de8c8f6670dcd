/**
 * The tools of /mcp: each is a question to this API's own routes, so that checks, limits, caching
 * and access are theirs. All of them only read.
 */

import { found, type ParameterError } from '../problem.ts'

export interface McpTool {
  readonly name: string
  readonly title: string
  readonly description: string
  readonly inputSchema: {
    readonly type: 'object'
    readonly properties: Readonly<Record<string, object>>
    readonly required?: string[]
    readonly additionalProperties: false
  }
  /** Arguments that are parts of the path, in its order; all others are of the query. */
  readonly path: (argument: (name: string) => string) => string
  readonly path_arguments: readonly string[]
}

const symbol = { type: 'string', description: 'As the exchange writes it.', examples: ['BTCUSDT'] }
const exchange = { type: 'string', description: 'Needed where several exchanges list the symbol.' }
const moment = (what: string): object => ({
  type: ['string', 'integer'],
  description: `${what} ISO 8601 with a zone, or a number since 1970 in s, ms or us.`,
})
const range = {
  from: moment('First moment of the range.'),
  to: moment('End of the range, not itself in it.'),
  limit: { type: 'integer', minimum: 1, maximum: 1_000, description: 'Rows, 100 without it.' },
  cursor: { type: 'string', description: "The cursor in an earlier answer's `next`." },
}

export const MCP_TOOLS: readonly McpTool[] = [
  {
    name: 'list_datasets',
    title: 'Datasets that are published',
    description: 'Names and dates of the datasets; with `name` all dates of one.',
    inputSchema: objectOf({ name: { type: 'string', examples: ['features_1s'] } }),
    path: (argument) => `/v1/datasets${argument('name') === '' ? '' : `/${argument('name')}`}`,
    path_arguments: ['name'],
  },
  {
    name: 'get_order_book_snapshot',
    title: 'The order book of a symbol',
    description: 'Its best levels now, or at a past moment `ts`, rebuilt from what was recorded.',
    inputSchema: objectOf(
      {
        symbol,
        exchange,
        ts: moment('The moment; without it the newest book.'),
        depth: { type: 'integer', minimum: 1, maximum: 1_000, description: 'Levels of each side.' },
      },
      ['symbol'],
    ),
    path: (argument) => `/v1/book/${argument('symbol')}`,
    path_arguments: ['symbol'],
  },
  {
    name: 'get_trades_slice',
    title: 'Trades of a symbol',
    description: 'In a range of time, oldest first; the newest minutes without one.',
    inputSchema: objectOf({ symbol, exchange, ...range }, ['symbol']),
    path: (argument) => `/v1/trades/${argument('symbol')}`,
    path_arguments: ['symbol'],
  },
  {
    name: 'get_features',
    title: 'Features of a symbol',
    description: 'Rows of a feature dataset in a range of time; the newest finished day without one.',
    inputSchema: objectOf(
      {
        symbol,
        exchange,
        dataset: { type: 'string', enum: ['features_1s', 'features_100ms', 'labels_1s'] },
        columns: { type: 'string', description: 'Names with commas between; all without it.' },
        ...range,
      },
      ['symbol'],
    ),
    path: (argument) => `/v1/features/${argument('symbol')}`,
    path_arguments: ['symbol'],
  },
]

const LIMIT_DEFAULT = '100'

/** The path of this API that answers the call. */
export function pathOf(tool: McpTool, args: Readonly<Record<string, unknown>>): string {
  const path = tool.path((name) => encodeURIComponent(textOf(args[name])))
  const query = new URLSearchParams()
  for (const [name, value] of Object.entries(args)) {
    if (!tool.path_arguments.includes(name)) query.set(name, textOf(value))
  }
  if ('limit' in tool.inputSchema.properties && !query.has('limit')) query.set('limit', LIMIT_DEFAULT)
  return query.size === 0 ? path : `${path}?${query.toString()}`
}

/**
 * Whole numbers outside of the tool's own bounds: those are lower than the route's, which checks
 * everything else.
 */
export function wrongArguments(
  { inputSchema: { properties } }: McpTool,
  args: Readonly<Record<string, unknown>>,
): readonly ParameterError[] {
  return Object.entries(args).flatMap(([parameter, value]) => {
    const { type, minimum = 1, maximum } = (properties[parameter] ?? {}) as IntegerSchema
    if (type !== 'integer' || maximum === undefined) return []
    const text = textOf(value)
    const is_inside = /^\d{1,6}$/.test(text) && Number(text) >= minimum && Number(text) <= maximum
    const allowed = `a whole number from ${minimum} to ${maximum}`
    return is_inside ? [] : [{ parameter, found: found(text), allowed }]
  })
}

interface IntegerSchema {
  readonly type?: unknown
  readonly minimum?: number
  readonly maximum?: number
}

/** What is no text and no number is refused by the route, under the argument's own name. */
function textOf(value: unknown): string {
  if (value === undefined) return ''
  return (typeof value === 'string' ? value : JSON.stringify(value)).toWellFormed()
}

function objectOf(
  properties: Readonly<Record<string, object>>,
  required: string[] = [],
): McpTool['inputSchema'] {
  return { type: 'object', properties, required, additionalProperties: false }
}
