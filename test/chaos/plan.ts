/**
 * Plans the faults: a pure function of the seed, so that failures are reproducible. The kinds are
 * dealt like cards: each occurs once before any repeats. Faults of one actor never overlap; those
 * of different actors do.
 *
 * Only detectable losses are planned. Ids of quotes are not consecutive, so a quote dropped on a
 * healthy socket leaves no trace. Hence drops strike only trades, and a silence of quotes lasts
 * longer than the silence watch needs. There are no clock steps, because the programs read the
 * machine's clock, which a test cannot set.
 */
import type { FaultAction, FrameFault, ConnectionFault } from '../../infra/exchange/faults/spec.ts'
import { createRandom } from '../../infra/exchange/sim/random.ts'

export type Actor = 'ingestor' | 'postgres' | 'exchange'

export type Fault =
  /** kill -9, and a new process after `away_ms`. */
  | { readonly kind: 'ingestor_kill'; readonly away_ms: number }
  /** SIGSTOP and SIGCONT. */
  | { readonly kind: 'ingestor_freeze'; readonly away_ms: number }
  | {
      readonly kind: 'postgres_stop' | 'postgres_kill' | 'postgres_freeze'
      readonly away_ms: number
    }
  /** Postgres frozen and huge frames, until the tape's budget is used up and for `away_ms` more. */
  | { readonly kind: 'tape_full'; readonly away_ms: number }
  /**
   * An operator asks for so many symbols, or for a pause, over the admin API; `then_kill`: kill -9
   * as soon as it is answered. After `away_ms` everything is wanted again.
   */
  | {
      readonly kind: 'operator'
      readonly wish: { readonly count: number } | 'pause'
      readonly then_kill: boolean
      readonly away_ms: number
    }
  | {
      readonly kind: 'exchange'
      readonly faults: readonly (FrameFault | ConnectionFault)[]
      readonly actions: readonly FaultAction[]
      readonly away_ms: number
    }

export interface PlannedFault {
  readonly at_ms: number
  /** Name in the report. */
  readonly name: string
  /** The actors that it strikes, each only after it has recovered from its last fault. */
  readonly actors: readonly Actor[]
  readonly fault: Fault
}

/** Long enough for the silence watch, even after an alarm has doubled its patience. */
const QUOTE_SILENCE_MS = 40_000
/** Shorter runs have no such silence. */
const QUOTE_SILENCE_RUN_MS = 120_000
/** Recovery time of an actor before its next fault. */
const RECOVERY_MS: Readonly<Record<Actor, number>> = {
  ingestor: 2_500,
  postgres: 1_500,
  exchange: 200,
}
const TAPE_FULL_MS = 5_000
/** Time to reconnect, so that frame faults have sockets to strike. */
const RECONNECT_MS = 1_500

/** `is_steered`: an operator changes what is recorded, too. */
export function planFaults(
  seed: number,
  run_ms: number,
  is_steered = false,
): readonly PlannedFault[] {
  const random = createRandom(seed)
  const between = (low: number, high: number): number => Math.round(low + random() * (high - low))
  const free_at: Record<Actor, number> = { ingestor: 3_000, postgres: 1_000, exchange: 500 }
  const plan: PlannedFault[] = []
  for (;;) {
    const steering = is_steered ? operatorCards(between) : []
    const deck = shuffled([...cards(between, run_ms), ...steering], random)
    let dealt_count = 0
    for (const { name, actors, fault, lasts_ms } of deck) {
      const at_ms = Math.max(...actors.map((actor) => free_at[actor])) + between(0, 1_200)
      if (at_ms + lasts_ms > run_ms) continue
      plan.push({ at_ms, name, actors, fault })
      for (const actor of actors) free_at[actor] = at_ms + lasts_ms + RECOVERY_MS[actor]
      dealt_count++
    }
    if (dealt_count === 0) return plan.toSorted((a, b) => a.at_ms - b.at_ms)
  }
}

interface Card {
  readonly name: string
  readonly actors: readonly Actor[]
  readonly fault: Fault
  readonly lasts_ms: number
}

type Between = (low: number, high: number) => number

function cards(between: Between, run_ms: number): readonly Card[] {
  return [
    ...processCards(between),
    ...frameCards(between),
    ...connectionCards(between),
    ...(run_ms < QUOTE_SILENCE_RUN_MS
      ? []
      : [frameCard('silence_of_quotes', silence('*@bookTicker'), QUOTE_SILENCE_MS)]),
  ]
}

function processCards(between: Between): readonly Card[] {
  const card = (
    kind: Exclude<Fault['kind'], 'exchange' | 'operator' | 'tape_full'>,
    actor: Actor,
    away_ms: number,
  ): Card => ({
    name: kind,
    actors: [actor],
    fault: { kind, away_ms },
    lasts_ms: away_ms,
  })
  const full_ms = between(500, 2_000)
  return [
    card('ingestor_kill', 'ingestor', between(0, 2_000)),
    card('ingestor_kill', 'ingestor', between(0, 100)),
    card('ingestor_freeze', 'ingestor', between(300, 3_000)),
    card('postgres_stop', 'postgres', between(500, 4_000)),
    card('postgres_kill', 'postgres', between(0, 2_000)),
    card('postgres_freeze', 'postgres', between(500, 5_000)),
    {
      name: 'tape_full',
      actors: ['postgres', 'exchange', 'ingestor'],
      fault: { kind: 'tape_full', away_ms: full_ms },
      lasts_ms: TAPE_FULL_MS + full_ms,
    },
  ]
}

function operatorCards(between: Between): readonly Card[] {
  const card = (
    name: string,
    wish: Extract<Fault, { kind: 'operator' }>['wish'],
    then_kill: boolean,
  ): Card => {
    const away_ms = between(300, 4_000)
    const fault = { kind: 'operator', wish, then_kill, away_ms } as const
    return { name, actors: ['ingestor'], fault, lasts_ms: away_ms }
  }
  return [
    card('scale', { count: between(1, 100) }, false),
    card('scale_and_kill', { count: between(1, 100) }, true),
    card('pause', 'pause', false),
    card('pause_and_kill', 'pause', true),
  ]
}

function frameCards(between: Between): readonly Card[] {
  const some = (low: number, high: number): number => between(low * 1_000, high * 1_000) / 1_000
  const rank = between(0, BUSY_SYMBOLS.length - 1)
  return [
    frameCard(
      'drop',
      { kind: 'drop', streams: '*@aggTrade', probability: some(0.01, 0.2) },
      between(500, 2_000),
    ),
    frameCard(
      'drop_of_changes',
      { kind: 'drop', streams: '*@depth@100ms', probability: some(0.01, 0.2) },
      between(500, 2_000),
    ),
    frameCard('silence', silence(`${BUSY_SYMBOLS[rank]}@aggTrade`), between(500, 3_000)),
    frameCard(
      'duplicate',
      { kind: 'duplicate', streams: '*', probability: some(0.01, 0.3) },
      between(500, 2_000),
    ),
    frameCard(
      'delay',
      { kind: 'delay', delay_ms: between(5, 500), streams: '*', probability: 0.01 },
      between(500, 1_500),
    ),
    frameCard(
      'corrupt',
      { kind: 'corrupt', streams: '*', probability: some(0.001, 0.02) },
      between(300, 1_500),
    ),
    frameCard(
      'out_of_range',
      { kind: 'out_of_range', streams: '*', probability: 0.005 },
      between(300, 1_500),
    ),
    frameCard(
      'unknown_fields',
      { kind: 'unknown_fields', streams: '*', probability: 0.2 },
      between(300, 1_500),
    ),
    frameCard(
      'unknown_type',
      { kind: 'unknown_type', streams: '*', probability: 0.01 },
      between(300, 1_000),
    ),
    frameCard(
      'bad_utf8',
      { kind: 'bad_utf8', streams: '*', probability: 0.01 },
      between(300, 1_000),
    ),
    frameCard(
      'oversize',
      {
        kind: 'huge',
        size_bytes: 2 * 1024 * 1024,
        streams: '*@bookTicker',
        probability: 1,
        count_max: 1,
      },
      500,
    ),
    frameCard(
      'cut',
      {
        kind: 'cut',
        streams: between(0, 1) === 0 ? '*@aggTrade' : '*',
        probability: 0.01,
        count_max: 1,
      },
      500,
    ),
  ]
}

function connectionCards(between: Between): readonly Card[] {
  const close: FaultAction = { kind: 'close_all' }
  const refuse_ms = between(300, 2_500)
  return [
    connectionCard('close_all', [], [close], 300),
    connectionCard('refuse', [{ kind: 'refuse', for_ms: refuse_ms }], [close], refuse_ms),
    connectionCard(
      'too_many_requests',
      [
        {
          kind: 'http_status',
          target: 'handshake',
          status: 429,
          path: '*',
          retry_after_s: 1,
          for_ms: 500,
        },
      ],
      [close],
      1_000,
    ),
    connectionCard(
      'server_shutdown',
      [],
      [{ kind: 'server_shutdown', close_after_ms: between(100, 2_000) }],
      2_000,
    ),
    connectionCard(
      'close_after',
      [{ kind: 'close_after', after_ms: between(200, 900), for_ms: 1_500 }],
      [close],
      1_500,
    ),
  ]
}

/** Symbols whose streams have several frames per second. */
const BUSY_SYMBOLS = ['btcusdt', 'ethusdt', 'solusdt', 'xrpusdt', 'dogeusdt', 'bnbusdt']

export const CHANNELS = ['book_ticker', 'trades', 'depth_events', 'mark_price', 'liquidations']
/** Symbols whose order books are recorded. */
export const DEPTH_SYMBOLS = BUSY_SYMBOLS.map((symbol) => symbol.toUpperCase())

function silence(streams: string): FrameFault {
  return { kind: 'silence', streams, probability: 1 }
}

function frameCard(name: string, fault: FrameFault, away_ms: number): Card {
  return exchangeCard(
    name,
    { faults: [{ ...fault, for_ms: away_ms }], actions: [], away_ms },
    away_ms,
  )
}

function connectionCard(
  name: string,
  faults: readonly (FrameFault | ConnectionFault)[],
  actions: readonly FaultAction[],
  away_ms: number,
): Card {
  return exchangeCard(name, { faults, actions, away_ms }, away_ms + RECONNECT_MS)
}

function exchangeCard(
  name: string,
  fault: Omit<Extract<Fault, { kind: 'exchange' }>, 'kind'>,
  lasts_ms: number,
): Card {
  return { name, actors: ['exchange'], fault: { kind: 'exchange', ...fault }, lasts_ms }
}

function shuffled<T>(items: readonly T[], random: () => number): readonly T[] {
  const rest = [...items]
  return items.map(() => rest.splice(Math.floor(random() * rest.length), 1)[0]!)
}
