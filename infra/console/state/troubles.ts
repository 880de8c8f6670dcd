/** The problems of the installation as sentences, the worst first. Pure. */
import type { Report } from '#core/validation.ts'
import type {
  DiskView,
  IngestorView,
  Level,
  Recent,
  RunView,
  ServiceView,
  StreamsView,
  Totals,
  Trouble,
} from '../wire.ts'
import { bytes, count, counted, duration, listed } from './words.ts'

export interface Facts {
  readonly ingestors: readonly IngestorView[]
  /** Undefined: no ingestor has answered yet. */
  readonly streams: StreamsView | undefined
  readonly totals: Totals | undefined
  /** By ingestor_id. */
  readonly recent: ReadonlyMap<string, Recent>
  readonly database: ServiceView
  readonly store: ServiceView
  readonly disk: DiskView | undefined
  readonly failed: readonly RunView[]
  /** The newest report of the job validation. */
  readonly report: Report | undefined
  /** The report is overdue. */
  readonly are_checks_late: boolean
}

const LAG_MS_MAX = 5_000
/** Streams that send often and regularly: silence is a fault. Others may just be quiet. */
const STEADY = ['book_ticker', 'depth_events', 'mark_price']
const OFTEN_MS = 1_000
/** A socket that replaces another repeats fewer. */
const DUPLICATES_MIN = 10
const DELAY_MS_MAX = 2_000
/** The ingestors report these findings sooner themselves. */
const SAID_SOONER = ['ingestors', 'freshness', 'frequency']
/** The current hour may exceed the budget before retention runs. */
const OVER_BUDGET = 1.15

export function findTroubles(facts: Facts): readonly Trouble[] {
  const found = [
    ...facts.ingestors.flatMap((ingestor) => ofIngestor(ingestor, facts)),
    ...facts.ingestors.flatMap((ingestor) => ofRecent(ingestor, facts)),
    ...ofStreams(facts),
    ...ofServices(facts),
    ...facts.failed.map(ofRun),
    ...ofDisk(facts.disk),
    ...ofValidation(facts),
  ]
  if (facts.ingestors.length === 0 && facts.database.is_up) {
    found.push(
      bad(
        'no_ingestor',
        'No ingestor has reported itself in the last week: nothing is recorded.',
        'overview',
      ),
    )
  }
  return found.toSorted((left, right) => rank(right.level) - rank(left.level))
}

export function levelOf(troubles: readonly Trouble[]): Level {
  return troubles[0]?.level ?? 'ok'
}

/** The state of the installation in one sentence. */
export function sentenceOf(troubles: readonly Trouble[], { totals, ingestors }: Facts): string {
  const [worst] = troubles
  if (worst !== undefined) return worst.text
  if (totals === undefined) return 'No ingestor is being asked.'
  const { events_per_s, lag_ms, symbol_count } = totals
  const exchanges = listed([...new Set(ingestors.map(({ exchange }) => exchange))])
  return `All is well: ${counted(symbol_count, 'symbol')} of ${exchanges} recorded, ${count(Math.round(events_per_s))} events/s, in Postgres ${duration(lag_ms / 1_000)} after they arrive.`
}

function ofIngestor(ingestor: IngestorView, { totals }: Facts): readonly Trouble[] {
  const { ingestor_id, reach, error, exchange, status, seen_s } = ingestor
  const name = `Ingestor ${ingestor_id} (${exchange || 'exchange unknown'})`
  if (reach === 'stopped') {
    return [
      warn(
        'ingestor_stopped',
        `${name} was stopped${agoText(seen_s)}: it records nothing.`,
        'overview',
      ),
    ]
  }
  if (reach === 'silent') {
    const recorded =
      status === null
        ? ''
        : ` Its ${counted(status.actual.symbol_count, 'symbol')} are not recorded.`
    return [
      bad(
        'ingestor_silent',
        `${name} does not answer: ${error ?? 'no reason known'}.${recorded}`,
        'overview',
      ),
    ]
  }
  if (reach === 'elsewhere') {
    const is_late = (seen_s ?? Infinity) > 30
    return is_late
      ? [
          bad(
            'ingestor_silent',
            `${name} on ${ingestor.host} has not reported itself for ${duration(seen_s ?? 0)}.`,
            'overview',
          ),
        ]
      : []
  }
  if (status === null) return []
  const found: Trouble[] = []
  const { tape, writer, actual, books, desired } = status
  const room =
    totals?.tape_room_s === null || totals === undefined
      ? ''
      : ` The tape has room for ${duration(totals.tape_room_s)}.`
  if (tape.is_full)
    found.push(
      bad(
        'tape_full',
        `The tape of ingestor ${ingestor_id} is full (${bytes(tape.used_bytes)}): no frame is taken until Postgres takes rows.`,
        'overview',
      ),
    )
  else if (writer.database_away)
    found.push(
      bad(
        'database_away',
        `Ingestor ${ingestor_id} cannot write to Postgres; frames wait on the tape.${room}`,
        'database',
      ),
    )
  else if (writer.lag_ms > LAG_MS_MAX)
    found.push(
      warn(
        'lagging',
        `Ingestor ${ingestor_id} is ${duration(writer.lag_ms / 1_000)} behind; ${bytes(tape.backlog_bytes)} wait on the tape.${room}`,
        'overview',
      ),
    )
  if (actual.recording === 'paused') {
    const who = desired.changed_by === null ? '' : ` by ${desired.changed_by}`
    found.push(
      warn('paused', `Ingestor ${ingestor_id} is paused${who}: nothing is recorded.`, 'audit'),
    )
  }
  if (writer.dead_letters > 0)
    found.push(
      warn(
        'dead_letters',
        `Ingestor ${ingestor_id} put ${counted(writer.dead_letters, 'record')} aside that Postgres refuses.`,
        'overview',
      ),
    )
  const lost = books.known - books.in_sequence
  if (lost > 0 && books.known > 0 && status.ingestor.uptime_s > 60) {
    found.push(
      warn(
        'books_lost',
        `${count(lost)} of ${counted(books.known, 'order book')} of ${exchange} are not in sequence.`,
        'streams',
      ),
    )
  }
  return found
}

/** Faults of the exchange or the network in the last minute. */
function ofRecent(ingestor: IngestorView, { recent, streams }: Facts): readonly Trouble[] {
  const { ingestor_id, exchange, status } = ingestor
  const found: Trouble[] = []
  const counts = recent.get(ingestor_id)
  if (counts === undefined || status === null || status.actual.recording === 'paused') return []
  const { rejected, duplicates, gaps, sockets_opened } = counts
  if (rejected > 0) {
    const text = `${exchange} sent ${counted(rejected, 'frame')} in the last minute that ingestor ${ingestor_id} rejects: they are not what the exchange documents. Its log has the reasons.`
    found.push(warn('frames_rejected', text, 'gaps'))
  }
  if (sockets_opened > 0) {
    const text = `Sockets of ingestor ${ingestor_id} closed in the last minute: ${counted(sockets_opened, 'attempt')} to connect again.`
    found.push(warn('sockets_broken', text, 'streams'))
  }
  if (gaps > 0) {
    const text = `${counted(gaps, 'gap')} ended in the last minute: ingestor ${ingestor_id} missed events of ${exchange}.`
    found.push(warn('gaps_new', text, 'gaps'))
  }
  if (duplicates >= DUPLICATES_MIN) {
    const text = `${exchange} sent ${counted(duplicates, 'event')} twice in the last minute; each is stored once.`
    found.push(warn('duplicates', text, 'streams'))
  }
  if (streams === undefined || status.writer.database_away || status.writer.lag_ms > LAG_MS_MAX) {
    return found
  }
  const delayed = streams.symbols
    .filter((symbol) => symbol.ingestor_id === ingestor_id)
    .flatMap(({ symbol, cells }) => cells.map((cell) => ({ symbol, ...cell })))
    .filter(({ channel, normal_ms, delay_ms }) => {
      const usual_ms = 2 * ((normal_ms ?? Infinity) + status.writer.lag_ms)
      return STEADY.includes(channel) && (delay_ms ?? 0) > DELAY_MS_MAX + usual_ms
    })
  if (delayed.length > 0) {
    const longest_s = Math.max(...delayed.map(({ delay_ms }) => delay_ms ?? 0)) / 1_000
    const names = listed(delayed.map(({ symbol, channel }) => `${symbol} ${channel}`))
    const text = `${counted(delayed.length, 'stream')} of ${exchange} ${delayed.length === 1 ? 'arrives' : 'arrive'} up to ${duration(longest_s)} late: ${names}.`
    found.push(warn('streams_delayed', text, 'streams'))
  }
  return found
}

function ofStreams({ streams, ingestors }: Facts): readonly Trouble[] {
  if (streams === undefined) return []
  const answering = ingestors.filter(
    ({ reach, status }) => reach === 'answers' && status?.actual.recording === 'recording',
  )
  const ids = new Set(answering.map(({ ingestor_id }) => ingestor_id))
  const cells = streams.symbols
    .filter(({ ingestor_id }) => ids.has(ingestor_id))
    .flatMap(({ symbol, cells: of_symbol }) => of_symbol.map((cell) => ({ symbol, ...cell })))
  const found: Trouble[] = []
  const silent = cells.filter(({ pace }) => pace === 'silent')
  if (silent.length > 0) {
    const longest_s = Math.max(...silent.map(({ silent_ms }) => silent_ms ?? 0)) / 1_000
    const [first] = silent
    const is_one = silent.length === 1
    const usual =
      first?.normal_ms === null || first === undefined
        ? ''
        : `; ${is_one ? 'it' : `${first.symbol} ${first.channel}`} usually speaks every ${duration(first.normal_ms / 1_000)}`
    const is_all = silent.length === cells.length
    const names = listed(silent.map(({ symbol, channel }) => `${symbol} ${channel}`))
    const subject = is_all ? 'Every stream is' : `${counted(silent.length, 'stream')} are`
    const silence = is_one
      ? `${names} has been silent for ${duration(longest_s)}`
      : `${subject} silent for up to ${duration(longest_s)}: ${names}`
    const is_bad =
      is_all ||
      silent.some(
        ({ channel, normal_ms }) => STEADY.includes(channel) || (normal_ms ?? Infinity) < OFTEN_MS,
      )
    found.push((is_bad ? bad : warn)('streams_silent', `${silence}${usual}.`, 'streams'))
  }
  const unheard = cells.filter(({ pace }) => pace === 'unheard')
  if (unheard.length > 0) {
    const causes = listed(whyUnheard(unheard.map(({ cause }) => cause)))
    const names = listed(unheard.map(({ symbol, channel }) => `${symbol} ${channel}`))
    const subject = `${counted(unheard.length, 'stream')} ${unheard.length === 1 ? 'is' : 'are'} not heard`
    const text =
      unheard.length === cells.length
        ? `None of the ${counted(cells.length, 'stream')} is heard (${causes}): nothing is recorded.`
        : `${subject} (${causes}): ${names}.`
    found.push(bad('streams_unheard', text, 'streams'))
  }
  const refused = cells.filter(({ pace }) => pace === 'refused')
  if (refused.length > 0) {
    const names = listed(refused.map(({ symbol, channel }) => `${symbol} ${channel}`))
    found.push(
      warn(
        'streams_refused',
        `The exchange refuses ${counted(refused.length, 'stream')}: ${names}.`,
        'streams',
      ),
    )
  }
  return found
}

/**
 * Why no socket carries these streams, by the causes of their open gaps. A gap in the sequence and
 * a rejected frame were there before.
 */
export function whyUnheard(causes: readonly (string | null)[]): readonly string[] {
  const reasons = causes.filter(
    (cause) => cause !== null && cause !== 'sequence' && cause !== 'rejected',
  )
  return reasons.length === 0 ? ['not connected'] : [...new Set(reasons as readonly string[])]
}

function ofServices({ database, store, ingestors, totals }: Facts): readonly Trouble[] {
  const found: Trouble[] = []
  // An ingestor's own sentence says more: it includes the tape.
  const is_told = ingestors.some(
    ({ status, reach }) => reach === 'answers' && status?.writer.database_away === true,
  )
  if (!database.is_up && !is_told) {
    const room =
      totals?.tape_room_s === null || totals === undefined
        ? ''
        : ` The tape has room for ${duration(totals.tape_room_s)}.`
    found.push(
      bad(
        'postgres_away',
        `Postgres does not answer (${database.error ?? 'no reason known'}).${room}`,
        'database',
      ),
    )
  }
  if (!store.is_up) {
    found.push(
      warn(
        'store_away',
        `The object store does not answer (${store.error ?? 'no reason known'}): nothing is archived or published.`,
        'datasets',
      ),
    )
  }
  return found
}

function ofRun({ job, job_window, error }: RunView): Trouble {
  const window = /^\d{4}-/.test(job_window) ? ` for ${job_window}` : ''
  return warn(
    'job_failed',
    `Job ${job}${window} failed: ${firstSentence(error ?? 'no reason known')}`,
    'jobs',
  )
}

function ofDisk(disk: DiskView | undefined): readonly Trouble[] {
  if (disk === undefined || disk.budget_bytes === 0) return []
  const { used_bytes, budget_bytes } = disk
  if (used_bytes <= budget_bytes * OVER_BUDGET) return []
  const text = `Postgres holds ${bytes(used_bytes)} of hourly data, over its budget of ${bytes(budget_bytes)}: retention cannot drop enough.`
  return [warn('over_budget', text, 'database')]
}

function ofValidation({ report, are_checks_late, database }: Facts): readonly Trouble[] {
  if (report === undefined || !database.is_up) return []
  const at = `${report.checked_at.slice(11, 16)} UTC`
  if (are_checks_late) {
    const text = `The data was last checked at ${at}: the jobs daemon does not run its checks.`
    return [warn('validation_late', text, 'validation')]
  }
  const found = report.findings.filter(({ check }) => !SAID_SOONER.includes(check))
  const [first] = found
  if (first === undefined) return []
  const more = found.length === 1 ? '' : `, and ${counted(found.length - 1, 'other finding')}`
  const text = `Validation at ${at} found: ${first.sentence.replace(/\.$/, '')}${more}.`
  return [warn('validation_found', text, 'validation')]
}

function firstSentence(text: string): string {
  const line = text.split('\n')[0]!.trim()
  const short = line.length > 200 ? `${line.slice(0, 200)}…` : line
  return /[.!?…]$/.test(short) ? short : `${short}.`
}

function agoText(seen_s: number | null): string {
  return seen_s === null ? '' : ` ${duration(seen_s)} ago`
}

function rank(level: Trouble['level']): number {
  return level === 'bad' ? 1 : 0
}

function bad(code: string, text: string, page: Trouble['page']): Trouble {
  return { level: 'bad', code, text, page }
}

function warn(code: string, text: string, page: Trouble['page']): Trouble {
  return { level: 'warn', code, text, page }
}
