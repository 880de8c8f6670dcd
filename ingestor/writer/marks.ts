/** What a mark on the tape means for the streams: which are lost, covered again, or ended. */
import { CHANNELS, type GapCause } from '#core/market.ts'
import { type Exchange, isSymbolName } from '#core/symbols.ts'
import type { Micros } from '#core/time.ts'
import type { BookKeeper } from '../books/keeper.ts'
import type { Mark, SymbolChannel } from '../tape/record.ts'
import { carryOn, endQuiet, expectAgain, loseStream, reopen, resumeQuiet } from './losses.ts'
import type { GapBounds } from './gap-bounds.ts'
import { hasEnded, unheardState } from './sequence-state.ts'
import type { StreamEntry, StreamTable } from './stream-table.ts'

export interface MarkReader {
  /** `now`: the mark's time. `heard_until`: the last time the tape shows a live connection. */
  take(
    mark: Exclude<Mark, { kind: 'cut' }>,
    exchange: Exchange,
    now: Micros,
    heard_until: Micros | undefined,
  ): void
  /** The known ones are lost. Without `lost_at` they were lost at their last event. */
  lose(
    streams: Iterable<StreamEntry>,
    cause: GapCause,
    lost_at: Micros | undefined,
    heard_until?: Micros,
  ): void
}

export function createMarkReader(
  streams: StreamTable,
  addGaps: (stream: StreamEntry, gaps: readonly GapBounds[]) => void,
  books: Pick<BookKeeper, 'noteLost'> | undefined,
): MarkReader {
  const lose: MarkReader['lose'] = (lost, cause, lost_at, heard_until) => {
    for (const stream of lost) {
      const { state } = stream
      if (state === undefined) continue
      addGaps(stream, loseStream(state, cause, lost_at ?? state.ts_ingest, heard_until))
      streams.touch(stream)
      if (stream.channel === 'depth_events') books?.noteLost(stream.exchange, stream.symbol)
    }
  }
  /** Returns the streams and adds those that were unknown. */
  const listenedTo = (exchange: Exchange, names: readonly SymbolChannel[], since: Micros) =>
    names.map(({ symbol, channel }) => {
      const stream = streams.of(exchange, symbol, channel)
      stream.state ??= unheardState(since)
      streams.touch(stream)
      return stream
    })
  const start = (
    { streams: names, is_whole, listed = [] }: Extract<Mark, { kind: 'started' }>,
    exchange: Exchange,
    now: Micros,
    heard_until: Micros | undefined,
  ): void => {
    const known = new Set([...streams.all()].filter((stream) => stream.state !== undefined))
    const started = new Set(listenedTo(exchange, names, now))
    for (const stream of started) {
      stream.last_change = undefined
      if (!known.has(stream)) continue
      const state = stream.state!
      if (state.deaf_cause === 'delisted') addGaps(stream, reopen(state, now))
      else if (hasEnded(state)) expectAgain(state)
      else lose([stream], 'restart', now, heard_until)
    }
    if (is_whole !== true) return
    const are_listed = new Set(listed)
    for (const stream of known) {
      if (started.has(stream) || hasEnded(stream.state!)) continue
      const cause = are_listed.has(stream.symbol) ? 'operator' : 'delisted'
      lose([stream], cause, now, heard_until)
    }
  }
  /** Leaves books alone: their updates show whether one is missing. */
  const doubt = (
    { streams: names, cause, heard_until }: Extract<Mark, { kind: 'deaf' }>,
    carried_by: number,
    exchange: Exchange,
    now: Micros,
  ): void => {
    for (const stream of listenedTo(exchange, names, now)) {
      addGaps(stream, loseStream(stream.state!, cause, now, heard_until, carried_by))
    }
  }
  return {
    lose,
    take(mark, exchange, now, heard_until) {
      switch (mark.kind) {
        case 'alive':
          return
        case 'started':
          return start(mark, exchange, now, heard_until)
        case 'deaf':
          if (mark.carried_by !== undefined) return doubt(mark, mark.carried_by, exchange, now)
          return lose(listenedTo(exchange, mark.streams, now), mark.cause, now, mark.heard_until)
        case 'carried':
          for (const stream of streams.named(exchange, mark.streams)) {
            if (stream.state === undefined) continue
            carryOn(stream.state, mark.connection)
            streams.touch(stream)
          }
          return
        case 'newest':
          for (const stream of streams.named(exchange, mark.streams)) {
            if (stream.state === undefined) continue
            addGaps(stream, endQuiet(stream.state, mark.newest_id, mark.ts_exchange, now))
            streams.touch(stream)
          }
          return
        case 'ended':
          return lose(
            streams.named(exchange, mark.streams),
            mark.cause ?? 'delisted',
            now,
            heard_until,
          )
        case 'heard':
          for (const stream of streams.named(exchange, mark.streams)) {
            if (stream.state === undefined) continue
            addGaps(stream, resumeQuiet(stream.state, now, mark.connection))
            streams.touch(stream)
          }
      }
    },
  }
}

const KINDS: readonly Mark['kind'][] = [
  'started',
  'deaf',
  'carried',
  'heard',
  'newest',
  'ended',
  'alive',
  'cut',
]

/** Undefined if it is not a mark that this build knows. */
export function parseMark(payload: Buffer): Mark | undefined {
  try {
    const mark = JSON.parse(payload.toString('utf8')) as Mark
    const names = 'streams' in mark ? mark.streams : []
    const are_named = names.every(
      ({ symbol, channel }) => isSymbolName(symbol) && CHANNELS.includes(channel),
    )
    return KINDS.includes(mark.kind) && are_named ? mark : undefined
  } catch {
    return undefined
  }
}
