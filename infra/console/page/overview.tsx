/** The first page: whether all is well and, if not, what is wrong. */
import { useMemo } from 'preact/hooks'
import { bytes, count, counted, duration } from '../state/words.ts'
import type { HistoryPoint, IngestorView, Snapshot } from '../wire.ts'
import { IngestorControls } from './controls.tsx'
import { Badge, Bar, Card, clock, Empty, type Mark, MARKS, Table } from './parts.tsx'
import { Spark } from './spark.tsx'

interface Props {
  readonly snapshot: Snapshot
  readonly points: readonly HistoryPoint[]
  readonly can_operate: boolean
}

export function Overview({ snapshot, points, can_operate }: Props) {
  return (
    <>
      <State snapshot={snapshot} />
      <Tiles snapshot={snapshot} points={points} />
      <Ingestors ingestors={snapshot.ingestors} can_operate={can_operate} />
      <Running snapshot={snapshot} />
    </>
  )
}

const WORDS = { ok: 'All is well', warn: 'Look soon', bad: 'Act now' } as const

function State({ snapshot }: { readonly snapshot: Snapshot }) {
  const { level, sentence, troubles } = snapshot
  const others = troubles.slice(1)
  return (
    <section class={`state ${level}`} aria-live="polite">
      <span class="state-mark" aria-hidden="true">
        {MARKS[level]}
      </span>
      <div>
        <p class="state-word">{WORDS[level]}</p>
        <h1 id="sentence">{sentence.replace(/^All is well: /, '')}</h1>
        {others.length === 0 ? null : (
          <ul>
            {others.slice(0, 8).map((trouble) => (
              <li key={trouble.text}>
                <a href={`#/${trouble.page}`}>
                  <Badge mark={trouble.level}>{trouble.text}</Badge>
                </a>
              </li>
            ))}
            {others.length > 8 ? <li>and {others.length - 8} more</li> : null}
          </ul>
        )}
      </div>
    </section>
  )
}

function Tiles({ snapshot, points }: Omit<Props, 'can_operate'>) {
  const { totals, disk, gaps, newest_datasets } = snapshot
  const times = useMemo(() => points.map(([at_s]) => at_s), [points])
  const series = useMemo(
    () => [1, 2, 3, 4].map((column) => points.map((point) => point[column] as number | null)),
    [points],
  )
  const line = (label: string, index: number, format: (value: number) => string) => (
    <Spark label={label} times={times} values={series[index]!} format={format} />
  )
  const newest = newest_datasets.toSorted((left, right) =>
    left.date < right.date || (left.date === right.date && right.dataset === 'features_1s')
      ? 1
      : -1,
  )[0]
  return (
    <div class="tiles">
      <Tile
        name="Events"
        value={totals && count(Math.round(totals.events_per_s))}
        unit="/s"
        note={
          totals &&
          `${counted(totals.streams_heard, 'stream')} of ${count(totals.streams_wanted)} heard`
        }
      >
        {line('Events per second', 0, (value) => `${count(Math.round(value))}/s`)}
      </Tile>
      <Tile
        name="Rows committed"
        value={totals && count(Math.round(totals.rows_per_s))}
        unit="/s"
        note={totals && counted(totals.symbol_count, 'symbol')}
      >
        {line('Rows per second', 1, (value) => `${count(Math.round(value))}/s`)}
      </Tile>
      <Tile
        name="Lag"
        value={totals && duration(totals.lag_ms / 1_000)}
        note="from a frame's arrival to its commit"
      >
        {line('Lag', 2, (value) => duration(value / 1_000))}
      </Tile>
      <Tile
        name="Tape backlog"
        value={totals && bytes(totals.tape_backlog_bytes)}
        note={
          totals &&
          (totals.tape_room_s === null
            ? `room for ${bytes(totals.tape_limit_bytes - totals.tape_used_bytes)}`
            : `full in ${duration(totals.tape_room_s)} if Postgres went away`)
        }
      >
        {line('Tape backlog', 3, bytes)}
      </Tile>
      <Tile
        name="Disk of Postgres"
        value={disk && bytes(disk.database_bytes)}
        note={disk && diskNote(disk)}
      >
        {disk !== null && disk.budget_bytes > 0 ? (
          <figure class="spark">
            <Bar
              value={disk.used_bytes}
              max={disk.budget_bytes}
              label="Share of the budget"
              mark={disk.used_bytes > disk.budget_bytes ? 'warn' : 'ok'}
            />
            <figcaption>
              {bytes(disk.used_bytes)} of a budget of {bytes(disk.budget_bytes)} for hours
            </figcaption>
          </figure>
        ) : null}
      </Tile>
      <Tile
        name="Newest dataset"
        value={newest?.date ?? (snapshot.store.is_up ? 'none yet' : null)}
        note={
          newest === undefined
            ? 'the first is published after midnight UTC'
            : `${newest.dataset}${newest.is_complete ? ', complete' : ', the day so far'}`
        }
      >
        <a class="more" href="#/datasets">
          All days
        </a>
      </Tile>
      <Tile
        name="Open gaps"
        value={gaps && count(gaps.unended)}
        mark={gaps !== null && gaps.unended > 0 ? 'bad' : undefined}
        note={
          gaps &&
          (gaps.unrepaired_24h === 0
            ? 'nothing is missing from the last day'
            : `${counted(gaps.unrepaired_24h, 'ended gap')} of the last day not refilled`)
        }
      >
        <a class="more" href="#/gaps">
          Today's timeline
        </a>
      </Tile>
      <Tile
        name="Jobs running"
        value={count(snapshot.running.length)}
        mark={snapshot.failed.length > 0 ? 'warn' : undefined}
        note={
          snapshot.failed.length === 0
            ? 'none failed in the last day'
            : `${counted(snapshot.failed.length, 'job')} failed in the last day`
        }
      >
        <a class="more" href="#/jobs">
          All runs
        </a>
      </Tile>
    </div>
  )
}

function diskNote({
  budget_bytes,
  used_bytes,
  bytes_per_hour,
  budget_in_s,
}: NonNullable<Snapshot['disk']>): string {
  const growth =
    bytes_per_hour === null ? 'growth is being measured' : `+${bytes(bytes_per_hour)} an hour`
  if (budget_bytes === 0) return `${growth}, no budget`
  if (budget_in_s !== null) return `${growth}; the oldest hours leave in ${duration(budget_in_s)}`
  return used_bytes >= budget_bytes ? `${growth}; at its budget, the oldest hours leave` : growth
}

function Tile(props: {
  readonly name: string
  readonly value: string | null | undefined
  readonly unit?: string
  readonly note?: string | null | undefined
  readonly mark?: Mark | undefined
  readonly children?: preact.ComponentChildren
}) {
  const { name, value, unit, note, mark } = props
  return (
    <section class="tile" data-tile={name}>
      <h2>{name}</h2>
      <p class={`value ${mark ?? ''}`}>
        {mark === undefined ? null : <i aria-hidden="true">{MARKS[mark]} </i>}
        {value ?? <span class="unknown">unknown</span>}
        {value === null || value === undefined || unit === undefined ? null : <small>{unit}</small>}
      </p>
      <p class="note">{note ?? 'nobody answers'}</p>
      {props.children}
    </section>
  )
}

const REACH: Readonly<Record<IngestorView['reach'], readonly [Mark, string]>> = {
  answers: ['ok', 'answers'],
  silent: ['bad', 'does not answer'],
  elsewhere: ['ok', 'on another machine'],
  stopped: ['off', 'stopped'],
}

function Ingestors({
  ingestors,
  can_operate,
}: {
  readonly ingestors: readonly IngestorView[]
  readonly can_operate: boolean
}) {
  return (
    <Card title="Ingestors" note={counted(ingestors.length, 'ingestor')}>
      {ingestors.length === 0 ? (
        <Empty>
          No ingestor has reported itself. Start one with <code>node ingestor/main.ts</code>, or the
          whole stack with <code>npm start</code>.
        </Empty>
      ) : (
        <Table
          caption="Ingestors"
          head={[
            'Ingestor',
            'State',
            ['Symbols', 'n'],
            ['Streams heard', 'n'],
            ['Events/s', 'n'],
            ['Lag', 'n'],
            'Tape',
            'Books',
            'Sockets',
            ...(can_operate ? ['Steer'] : []),
          ]}
        >
          {ingestors.map((ingestor) => (
            <IngestorRow key={ingestor.ingestor_id} ingestor={ingestor} can_operate={can_operate} />
          ))}
        </Table>
      )}
    </Card>
  )
}

function IngestorRow({
  ingestor,
  can_operate,
}: {
  readonly ingestor: IngestorView
  readonly can_operate: boolean
}) {
  const { ingestor_id, exchange, reach, error, status, host, version } = ingestor
  const [mark, word] = REACH[reach]
  const is_now = reach === 'answers' && status !== null
  const state = is_now ? status.state : word
  const shown: Mark = is_now ? markOf(status) : mark
  const oldest = status === null ? 0 : Math.max(0, ...status.sockets.map(({ age_s }) => age_s))
  return (
    <tr>
      <th scope="row">
        {ingestor_id}
        <small>{[exchange, host, version].filter(Boolean).join(' · ')}</small>
      </th>
      <td>
        <Badge mark={shown}>{state.replaceAll('_', ' ')}</Badge>
        {reach === 'silent' ? (
          <small>
            {error}
            {ingestor.answered_at === null
              ? ''
              : `; last answer ${clock(ingestor.answered_at)} UTC`}
          </small>
        ) : null}
      </td>
      {is_now ? (
        <>
          <td class="n">{count(status.actual.symbol_count)}</td>
          <td class="n">
            {count(status.actual.streams_heard)} / {count(status.actual.streams_wanted)}
          </td>
          <td class="n">{count(Math.round(status.feed.frames_per_s))}</td>
          <td class="n">{duration(status.writer.lag_ms / 1_000)}</td>
          <td>
            {bytes(status.tape.used_bytes)}
            <small>of {bytes(status.tape.limit_bytes)}</small>
          </td>
          <td>
            {status.books.known === 0
              ? '–'
              : `${count(status.books.in_sequence)} of ${count(status.books.known)}`}
          </td>
          <td>
            {status.sockets.length}
            {oldest === 0 ? null : <small>oldest {duration(oldest)}</small>}
          </td>
        </>
      ) : (
        <td colSpan={7} class="muted">
          Nothing is known as of now.
        </td>
      )}
      {can_operate ? <td>{is_now ? <IngestorControls ingestor={ingestor} /> : null}</td> : null}
    </tr>
  )
}

/** A live ingestor that receives nothing is faulty. */
function markOf({ state, actual }: NonNullable<IngestorView['status']>): Mark {
  if (state === 'tape_full' || state === 'database_away') return 'bad'
  if (state === 'paused' || state === 'catching_up') return 'warn'
  if (actual.streams_wanted > 0 && actual.streams_heard === 0) return 'bad'
  return actual.streams_heard < actual.streams_wanted ? 'warn' : 'ok'
}

function Running({ snapshot }: { readonly snapshot: Snapshot }) {
  const runs = [...snapshot.running, ...snapshot.failed].slice(0, 6)
  if (runs.length === 0) return null
  return (
    <Card title="Jobs that run or failed" note={<a href="#/jobs">all</a>}>
      <ul class="plain">
        {runs.map((run) => (
          <li key={run.id}>
            <a href={`#/jobs/${run.id}`}>
              <Badge mark={run.status === 'failed' ? 'warn' : 'busy'}>
                {run.job} {run.job_window}:{' '}
                {run.status === 'running'
                  ? `running for ${duration(run.elapsed_s)}`
                  : (run.error ?? 'failed').split('\n')[0]!.slice(0, 160)}
              </Badge>
            </a>
          </li>
        ))}
      </ul>
    </Card>
  )
}
