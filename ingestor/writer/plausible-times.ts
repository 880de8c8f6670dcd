/**
 * Judges exchange times against arrival. An impossible time (days ahead, or in 1970) would move
 * offsets, grids and the row to another day.
 *
 * An event is accepted if its time is near its arrival, within the limits of core/time-source.ts. A
 * recording that is replayed over sockets arrives years after its times, and the machine's clock
 * may be wrong. So an event is also accepted if its distance from arrival matches that of the
 * events before it. The first event sets that distance if it lies in the past. If AGREEING_MAX
 * frames in a row agree on another distance, the clock jumped: the events left out before then are
 * taken first.
 */
import { channelOf, type MarketEvent } from '#core/market.ts'
import { isWholeState, REPLAYED_AHEAD_US, TIME_LIMITS } from '#core/time-source.ts'
import { DAY_US, type Micros, toIso } from '#core/time.ts'
import type { OddElement, Parsed } from '../exchanges/adapter.ts'

type ParsedEvents = Extract<Parsed, { kind: 'events' }>

export interface TimeJudge {
  /** Removes events with an implausible time. `is_answer`: REST answers may be about the past. */
  sift(parsed: ParsedEvents, is_answer: boolean): Parsed
}

/** This many frames in a row outweigh those before them. */
const AGREEING_MAX = 5
/** The share by which each event moves the distance: a replay may run faster than real time. */
const SHARE = 1 / 8
/** A larger distance means a replay. */
const REPLAY_DISTANCE_US = DAY_US

/** One judge per exchange, which has one clock. */
export function createTimeJudge(): TimeJudge {
  /** Exchange time minus arrival; undefined while events are near their arrival. */
  let distance_us: number | undefined
  let has_begun = false
  let odd_us = 0
  let agreeing = 0
  /** When the newest of those frames arrived. A frame counts once, however many events it has. */
  let odd_at: Micros | undefined
  /** Events that were left out and agree with each other. */
  let left: MarketEvent[] = []

  const isNear = (event: MarketEvent, off_us: number, is_answer: boolean): boolean => {
    const { ahead_us, behind_us, state_behind_us } = TIME_LIMITS[event.exchange]
    if (off_us >= 0) {
      const is_replay = distance_us !== undefined && distance_us < -REPLAY_DISTANCE_US
      return off_us <= (is_replay ? Math.max(ahead_us, REPLAYED_AHEAD_US) : ahead_us)
    }
    return is_answer || -off_us <= (isWholeState(event) ? state_behind_us : behind_us)
  }
  const isBelieved = (event: MarketEvent, is_answer: boolean): boolean => {
    const off_us = event.ts_exchange - event.ts_ingest
    const { ahead_us } = TIME_LIMITS[event.exchange]
    if (off_us <= ahead_us && isNear(event, off_us, is_answer)) {
      has_begun ||= !is_answer
      return true
    }
    if (is_answer) return distance_us !== undefined && isNear(event, off_us - distance_us, true)
    if (!has_begun && off_us < 0) distance_us = off_us
    has_begun = true
    if (distance_us === undefined || !isNear(event, off_us - distance_us, false)) return false
    distance_us += (off_us - distance_us) * SHARE
    return true
  }
  /** True once enough frames in a row have the same distance. */
  const isAgreedOn = (event: MarketEvent): boolean => {
    const off_us = event.ts_exchange - event.ts_ingest
    const is_same =
      agreeing > 0 && Math.abs(off_us - odd_us) <= TIME_LIMITS[event.exchange].ahead_us
    if (!is_same) left = []
    agreeing = is_same ? agreeing + (event.ts_ingest === odd_at ? 0 : 1) : 1
    odd_us = off_us
    odd_at = event.ts_ingest
    if (agreeing >= AGREEING_MAX) {
      distance_us = off_us
      return true
    }
    left.push(event)
    return false
  }
  const believes = (event: MarketEvent, is_answer: boolean): boolean => {
    if (!isBelieved(event, is_answer)) return !is_answer && isAgreedOn(event)
    // Nearly every event comes here, so nothing is allocated unless events were left out.
    if (!is_answer && agreeing > 0) {
      agreeing = 0
      left = []
    }
    return true
  }
  const sift = (parsed: ParsedEvents, is_answer: boolean): Parsed => {
    const { events } = parsed
    let odd: OddElement[] | undefined
    // Not entries(): every frame comes here, and most have one event.
    for (let index = 0; index < events.length; index++) {
      const event = events[index]!
      if (!believes(event, is_answer)) (odd ??= []).push(oddElement(event, index))
    }
    if (odd === undefined) return parsed
    const [first] = odd
    if (events.length === 1 && first !== undefined) return { kind: 'rejected', ...first }
    const left_out = new Set(odd.map((element) => element.events_before))
    // `events_before` counts only the events that stay.
    const all = [...(parsed.odd ?? []), ...odd]
      .toSorted((a, b) => a.events_before - b.events_before)
      .map((element) => ({
        ...element,
        events_before: element.events_before - countBelow(left_out, element.events_before),
      }))
    return { ...parsed, events: events.filter((_, index) => !left_out.has(index)), odd: all }
  }
  return {
    sift(parsed, is_answer) {
      const sifted = sift(parsed, is_answer)
      if (agreeing < AGREEING_MAX || left.length === 0 || sifted.kind !== 'events') return sifted
      const odd = sifted.odd?.map((element) => ({
        ...element,
        events_before: element.events_before + left.length,
      }))
      const events = [...left, ...sifted.events]
      left = []
      return { ...sifted, events, ...(odd === undefined ? {} : { odd }) }
    },
  }
}

function countBelow(indexes: ReadonlySet<number>, limit: number): number {
  return [...indexes].filter((index) => index < limit).length
}

function oddElement(event: MarketEvent, events_before: number): OddElement {
  const { symbol, ts_exchange, ts_ingest } = event
  const detail = `${symbol} says ${toIso(ts_exchange)} and arrived ${toIso(ts_ingest)}`
  return {
    reason: 'implausible_time',
    detail,
    affected: { symbol, channel: channelOf(event) },
    events_before,
  }
}
