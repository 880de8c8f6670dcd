/**
 * Replaces one ingestor by another without a gap: the new one records everything, with every book
 * in sequence, before the old one stops. The database then forgets the old one's streams, so that
 * they start without a gap if it is ever started again.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { OperatorError } from '#core/errors.ts'
import type { Pool } from '#core/node/pool.ts'
import { missingCoverage } from './coverage.ts'
import { forgetStreams } from './end-streams.ts'

export interface HandoverOptions {
  readonly pool: Pool
  /** INGESTOR_ID of the ingestor that stops, and of its replacement. */
  readonly from: string
  readonly to: string
  /** Symbols whose local book is not in sequence at `to`. */
  readonly brokenBooks: () => Promise<readonly string[]>
  /** Stops `from` as an operator would (SIGTERM). */
  readonly stop: () => Promise<void>
  /** Called when the list of missing things changes. */
  readonly onWaiting: (sentence: string) => void
  /** Limits of the two waits. */
  readonly cover_limit_ms: number
  readonly stop_limit_ms: number
}

export interface Handover {
  /** Streams of `from` that were forgotten. */
  readonly stream_count: number
  /** From the first check until `to` covered everything, and from the stop to the end. */
  readonly cover_ms: number
  readonly stop_ms: number
}

const POLL_MS = 500
const SENTENCES_MAX = 5

/**
 * Errors: same_ingestor, ingestor_unknown, handover_not_covered (`from` still runs, nothing has
 * changed), handover_not_stopped (`from` did not report that everything on its tape is committed;
 * its streams are kept).
 */
export async function handOver(options: HandoverOptions): Promise<Handover> {
  const { pool, from, to } = options
  if (from === to) {
    throw new OperatorError('same_ingestor', `${from} cannot be replaced by itself.`, {
      hint: 'Start the new ingestor with another INGESTOR_ID and another TAPE_DIR.',
    })
  }
  await requireKnown(pool, from)
  const began_at = performance.now()
  await waitForCoverage(options)
  const covered_at = performance.now()
  const { rows } = await pool.query<{ now: Date }>('select now()')
  await options.stop()
  await waitForEnd(options, rows[0]!.now)
  const stream_count = await forgetStreams(pool, from)
  return {
    stream_count,
    cover_ms: covered_at - began_at,
    stop_ms: performance.now() - covered_at,
  }
}

async function requireKnown(pool: Pool, ingestor_id: string): Promise<void> {
  const { rowCount } = await pool.query(
    'select from marketdata.tape_positions where ingestor_id = $1',
    [ingestor_id],
  )
  if (rowCount === 1) return
  throw new OperatorError(
    'ingestor_unknown',
    `No ingestor ${ingestor_id} has written to this database.`,
    { hint: 'To list all: select ingestor_id, state, seen_at from marketdata.ingestors.' },
  )
}

/** Two checks in a row must find everything covered. */
async function waitForCoverage(options: HandoverOptions): Promise<void> {
  const { pool, from, to, brokenBooks, onWaiting, cover_limit_ms } = options
  const deadline = performance.now() + cover_limit_ms
  let told = ''
  let good_looks = 0
  while (good_looks < 2) {
    const missing = [...(await missingCoverage(pool, from, to))]
    if (missing.length === 0) {
      const broken = await brokenBooks()
      if (broken.length > 0) missing.push(`the book of ${some(broken)} is not in sequence`)
    }
    good_looks = missing.length === 0 ? good_looks + 1 : 0
    const sentence = some(missing, '; ')
    if (sentence !== told && missing.length > 0) onWaiting(sentence)
    told = sentence
    if (missing.length > 0 && performance.now() > deadline) {
      throw new OperatorError(
        'handover_not_covered',
        `After ${Math.round(cover_limit_ms / 1_000)} s ${to} does not cover ${from}: ${sentence}.`,
        { hint: `${from} goes on recording. See \`booktape streams\` of ${to}; then try again.` },
      )
    }
    await sleep(POLL_MS)
  }
}

async function waitForEnd(options: HandoverOptions, stopped_after: Date): Promise<void> {
  const { pool, from, stop_limit_ms } = options
  const deadline = performance.now() + stop_limit_ms
  for (;;) {
    const { rows } = await pool.query<{ uncommitted_bytes: string | null }>(
      `select uncommitted_bytes from marketdata.ingestors
       where ingestor_id = $1 and state = 'stopped' and seen_at >= $2`,
      [from, stopped_after],
    )
    const [end] = rows
    if (end?.uncommitted_bytes === '0') return
    if (end !== undefined || performance.now() > deadline) {
      const what =
        end === undefined
          ? `did not report its end within ${Math.round(stop_limit_ms / 1_000)} s`
          : `stopped with ${end.uncommitted_bytes ?? 'an unknown number of'} bytes of its tape not committed`
      throw new OperatorError('handover_not_stopped', `${from} ${what}.`, {
        hint:
          'Nothing is lost: its tape is on its disk. Start it again with the same TAPE_DIR, let it ' +
          'commit, and hand over again.',
      })
    }
    await sleep(POLL_MS)
  }
}

function some(names: readonly string[], separator = ', '): string {
  const shown = names.slice(0, SENTENCES_MAX).join(separator)
  const rest = names.length - SENTENCES_MAX
  return rest > 0 ? `${shown} and ${rest} more` : shown
}
