/**
 * What is recorded, from the first listing on: the choice of symbols, channels and books, changed
 * by the exchange's listing and by the operator. A change is planned first, which may send requests
 * to the exchange, and then applied in one turn of the event loop.
 */
import { isDeepStrictEqual } from 'node:util'
import { OperatorError } from '#core/errors.ts'
import type { Logger } from '#core/node/log.ts'
import type { SnapshotQueue } from './books/snapshot-queue.ts'
import type { IngestorConfig } from './config.ts'
import type {
  DepthChoice,
  ExchangeAdapter,
  ParsedListing,
  StreamChoice,
} from './exchanges/adapter.ts'
import { createListedSymbols, type ListedSymbols, type SymbolChange } from './listed-symbols.ts'
import type { Listening } from './listening.ts'
import { depthSymbols, readTurnover } from './listing.ts'
import { availableChoice, withDepthSymbols } from './stream-choice.ts'
import { createNameFinder } from './symbol-names.ts'
import type { RestClient } from './transport/rest-client.ts'
import type { StreamChange } from './transport/transport.ts'
import type { DepthSymbols, DesiredState } from './desired-state.ts'

export interface ChangePlan {
  /** With the exchange's spelling of symbols. */
  readonly wanted: DesiredState
  readonly symbols: SymbolChange
  readonly streams: StreamChange
  /** REST weight of the snapshots to request. */
  readonly rest_weight: number
  readonly rest_weight_per_minute: number
  /** Shortest time until every stream is subscribed and every new book was requested. */
  readonly duration_s: number
  readonly choice: StreamChoice
}

export interface SteeringOptions {
  readonly config: Pick<IngestorConfig, 'choice' | 'shard' | 'rest_weight_per_minute'>
  readonly adapter: ExchangeAdapter
  readonly wanted: DesiredState
  /** The symbols were kept from an earlier run, in which all of them were listed. */
  readonly is_kept: boolean
  /** The operator has steered: the environment may name books of symbols that are deselected. */
  readonly is_steered: boolean
  readonly rest: RestClient
  readonly listening: Listening
  readonly snapshots: Pick<SnapshotQueue, 'forget'>
  readonly log: Logger
  /** Called with the first choice and after every change. */
  onChosen(symbols: readonly string[], choice: StreamChoice): void
}

export interface Steering extends Pick<ListedSymbols, 'names' | 'left_out_count' | 'mayRest'> {
  readonly wanted: DesiredState
  /** Resolves once every subscription was acknowledged. */
  begin(listing: ParsedListing, signal: AbortSignal): Promise<void>
  takeListing(listing: ParsedListing): void
  /** Errors: not_started; any error of an invalid choice; those of RestClient.get. */
  plan(wanted: DesiredState): Promise<ChangePlan>
  /** The result may differ from the plan if the listing has changed since. */
  apply(plan: ChangePlan): StreamChange
}

export function createSteering(options: SteeringOptions): Steering {
  return new StreamSteering(options)
}

class StreamSteering implements Steering {
  readonly #options: SteeringOptions
  readonly #symbols: ListedSymbols
  #wanted: DesiredState
  /** Undefined before the first listing. */
  #choice: StreamChoice | undefined

  constructor(options: SteeringOptions) {
    const { config, wanted, log } = options
    this.#options = options
    this.#wanted = wanted
    this.#symbols = createListedSymbols({ symbols: wanted.symbols, shard: config.shard }, log)
    // Throw now if the exchange has none of the channels, not after its listing was requested.
    this.#choiceOf(wanted)
  }

  get wanted(): DesiredState {
    return this.#wanted
  }

  get names(): readonly string[] {
    return this.#symbols.names
  }

  get left_out_count(): number {
    return this.#symbols.left_out_count
  }

  mayRest(symbol: string): boolean {
    return this.#symbols.mayRest(symbol)
  }

  async begin(listing: ParsedListing, signal: AbortSignal): Promise<void> {
    const { adapter, is_kept, is_steered, listening, rest, log } = this.#options
    this.#symbols.begin(listing, is_kept)
    const { names } = this.#symbols
    const choice = this.#choiceOf(this.#wanted)
    const { depth: asked } = this.#wanted
    const depth = is_steered ? amongNames(asked, names) : asked
    const chosen = await withDepthSymbols(choice, depth, names, rest, adapter, log, signal)
    this.#choice = chosen
    if (this.#wanted.recording === 'paused') listening.hold('operator')
    this.#options.onChosen(names, chosen)
    await listening.begin(names, chosen, this.#symbols.active)
  }

  takeListing(listing: ParsedListing): void {
    const change = this.#symbols.takeListing(listing)
    if (change === undefined || this.#choice === undefined) return
    const { listening, snapshots, log, onChosen } = this.#options
    listening.setStreams(this.#symbols.names, this.#choice, 'delisted')
    onChosen(this.#symbols.names, this.#choice)
    snapshots.forget(change.removed)
    log.info({ ...change }, 'The listing changed; symbols were added or removed.')
  }

  async plan(asked: DesiredState): Promise<ChangePlan> {
    const { listening } = this.#options
    const now = this.#choice
    if (now === undefined) throw notStarted()
    const wanted = { ...asked, symbols: this.#symbols.named(asked.symbols) }
    const names = this.#symbols.choose(wanted.symbols)
    const choice = await this.#planChoice(wanted, names, now)
    const before = new Set(this.#symbols.names)
    const after = new Set(names)
    const symbols = {
      added: names.filter((symbol) => !before.has(symbol)),
      removed: [...before].filter((symbol) => !after.has(symbol)),
    }
    const was_paused = listening.holds.has('operator')
    const streams = inAll(listening.compare(names, choice), was_paused, wanted)
    return { wanted, symbols, streams, choice, ...this.#cost(streams) }
  }

  apply({ wanted, choice }: ChangePlan): StreamChange {
    const { listening, snapshots, onChosen } = this.#options
    const was_paused = listening.holds.has('operator')
    this.#symbols.take(wanted.symbols)
    const { names } = this.#symbols
    // First, so that new streams are not opened just to be closed.
    if (wanted.recording === 'paused') listening.hold('operator')
    const change = listening.setStreams(names, choice, 'operator')
    this.#wanted = wanted
    this.#choice = choice
    onChosen(names, choice)
    const books = change.removed.filter(({ channel }) => channel === 'depth_events')
    snapshots.forget(books.map(({ symbol }) => symbol))
    if (wanted.recording === 'recording') listening.release('operator')
    return inAll(change, was_paused, wanted)
  }

  #choiceOf({ channels }: DesiredState): StreamChoice {
    const { config, adapter } = this.#options
    return availableChoice({ ...config.choice, channels }, adapter)
  }

  /** Keeps the choice of books if the change is about something else. */
  async #planChoice(
    wanted: DesiredState,
    names: readonly string[],
    now: StreamChoice,
  ): Promise<StreamChoice> {
    const { rest, adapter } = this.#options
    const choice = this.#choiceOf(wanted)
    if (choice.depth === undefined || !choice.channels.includes('depth_events')) return choice
    const { depth } = wanted
    const is_asked = !isDeepStrictEqual(depth, this.#wanted.depth)
    const kept = depthNamesOf(now)
    // An earlier choice of books may name symbols that this change removes.
    const asked = is_asked ? depth : amongNames(depth, names)
    const ask = (): Promise<ReadonlyMap<string, number>> => readTurnover(rest, adapter)
    const symbols = await depthSymbols(asked, names, ask, is_asked ? [] : kept)
    return { ...choice, depth: { ...choice.depth, symbols } }
  }

  #cost({
    added,
  }: StreamChange): Pick<ChangePlan, 'rest_weight' | 'rest_weight_per_minute' | 'duration_s'> {
    const { adapter, config } = this.#options
    const { limits, rest_limits, depthSnapshot } = adapter
    const books = new Set(
      added.filter(({ channel }) => channel === 'depth_events').map(({ symbol }) => symbol),
    )
    const rest_weight = [...books].reduce(
      (sum, symbol) => sum + (depthSnapshot?.(symbol).weight ?? 0),
      0,
    )
    const rest_weight_per_minute =
      config.rest_weight_per_minute ?? rest_limits.weight_per_minute_max
    const message_count = Math.ceil(added.length / limits.streams_per_subscribe_max)
    const subscribe_s = message_count / limits.messages_per_second_max
    const duration_s = Math.ceil(Math.max(subscribe_s, (rest_weight / rest_weight_per_minute) * 60))
    return { rest_weight, rest_weight_per_minute, duration_s }
  }
}

/** A pause ends every stream, and its end starts every stream. */
function inAll(
  { added, removed, kept }: StreamChange,
  was_paused: boolean,
  { recording }: DesiredState,
): StreamChange {
  const is_paused = recording === 'paused'
  if (is_paused && !was_paused) return { added: [], removed: [...kept, ...removed], kept: [] }
  if (was_paused && !is_paused) return { added: [...kept, ...added], removed: [], kept: [] }
  return { added, removed, kept }
}

/** Leaves out the books of symbols that are not recorded now. */
function amongNames(depth: DepthSymbols, names: readonly string[]): DepthSymbols {
  if (depth.kind !== 'named') return depth
  const find = createNameFinder(names)
  return { ...depth, symbols: depth.symbols.filter((name) => find(name).kind === 'found') }
}

function depthNamesOf({ depth }: StreamChoice): readonly string[] {
  const symbols: DepthChoice['symbols'] = depth?.symbols ?? 'all'
  return symbols === 'all' ? [] : symbols
}

function notStarted(): OperatorError {
  const message = "The ingestor has not read the exchange's listing yet."
  const hint = 'Try again in a few seconds. GET /status shows its state.'
  return new OperatorError('not_started', message, { hint, retryable: true })
}
