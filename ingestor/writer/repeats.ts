/**
 * Knows an event that came before, for streams whose ts_exchange is the receive time: there the
 * same event has another time, and so another key, on every socket, and the tables cannot tell.
 *
 * A socket brings a stream whole from its first event to its last. So an event is a repetition if
 * its id lies within what another socket brought, and else it is new. A new one may be late: while
 * a socket is being replaced, the old one may be behind the point where the new one began. It takes
 * the time of the first event that was heard after it, for the order of the rows is that of ids.
 *
 * What was heard before a restart of the writer counts as one run without a beginning: of an event
 * that was late in that very second nothing is kept.
 */
import { type Micros, micros } from '#core/time.ts'
import { OVERLAP_US, type SequencedEvent, type StreamState, UNHEARD } from './sequence.ts'

export interface RepeatWatch {
  /** ts_exchange of the event's row; undefined where it has a row already. */
  take(event: Heard): Micros | undefined
}

type Heard = Pick<SequencedEvent, 'id' | 'connection'> & { readonly ts: Micros }

/** What one socket brought without interruption. */
interface Run {
  readonly connection: number | undefined
  readonly first_id: number
  readonly first_ts: Micros
  last_id: number
  last_ts: Micros
}

/** The socket, its successor, and one that was given up. */
const RUNS_MAX = 3

/** `state`: as far as the stream was heard before; undefined where that is nothing. */
export function createRepeatWatch(state: StreamState | undefined): RepeatWatch {
  let runs: readonly Run[] =
    state === undefined || state.last_id === UNHEARD ? [] : [runBefore(state)]
  return {
    take({ id, connection, ts }) {
      const near = runs.filter((run) => ts >= run.last_ts && ts <= run.last_ts + OVERLAP_US)
      const is_repeated = near.some((run) => run.first_id <= id && id <= run.last_id)
      const behind = near.filter((run) => run.connection !== connection && run.first_id > id)
      const own = runs.find((run) => run.connection === connection)
      if (own === undefined || id < own.first_id || ts < own.last_ts) {
        const begun = { connection, first_id: id, first_ts: ts, last_id: id, last_ts: ts }
        runs = [begun, ...runs.filter((run) => run !== own)].slice(0, RUNS_MAX)
      } else {
        own.last_id = Math.max(own.last_id, id)
        own.last_ts = ts
      }
      if (is_repeated) return undefined
      return micros(Math.min(ts, ...behind.map((run) => run.first_ts)))
    },
  }
}

function runBefore({ last_id, ts_exchange }: StreamState): Run {
  const ts = ts_exchange
  return { connection: undefined, first_id: 0, first_ts: ts, last_id, last_ts: ts }
}
