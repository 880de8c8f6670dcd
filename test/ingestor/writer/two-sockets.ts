/**
 * A model of a market, its sockets and a lane over them. It writes everything that can happen to
 * sockets, at random, as records of a tape. It follows the rules of ingestor/transport/lane.ts in
 * few lines, and notes what the exchange sent while subscribed and what arrived.
 */
import { createRandom } from '../../../infra/exchange/sim/random.ts'
import type { Mark, SymbolChannel } from '../../../ingestor/tape/record.ts'
import { type Entry, forceOrder, mark, quote, rest, START_MS, trade } from './support.ts'

export interface Sent {
  readonly stream: SymbolChannel
  readonly id: number
  /** Milliseconds after START_MS. */
  readonly ms: number
  has_come: boolean
}

export interface Played {
  readonly entries: readonly Entry[]
  readonly sent: readonly Sent[]
}

export interface Faults {
  /** Sockets die and lose the end of what was in flight. */
  readonly deaths: boolean
  /** kill -9, then a new process up to minutes later. */
  readonly kills: boolean
}

export const STREAMS: readonly SymbolChannel[] = [
  { symbol: 'BTCUSDT', channel: 'trades' },
  { symbol: 'BTCUSDT', channel: 'book_ticker' },
  { symbol: 'ETHUSDT', channel: 'book_ticker' },
  { symbol: 'BTCUSDT', channel: 'liquidations' },
]
/** Each stream's share of all events. */
const SHARES = [0.4, 0.45, 0.1, 0.05]
const ALIVE_WINDOW_MS = 30_000
const OVERLAP_MS_MAX = 60_000

interface Heard {
  count: number
  first_id: number | undefined
  last_id: number | undefined
}

interface Socket {
  readonly connection: number
  readonly heard: readonly Heard[]
  /** In flight to us, in order. */
  queue: (Sent | { readonly pong_for: number } | 'acknowledged' | 'end')[]
  /** From the exchange's side. */
  state: 'connecting' | 'subscribed' | 'gone'
  is_ready: boolean
  ready_at: number
  /** Pinged since this successor was subscribed; and answered. */
  probe_for: number | undefined
  is_answered: boolean
  last_frame_at: number | undefined
}

export function play(seed: number, step_count: number, faults: Faults): Played {
  const random = createRandom(seed)
  const chance = (share: number): boolean => random() < share
  const below = (limit: number): number => Math.floor(random() * limit)
  const entries: Entry[] = []
  const sent: Sent[] = []
  const next_ids = STREAMS.map(() => 100)
  const is_covered = STREAMS.map(() => false)
  const last_spoke = STREAMS.map(() => 0)
  let next_connection = 1
  let now = 0
  let has_asked = false
  let current: Socket | undefined
  let successor: Socket | undefined

  const tell = (content: Mark): void => void entries.push(mark(now, content))
  const open = (): Socket => ({
    connection: next_connection++,
    queue: [],
    state: 'connecting',
    is_ready: false,
    ready_at: 0,
    probe_for: undefined,
    is_answered: false,
    last_frame_at: undefined,
    heard: STREAMS.map(() => ({ count: 0, first_id: undefined, last_id: undefined })),
  })
  const start = (): void => {
    entries.push(rest(now, '/fapi/v1/exchangeInfo', '{"symbols":[]}'))
    now += below(50)
    is_covered.fill(false)
    successor = undefined
    tell({ kind: 'started', is_whole: true, streams: STREAMS })
    current = open()
  }
  const named = (indexes: readonly number[]): readonly SymbolChannel[] =>
    indexes.map((index) => STREAMS[index]!)
  const heardUntil = (socket: Socket | undefined) =>
    socket?.last_frame_at === undefined ? {} : { heard_until: microsOf(socket.last_frame_at) }
  const covered = (): readonly number[] =>
    STREAMS.map((_, index) => index).filter((index) => is_covered[index])
  const noteUncovered = (old: Socket | undefined): void => {
    const lost = covered().filter(() => current?.is_ready !== true)
    for (const index of lost) is_covered[index] = false
    if (lost.length > 0)
      tell({ kind: 'deaf', cause: 'disconnect', streams: named(lost), ...heardUntil(old) })
  }
  const compare = (old: Socket, fresh: Socket) => {
    const missing: number[] = []
    const lagging: number[] = []
    for (const [index, mine] of old.heard.entries()) {
      const other = fresh.heard[index]!
      const is_alive = mine.count > 0 && now - last_spoke[index]! < ALIVE_WINDOW_MS
      if (is_alive && other.count === 0) missing.push(index)
      if (other.first_id !== undefined && (mine.last_id ?? -1) < other.first_id) lagging.push(index)
    }
    return { missing, lagging }
  }
  const promote = (fresh: Socket, in_doubt: readonly number[]): void => {
    const old = current
    current = fresh
    successor = undefined
    noteUncovered(old)
    const carried = fresh.is_ready ? covered() : []
    const sure = carried.filter((index) => !in_doubt.includes(index))
    const doubtful = carried.filter((index) => in_doubt.includes(index))
    if (sure.length > 0)
      tell({ kind: 'carried', connection: fresh.connection, streams: named(sure) })
    if (doubtful.length === 0) return
    tell({
      kind: 'deaf',
      cause: 'disconnect',
      streams: named(doubtful),
      carried_by: fresh.connection,
      ...heardUntil(old),
    })
    const rare = doubtful.filter((index) => STREAMS[index]!.channel === 'liquidations')
    if (rare.length > 0) tell({ kind: 'heard', connection: fresh.connection, streams: named(rare) })
  }
  const giveUp = (): void => {
    successor = undefined
    if (current?.is_ready === true) {
      tell({ kind: 'carried', connection: current.connection, streams: named(covered()) })
    }
  }
  const tryPromote = (): void => {
    if (current === undefined || successor?.is_ready !== true) return
    const { missing, lagging } = compare(current, successor)
    const is_overdue = now - successor.ready_at > OVERLAP_MS_MAX
    if (current.probe_for !== successor.connection) {
      current.probe_for = successor.connection
      current.is_answered = false
      if (current.state === 'subscribed') current.queue.push({ pong_for: successor.connection })
    }
    const { is_answered } = current
    const is_proven = missing.length === 0 && lagging.length === 0 && is_answered
    if (is_proven || (is_overdue && missing.length === 0)) {
      promote(successor, is_answered ? lagging : [...STREAMS.keys()])
    } else if (is_overdue) giveUp()
  }
  const noteEnd = (socket: Socket): void => {
    if (socket === successor) return giveUp()
    if (socket !== current) return
    if (successor !== undefined) {
      const { lagging } = compare(socket, successor)
      return promote(
        successor,
        socket.probe_for === successor.connection && socket.is_answered
          ? lagging
          : [...STREAMS.keys()],
      )
    }
    current = undefined
    noteUncovered(socket)
    current = open()
  }
  const noteFrame = (socket: Socket, event: Sent): void => {
    const index = STREAMS.indexOf(event.stream)
    const heard = socket.heard[index]!
    event.has_come = true
    heard.count++
    heard.first_id ??= event.id
    heard.last_id = event.id
    socket.last_frame_at = now
    is_covered[index] = true
    last_spoke[index] = now
    entries.push({ ...frameOf(event, socket.connection), ts_ingest: microsOf(now) })
  }
  const take = (socket: Socket): void => {
    const item = socket.queue.shift()
    if (item === undefined) return
    if (item === 'end') return noteEnd(socket)
    if (item !== 'acknowledged') {
      if ('stream' in item) return noteFrame(socket, item)
      socket.is_answered ||= item.pong_for === socket.probe_for
      return
    }
    socket.is_ready = true
    socket.ready_at = now
    const is_rare_news = !is_covered[3]
    is_covered.fill(true)
    if (is_rare_news) tell({ kind: 'heard', connection: socket.connection, streams: [STREAMS[3]!] })
  }
  const emit = (index: number): void => {
    const stream = STREAMS[index]!
    const jump = stream.channel === 'book_ticker' ? 1 + below(4) : 1
    const id = stream.channel === 'liquidations' ? START_MS + now : (next_ids[index]! += jump)
    const event: Sent = { stream, id, ms: now, has_come: false }
    for (const socket of sockets()) if (socket.state === 'subscribed') socket.queue.push(event)
    if (has_asked) sent.push(event)
  }
  const sockets = (): readonly Socket[] =>
    [current, successor].filter((socket) => socket !== undefined)
  const settle = (socket: Socket): void => {
    if (socket.state !== 'connecting') return
    socket.state = 'subscribed'
    socket.queue.push('acknowledged')
    has_asked = true
  }
  const strike = (socket: Socket): void => {
    if (socket.state === 'gone') return
    socket.state = 'gone'
    socket.queue = [...socket.queue.slice(0, below(socket.queue.length + 1)), 'end']
  }
  const drain = (): void => {
    for (const socket of sockets()) {
      while (socket.queue.length > 0 && sockets().includes(socket)) take(socket)
    }
  }
  const pick = (): number => {
    let rest_of_it = random()
    return Math.max(
      0,
      SHARES.findIndex((share) => (rest_of_it -= share) < 0),
    )
  }

  start()
  for (let step = 0; step < step_count; step++) {
    now += 1 + below(40)
    // A quiet market: nothing is in flight any more.
    if (chance(0.01)) {
      drain()
      now += below(70_000)
    }
    emit(pick())
    for (const socket of sockets()) {
      if (chance(0.2)) settle(socket)
      // One of them may lag far behind.
      for (let count = below(socket.connection % 3 === 0 ? 2 : 4); count > 0; count--) take(socket)
    }
    if (chance(0.02) && current?.is_ready === true && successor === undefined) {
      // If a third socket opens while the second still lags the first, the ledger reports too much.
      if (!faults.deaths) drain()
      successor = open()
    }
    if (chance(0.3)) tryPromote()
    if (faults.deaths && chance(0.01)) strike(sockets()[below(sockets().length)]!)
    if (!faults.kills || !chance(0.003)) continue
    const away_until = now + below(chance(0.3) ? 300_000 : 2_000)
    while (now < away_until) {
      now += 1 + below(5_000)
      current = undefined
      successor = undefined
      emit(pick())
    }
    start()
  }
  // No fault from now on, and every stream delivers until everything is proven.
  for (let round = 0; round < 8; round++) {
    for (const socket of sockets()) settle(socket)
    drain()
    for (const index of STREAMS.keys()) {
      now += 11_000
      emit(index)
      drain()
    }
    tryPromote()
  }
  return { entries, sent }
}

function microsOf(ms: number) {
  return mark(ms, { kind: 'alive' }).ts_ingest
}

function frameOf({ stream: { symbol, channel }, id, ms }: Sent, connection: number): Entry {
  if (channel === 'trades') return trade(symbol, id, ms, connection)
  if (channel === 'book_ticker') return quote(symbol, id, ms, connection)
  return forceOrder(symbol, ms, connection)
}
