/**
 * Plays a recording over real sockets: the exchange server sends it, and the ingestor records it as
 * it would record Binance.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { OperatorError } from '#core/errors.ts'
import { isDrained, isStatus } from '../../../ingestor/messages.ts'
import type { IngestorStatus } from '../../../ingestor/status.ts'
import type { FollowCounts } from '../../../ingestor/writer/counts.ts'
import type { ChildMessage } from '../child.ts'
import type { Ledger } from '../../exchange/ledger.ts'
import { streamsOf } from '../feed.ts'
import { freePort } from '../ports.ts'
import { exchangeProgram, ingestorProgram } from '../programs.ts'
import type { Supervisor } from '../supervisor.ts'
import { exchangeLedger, exchangeStatus, startPlaying } from '../exchange-client.ts'
import { accountForSockets, placedFrames } from './accounting.ts'
import { type Performance, type Played, REPLAY_INGESTOR, REPLAY_TAPE } from './performance.ts'

const POLL_MS = 20
/** How long to wait without a new arrival before the rest counts as lost. */
const ARRIVAL_LIMIT_MS = 60_000
/** After the last arrival, how long to wait until the ingestor requests all recorded snapshots. */
const ASKING_LIMIT_MS = 10_000

export async function playOverSockets(performance_: Performance): Promise<Played> {
  const { file, summary, data_dir, supervisor, say } = performance_
  const source = { kind: 'replay', files: [file], speed: performance_.speed } as const
  const ready = await supervisor.start(exchangeProgram(data_dir, await freePort(), source))
  const exchange_url = String(ready['url']).replace(/\/$/, '')

  const inbox = createInbox()
  await supervisor.start(
    ingestorProgram(data_dir, {
      database_url: performance_.database_url,
      ingestor_id: REPLAY_INGESTOR,
      tape_dir: data_dir.join(REPLAY_TAPE),
      exchange: summary.exchange,
      exchange_url,
      symbols: summary.symbols,
      streams: streamsOf(summary),
      is_replay: true,
      onMessage: inbox.take,
    }),
  )
  const started_at = performance.now()
  await startPlaying(exchange_url)
  await untilPlayed(exchange_url, inbox, say)
  const { ledger, counts } = await untilCommitted(exchange_url, supervisor, inbox)
  const seconds = (performance.now() - started_at) / 1_000
  await supervisor.stop('ingestor')
  await supervisor.stop('exchange')
  return { counts, accounting: accountForSockets(summary, ledger, counts), seconds }
}

interface Committed {
  readonly ledger: Ledger
  readonly counts: FollowCounts
}

/** Drains the ingestor until everything sent has arrived, or until nothing more arrives. */
async function untilCommitted(
  exchange_url: string,
  supervisor: Supervisor,
  inbox: Inbox,
): Promise<Committed> {
  let arrived_at = performance.now()
  let arrived = ''
  for (;;) {
    supervisor.send('ingestor', { type: 'drain' })
    const counts = await inbox.drained()
    const ledger = await exchangeLedger(exchange_url)
    // A loaded machine is slow: as long as anything arrives, the wait starts over.
    const seen = `${placedFrames(counts)} ${counts.book_answers} ${ledger.snapshots.given_count}`
    if (seen !== arrived) arrived_at = performance.now()
    arrived = seen
    const waited_ms = performance.now() - arrived_at
    if (hasArrived(ledger, counts, waited_ms) || waited_ms > ARRIVAL_LIMIT_MS) {
      return { ledger, counts }
    }
    await sleep(POLL_MS)
  }
}

function hasArrived(
  { streams, snapshots }: Ledger,
  counts: FollowCounts,
  waited_ms: number,
): boolean {
  const sent = streams.reduce((count, stream) => count + stream.sent_count, 0)
  // The ingestor requests a book shortly after its first diffs; a short recording ends before.
  const is_asked = snapshots.symbols_left_count === 0 || waited_ms > ASKING_LIMIT_MS
  return is_asked && placedFrames(counts) >= sent && counts.book_answers >= snapshots.given_count
}

interface Inbox {
  readonly take: (message: ChildMessage) => void
  readonly status: () => IngestorStatus | undefined
  /** The response to the newest or next `drain`. */
  drained(): Promise<FollowCounts>
}

/** Collects the messages of the ingestor. */
function createInbox(): Inbox {
  let status: IngestorStatus | undefined
  let answer = Promise.withResolvers<FollowCounts>()
  return {
    status: () => status,
    take(message) {
      if (isStatus(message)) status = message
      if (isDrained(message)) answer.resolve(message.counts)
    },
    async drained() {
      const counts = await answer.promise
      answer = Promise.withResolvers()
      return counts
    },
  }
}

async function untilPlayed(
  exchange_url: string,
  inbox: Inbox,
  say: (sentence: string) => void,
): Promise<void> {
  let printed_at = performance.now()
  for (;;) {
    const status = await exchangeStatus(exchange_url)
    if (status.state === 'done') return
    if (status.state === 'failed') {
      throw new OperatorError(
        'replay_failed',
        `The exchange server stopped playing: ${status.error}`,
      )
    }
    if (performance.now() - printed_at > 5_000) {
      printed_at = performance.now()
      const rows = Object.values(inbox.status()?.rows_committed ?? {}).reduce((a, b) => a + b, 0)
      say(
        `  ${status.frames_published} of ${status.frames_total} frames played, ${rows} rows committed`,
      )
    }
    await sleep(POLL_MS)
  }
}
