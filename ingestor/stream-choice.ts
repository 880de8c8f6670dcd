/** Which streams are recorded: the requested ones that the exchange has. */
import { OperatorError } from '#core/errors.ts'
import type { Logger } from '#core/node/log.ts'
import type { ExchangeAdapter, StreamChoice } from './exchanges/adapter.ts'
import { chooseDepth } from './listing.ts'
import type { SymbolChannel } from './tape/record.ts'
import type { RestClient } from './transport/rest-client.ts'
import type { DepthSymbols } from './desired-state.ts'

/** Throws if the exchange has none of the channels. */
export function availableChoice(choice: StreamChoice, adapter: ExchangeAdapter): StreamChoice {
  const channels = choice.channels.filter((channel) => adapter.channels.includes(channel))
  if (channels.length > 0) return { ...choice, channels }
  throw new OperatorError(
    'no_channels',
    `${adapter.exchange} has none of the channels ${choice.channels.join(', ')}.`,
    { hint: `Set CHANNELS to some of ${adapter.channels.join(', ')}.` },
  )
}

/** Adds the symbols whose books are recorded. Queries the exchange if turnover decides. */
export async function withDepthSymbols(
  choice: StreamChoice,
  wanted: DepthSymbols,
  symbols: readonly string[],
  rest: RestClient,
  adapter: ExchangeAdapter,
  log: Logger,
  signal: AbortSignal,
): Promise<StreamChoice> {
  if (choice.depth === undefined || !choice.channels.includes('depth_events')) return choice
  const whose = await chooseDepth(wanted, symbols, rest, adapter, log, signal)
  signal.throwIfAborted()
  return { ...choice, depth: { ...choice.depth, symbols: whose } }
}

/** True if missed trades can be requested by id. */
export function canRepair(choice: StreamChoice, adapter: ExchangeAdapter): boolean {
  return choice.channels.includes('trades') && adapter.trade_ids !== 'loose'
}

/** Symbols whose trades are among the streams. */
export function tradeSymbols(streams: readonly SymbolChannel[]): readonly string[] {
  return streams.filter((stream) => stream.channel === 'trades').map((stream) => stream.symbol)
}
