/** Past, current and next runs of jobs, and one run with its log. */
import { useState } from 'preact/hooks'
import { bytes, count, counted, duration } from '../state/words.ts'
import type { JobsView, RunDetail, RunView, ScheduledJob } from '../wire.ts'
import { send, useAsk } from './api.ts'
import { Badge, Card, Empty, Failure, shiftDay, stamp, Table, today } from './parts.tsx'

const MARKS = { running: 'busy', done: 'ok', failed: 'bad' } as const

export function Jobs({ can_operate }: { readonly can_operate: boolean }) {
  const [job, setJob] = useState('')
  const path = job === '' ? '/jobs' : `/jobs?job=${encodeURIComponent(job)}`
  const { data, error, reload } = useAsk<JobsView>(path, 2_000)
  const all = useAsk<JobsView>(job === '' ? undefined : '/jobs', 10_000).data ?? data
  return (
    <>
      <Card
        title="Jobs"
        note={
          data === undefined
            ? undefined
            : `${counted(data.queued.length, 'job')} waiting in the queue`
        }
      >
        <Failure error={error} what="The jobs" />
        {all === undefined ? null : (
          <Table
            caption="Jobs"
            head={[
              'Job',
              'What it does',
              'Next run (UTC)',
              'Newest run',
              ...(can_operate ? ['Run'] : []),
            ]}
          >
            {all.jobs.map((one) => (
              <JobLine
                key={one.job}
                job={one}
                newest={all.runs.find((run) => run.job === one.job)}
                can_operate={can_operate}
                onAsked={reload}
              />
            ))}
          </Table>
        )}
        {data === undefined || data.queued.length === 0 ? null : (
          <ul class="plain">
            {data.queued.map((one) => (
              <li key={`${one.job} ${one.run_at}`}>
                {one.job} waits
                {Date.parse(one.run_at) > Date.now()
                  ? ` until ${stamp(one.run_at)}`
                  : ' for its turn'}
                {one.last_error === null ? '' : `: ${one.last_error}`}
              </li>
            ))}
          </ul>
        )}
        {can_operate ? null : (
          <p class="muted">A token of scope operate shows buttons that run a job.</p>
        )}
      </Card>
      <Card title="Runs" note="the newest 200">
        <div class="filters">
          <label>
            Job{' '}
            <select value={job} onChange={(event) => setJob(event.currentTarget.value)}>
              <option value="">all</option>
              {(all?.jobs ?? []).map((one) => (
                <option key={one.job} value={one.job}>
                  {one.job}
                </option>
              ))}
            </select>
          </label>
        </div>
        {data === undefined ? null : data.runs.length === 0 ? (
          <Empty>
            No job has run yet. The daemon <code>jobs/main.ts</code> runs them by the clock;{' '}
            <code>npx booktape jobs run archive</code> runs one by hand.
          </Empty>
        ) : (
          <RunTable runs={data.runs} />
        )}
      </Card>
    </>
  )
}

function nextRun({ next_at, is_runnable }: ScheduledJob): string {
  if (next_at !== null) return stamp(next_at)
  // Those that cannot be run from here are repeated all the time.
  return is_runnable ? 'not scheduled: no jobs daemon has run' : 'seconds after the last'
}

function JobLine({
  job,
  newest,
  can_operate,
  onAsked,
}: {
  readonly job: ScheduledJob
  readonly newest: RunView | undefined
  readonly can_operate: boolean
  readonly onAsked: () => void
}) {
  const [date, setDate] = useState(shiftDay(today(), -1))
  const [said, setSaid] = useState<string>()
  const run = async (): Promise<void> => {
    try {
      await send('POST', '/jobs', { job: job.job, ...(job.needs_date ? { date } : {}) })
      setSaid('asked for')
      onAsked()
    } catch (problem) {
      setSaid((problem as Error).message)
    }
  }
  return (
    <tr>
      <th scope="row">{job.job}</th>
      <td class="wrap">{job.what}</td>
      <td>{nextRun(job)}</td>
      <td>
        {newest === undefined ? (
          '–'
        ) : (
          <a href={`#/jobs/${newest.id}`}>
            <Badge mark={MARKS[newest.status]}>
              {newest.status} {stamp(newest.started_at)}
            </Badge>
          </a>
        )}
      </td>
      {can_operate ? (
        <td>
          {job.is_runnable ? (
            <form
              class="controls"
              onSubmit={(event) => {
                event.preventDefault()
                void run()
              }}
            >
              {job.needs_date ? (
                <label>
                  <span class="hidden">Day</span>
                  <input
                    type="date"
                    required
                    value={date}
                    max={today()}
                    onChange={(event) => setDate(event.currentTarget.value)}
                  />
                </label>
              ) : null}
              <button type="submit">Run</button>
              {said === undefined ? null : <span role="status">{said}</span>}
            </form>
          ) : null}
        </td>
      ) : null}
    </tr>
  )
}

function RunTable({ runs }: { readonly runs: readonly RunView[] }) {
  return (
    <Table
      caption="Runs"
      head={[
        'Started (UTC)',
        'Job',
        'For',
        'Status',
        ['Took', 'n'],
        ['Rows', 'n'],
        ['Bytes', 'n'],
        'Error',
      ]}
    >
      {runs.map((run) => (
        <tr key={run.id}>
          <th scope="row">
            <a href={`#/jobs/${run.id}`}>{stamp(run.started_at)}</a>
          </th>
          <td>{run.job}</td>
          <td>{run.job_window}</td>
          <td>
            <Badge mark={MARKS[run.status]}>
              {run.status}
              {run.attempt > 1 ? `, try ${run.attempt}` : ''}
            </Badge>
          </td>
          <td class="n">{duration(run.elapsed_s)}</td>
          <td class="n">{run.row_count === null ? '–' : count(run.row_count)}</td>
          <td class="n">
            {run.byte_count === null || run.byte_count === 0 ? '–' : bytes(run.byte_count)}
          </td>
          <td class="wrap">{run.error?.split('\n')[0] ?? ''}</td>
        </tr>
      ))}
    </Table>
  )
}

export function Run({ id, can_operate }: { readonly id: string; readonly can_operate: boolean }) {
  const { data: run, error } = useAsk<RunDetail>(`/jobs/${id}`, 1_500)
  const [said, setSaid] = useState<string>()
  const retry = async (): Promise<void> => {
    try {
      const date = /^\d{4}-\d{2}-\d{2}$/.test(run!.job_window) ? { date: run!.job_window } : {}
      await send('POST', '/jobs', { job: run!.job, ...date })
      setSaid('It is in the queue again.')
    } catch (problem) {
      setSaid((problem as Error).message)
    }
  }
  return (
    <>
      <p class="back">
        <a href="#/jobs">← all runs</a>
      </p>
      <Card
        title={run === undefined ? 'Run' : `${run.job} ${run.job_window}`}
        note={run && `started ${stamp(run.started_at)} UTC`}
      >
        <Failure error={error} what="The run" />
        {run === undefined ? null : (
          <>
            <p>
              <Badge mark={MARKS[run.status]}>{run.status}</Badge>{' '}
              {run.status === 'running' ? 'for' : 'after'} {duration(run.elapsed_s)}
              {run.row_count === null ? '' : `, ${counted(run.row_count, 'row')}`}
              {run.byte_count === null ? '' : `, ${bytes(run.byte_count)}`}
              {can_operate && run.status !== 'running' ? (
                <button type="button" class="inline" onClick={() => void retry()}>
                  Run it again
                </button>
              ) : null}
              {said === undefined ? null : <span role="status"> {said}</span>}
            </p>
            {run.error === null ? null : <pre class="failure">{run.error}</pre>}
            {run.lines.length === 0 ? (
              <Empty>
                {run.status === 'running' ? 'It has said nothing yet.' : 'It said nothing.'}
              </Empty>
            ) : (
              <ol class="log">
                {run.lines.map((line, i) => (
                  <LogLine key={i} line={line} />
                ))}
              </ol>
            )}
          </>
        )}
      </Card>
    </>
  )
}

function LogLine({ line }: { readonly line: RunDetail['lines'][number] }) {
  const { ts, level, msg, ...facts } = line
  const words = Object.entries(facts).map(
    ([name, value]) =>
      `${name}=${typeof value === 'object' ? JSON.stringify(value) : String(value)}`,
  )
  return (
    <li class={level}>
      <time>{ts.slice(11, 23)}</time> <b>{level}</b> {msg} <span>{words.join(' ')}</span>
    </li>
  )
}
