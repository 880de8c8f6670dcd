/**
 * Recognizes repeated events in streams whose ts_exchange is the receive time. There the same event
 * has another time, and so another key, on every socket: the tables cannot recognize it.
 *
 * An event is a repetition if a socket delivered its id before. What one socket lost, another may
 * still deliver. Only the newest ids of a socket are remembered (REMEMBERED_MAX); it is assumed to
 * have delivered all older ones. A new event may be late: while a socket is being replaced, the old
 * one may lag behind the new one. A late event takes the time of the first received event with a
 * larger id, because rows are ordered by id.
 *
 * Everything received before a restart of the writer counts as one run without a start. An event
 * that is late in the second of the restart is dropped.
 */
import { type Micros, micros } from '#core/time.ts'
import { OVERLAP_US, type SequencedEvent, type StreamState, UNHEARD } from './sequence-state.ts'

export interface RepeatWatch {
  /** ts_exchange of the event's row; undefined if the event already has a row. */
  take(event: Heard): Micros | undefined
}

type Heard = Pick<SequencedEvent, 'id' | 'connection'> & { readonly ts: Micros }

/** What one socket delivered without interruption. */
interface Run {
  readonly connection: number | undefined
  readonly first_id: number
  readonly first_ts: Micros
  last_id: number
  last_ts: Micros
  /** Its newest ids, ascending, and when each was received. */
  ids: number[]
  times: Micros[]
}

/** The socket, its successor, and an abandoned one. */
const RUNS_MAX = 3
/** Ten seconds of a busy stream. */
const REMEMBERED_MAX = 4_096

/** `state`: the stream's state before the first event; undefined for a new stream. */
export function createRepeatWatch(state: StreamState | undefined): RepeatWatch {
  let runs: readonly Run[] =
    state === undefined || state.last_id === UNHEARD ? [] : [runBefore(state)]
  return {
    take({ id, connection, ts }) {
      const near = runs.filter((run) => ts >= run.last_ts && ts <= run.last_ts + OVERLAP_US)
      const is_repeated = near.some((run) => hasBrought(run, id))
      const own = runs.find((run) => run.connection === connection)
      const after = near.map((run) => (run === own && id < run.first_id ? ts : timeAfter(run, id)))
      if (own === undefined || id < own.first_id || ts < own.last_ts) {
        const range = { first_id: id, first_ts: ts, last_id: id, last_ts: ts }
        const begun = { connection, ...range, ids: [id], times: [ts] }
        runs = [begun, ...runs.filter((run) => run !== own)].slice(0, RUNS_MAX)
      } else {
        remember(own, id, ts)
      }
      return is_repeated ? undefined : micros(Math.min(ts, ...after))
    },
  }
}

function runBefore({ last_id, ts_exchange }: StreamState): Run {
  const ts = ts_exchange
  const range = { first_id: 0, first_ts: ts, last_id, last_ts: ts }
  return { connection: undefined, ...range, ids: [], times: [] }
}

function hasBrought({ first_id, last_id, ids }: Run, id: number): boolean {
  if (id < first_id || id > last_id) return false
  const oldest = ids[0]
  return oldest === undefined || id < oldest || ids[indexFrom(ids, id)] === id
}

/** When the run's first event after this id was received; Infinity if there is none. */
function timeAfter({ first_id, first_ts, ids, times }: Run, id: number): number {
  if (id < first_id) return first_ts
  return times[indexFrom(ids, id + 1)] ?? Infinity
}

function remember(run: Run, id: number, ts: Micros): void {
  const { ids, times } = run
  run.last_ts = ts
  if (id > run.last_id) {
    ids.push(id)
    times.push(ts)
    run.last_id = id
  } else {
    const index = indexFrom(ids, id)
    if (ids[index] === id) return
    ids.splice(index, 0, id)
    times.splice(index, 0, times[index] ?? ts)
  }
  if (ids.length < 2 * REMEMBERED_MAX) return
  run.ids = ids.slice(-REMEMBERED_MAX)
  run.times = times.slice(-REMEMBERED_MAX)
}

/** Index of the first id that is at least `id`. */
function indexFrom(ids: readonly number[], id: number): number {
  // The id is nearly always the newest, or newer.
  if (ids.length === 0 || id > ids.at(-1)!) return ids.length
  let [low, high] = [0, ids.length - 1]
  while (low < high) {
    const middle = (low + high) >>> 1
    if (ids[middle]! < id) low = middle + 1
    else high = middle
  }
  return low
}
