/**
 * The tools of /mcp. Each calls a route of this API, so checks, limits, caching and access control
 * are those of the route. All tools only read.
 */
import { CHANNELS } from '#core/market.ts'
import { SIGNAL_KINDS } from '#core/signals/signal.ts'
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
  /** Builds the path from `path_arguments`; all other arguments go into the query. */
  readonly path: (argument: (name: string) => string) => string
  readonly path_arguments: readonly string[]
}

const symbol = {
  type: 'string',
  description: 'Symbol as the exchange spells it.',
  examples: ['BTCUSDT'],
}
const exchange = { type: 'string', description: 'Required if several exchanges list the symbol.' }
const moment = (what: string): object => ({
  type: ['string', 'integer'],
  description: `${what} ISO 8601 with a time zone, or a number since 1970 in s, ms or us.`,
})
const range = {
  from: moment('Start of the range, inclusive.'),
  to: moment('End of the range, exclusive.'),
  limit: { type: 'integer', minimum: 1, maximum: 1_000, description: 'Maximum rows; default 100.' },
  cursor: { type: 'string', description: "The cursor in an earlier answer's `next`." },
}

const CANDLE_INTERVALS = ['1m', '5m', '15m', '1h', '4h', '1d']

export const MCP_TOOLS: readonly McpTool[] = [
  {
    name: 'list_datasets',
    title: 'Published datasets',
    description: 'Lists the published datasets, or with `name` all dates of one dataset.',
    inputSchema: objectOf({ name: { type: 'string', examples: ['features_1s'] } }),
    path: (argument) => `/v1/datasets${argument('name') === '' ? '' : `/${argument('name')}`}`,
    path_arguments: ['name'],
  },
  {
    name: 'get_order_book_snapshot',
    title: 'Order book of a symbol',
    description: 'Best levels of the order book now, or at a past time `ts`.',
    inputSchema: objectOf(
      {
        symbol,
        exchange,
        ts: moment('Time of the book; by default the newest book.'),
        depth: { type: 'integer', minimum: 1, maximum: 1_000, description: 'Levels per side.' },
      },
      ['symbol'],
    ),
    path: (argument) => `/v1/book/${argument('symbol')}`,
    path_arguments: ['symbol'],
  },
  {
    name: 'get_trades_slice',
    title: 'Trades of a symbol',
    description: 'Trades in a time range, oldest first; by default the last 5 minutes.',
    inputSchema: objectOf({ symbol, exchange, ...range }, ['symbol']),
    path: (argument) => `/v1/trades/${argument('symbol')}`,
    path_arguments: ['symbol'],
  },
  {
    name: 'get_candles',
    title: 'Candles of a symbol',
    description:
      'Open, high, low, close, volume by taker side and trade count per interval, oldest first; ' +
      'by default the last 100 intervals.',
    inputSchema: objectOf(
      { symbol, exchange, interval: { type: 'string', enum: CANDLE_INTERVALS }, ...range },
      ['symbol'],
    ),
    path: (argument) => `/v1/candles/${argument('symbol')}`,
    path_arguments: ['symbol'],
  },
  {
    name: 'get_open_interest',
    title: 'Open interest of a symbol',
    description:
      'Open interest, its value, and long/short ratios of accounts, top traders and takers, every ' +
      'five minutes, of days that were imported; by default the last day. Give from and to.',
    inputSchema: objectOf({ symbol, exchange, ...range }, ['symbol']),
    path: (argument) => `/v1/open-interest/${argument('symbol')}`,
    path_arguments: ['symbol'],
  },
  {
    name: 'get_funding_rates',
    title: 'Funding that was paid',
    description:
      'Funding rates that were paid, mostly every eight hours, of days that were imported; by ' +
      'default the last 30 days. Give from and to.',
    inputSchema: objectOf({ symbol, exchange, ...range }, ['symbol']),
    path: (argument) => `/v1/funding-rates/${argument('symbol')}`,
    path_arguments: ['symbol'],
  },
  {
    name: 'get_clusters',
    title: 'Footprint bars of a symbol',
    description:
      'What takers bought and sold at each price, per interval, oldest first: delta, point of ' +
      'control, value area, imbalances, unfinished auctions, and the bins themselves. By default ' +
      'the last 100 intervals with bins that follow the market; ask for few bars at a time.',
    inputSchema: objectOf(
      {
        symbol,
        exchange,
        interval: { type: 'string', enum: CANDLE_INTERVALS },
        bin: { type: 'string', description: 'Ticks in a bin, or auto.', examples: ['auto', '10'] },
        ...range,
      },
      ['symbol'],
    ),
    path: (argument) => `/v1/clusters/${argument('symbol')}`,
    path_arguments: ['symbol'],
  },
  {
    name: 'get_signals',
    title: 'Signals of a symbol',
    description:
      'What the footprint or the book showed, each at the time when it was known: stacked ' +
      'imbalance, absorption, exhaustion, delta divergence, unfinished auction, large trade, wall ' +
      'appeared or pulled. Oldest first; by default the last 24 hours. computed_to says how far ' +
      'they are computed.',
    inputSchema: objectOf(
      {
        symbol,
        exchange,
        kind: { type: 'string', enum: [...SIGNAL_KINDS] },
        interval: { type: 'string', enum: ['1m', '5m'], description: 'Length of the bars.' },
        ...range,
      },
      ['symbol'],
    ),
    path: (argument) => `/v1/signals/${argument('symbol')}`,
    path_arguments: ['symbol'],
  },
  {
    name: 'get_gaps',
    title: 'Known gaps of the recording',
    description:
      'Spans in which data is or was missing, with cause and repair. Check them before you draw ' +
      'conclusions from a quiet market. By default the last 24 hours.',
    inputSchema: objectOf({
      symbol,
      exchange,
      channel: { type: 'string', enum: [...CHANNELS] },
      open: { type: 'boolean', description: 'true: only gaps whose events are still missing.' },
      ...range,
    }),
    path: () => '/v1/gaps',
    path_arguments: [],
  },
  {
    name: 'get_features',
    title: 'Features of a symbol',
    description: 'Rows of a feature dataset in a time range; by default the newest complete day.',
    inputSchema: objectOf(
      {
        symbol,
        exchange,
        dataset: { type: 'string', enum: ['features_1s', 'features_100ms', 'labels_1s'] },
        columns: { type: 'string', description: 'Comma-separated names; by default all columns.' },
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
  if ('limit' in tool.inputSchema.properties && !query.has('limit'))
    query.set('limit', LIMIT_DEFAULT)
  return query.size === 0 ? path : `${path}?${query.toString()}`
}

/**
 * Integers outside the tool's bounds, which are tighter than the route's. The route checks
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

/** A value that is neither text nor number becomes JSON, which the route then refuses by name. */
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
