/**
 * Begins a subscription to footprint bars: with the newest bars, or with those that changed after a
 * cursor. Changes that left memory are computed again by the engine.
 */
import { INTERVAL_US } from '#core/clusters/intervals.ts'
import type { ResumeSource } from '../counts.ts'
import type { Cursor } from '../cursor.ts'
import { Fault } from '../fault.ts'
import type { Session } from '../session.ts'
import type { BarSubscription } from './bar-subscription.ts'
import type { ReadBars } from './engine.ts'

export interface BeginBars {
  readonly readBars: ReadBars
  /** Microseconds. */
  now(): number
  /** Tells the client that its subscription begins after `seq`. */
  sayBegun(seq: number, recovered: boolean | null, source: ResumeSource): void
  noteResume(source: ResumeSource): void
}

/** The open bar and the one before. */
const STATE_BARS = 2
const PAGE_BARS = 100
/** A bar that ended this long ago was final. */
const OPEN_US = 600_000_000

/** Never rejects: it sends the error to the client, which is then not subscribed. */
export async function beginBars(
  session: Session,
  subscription: BarSubscription,
  cursor: Cursor | undefined,
  tools: BeginBars,
): Promise<void> {
  const view = subscription.stream
  const isWanted = (): boolean =>
    session.is_open && session.subscriptions.get(view.key) === subscription
  try {
    await view.ready()
    while (session.waits) await session.drained()
    if (!isWanted()) return
    if (cursor === undefined) {
      const bars = view.newest(STATE_BARS)
      const from = bars.length === 0 ? view.newest_seq : bars[0]!.seq - 1
      subscription.sent = from
      tools.sayBegun(from, null, 'none')
      subscription.send(bars)
      return subscription.follow(view.last)
    }
    const source = cursor.seq >= view.floor ? 'memory' : 'database'
    tools.noteResume(source)
    tools.sayBegun(cursor.seq, true, source)
    if (source === 'memory') return subscription.follow(cursor.seq)
    const mark = view.newest_seq
    await sendPast(session, subscription, cursor.seq, mark, tools, isWanted)
    if (isWanted()) subscription.follow(mark)
  } catch (error) {
    const fault =
      error instanceof Fault ? error : new Fault('history_unavailable', 'Bars cannot be read now.')
    if (isWanted()) session.refuse(subscription, fault)
  }
}

/** Every bar that may have changed after the cursor and up to `mark`, as it is now. */
async function sendPast(
  session: Session,
  subscription: BarSubscription,
  after: number,
  mark: number,
  { readBars, now }: BeginBars,
  isWanted: () => boolean,
): Promise<void> {
  const view = subscription.stream
  const { exchange, symbol, interval, bin } = view.name
  const interval_us = INTERVAL_US[interval]
  let seq = after
  let next: number | null | undefined
  while (next !== null) {
    const page = await readBars({
      exchange,
      symbol,
      interval,
      bin,
      from: Math.max(0, Math.floor((after - OPEN_US) / interval_us - 1) * interval_us),
      to: now() + interval_us,
      order: 'asc',
      limit: PAGE_BARS,
      ...(next === undefined ? {} : { after: next }),
    })
    while (session.waits) await session.drained()
    if (!isWanted()) return
    const bars = page.rows.map((row) => {
      const end = Date.parse(row.ts) * 1_000 + interval_us
      seq = Math.max(seq + 1, Math.min(end, mark))
      return view.messageOf(row, seq)
    })
    subscription.send(bars)
    next = page.next_ts
  }
}
