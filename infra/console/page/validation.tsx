/** What the checks of the recorded data found: as jobs stored it, or as it is now. */
import { useState } from 'preact/hooks'
import { type Check, CHECKS, type Report, type ReportedFinding } from '#core/validation.ts'
import { counted, duration } from '../state/words.ts'
import type { ValidationView } from '../wire.ts'
import { ask, useAsk } from './api.ts'
import { Badge, Card, clock, Empty, Failure, stamp } from './parts.tsx'

const MEANINGS: Readonly<Record<Check, string>> = {
  structure: 'tables, keys and migrations are those of this build',
  ingestors: 'each one reports itself, has room on its tape, and hears its streams',
  freshness: 'nothing is older than five minutes, and no gap is open-ended',
  quality: 'no value that a market cannot have',
  frequency: 'quotes, books and mark prices in every minute',
  rates: 'quotes as often as in the same hour of the days before',
  books: 'each change of a book follows the one before',
  clock: 'trades arrive after they happened, and soon',
  datasets: "yesterday's datasets are published and complete",
}
const SYMBOLS_SHOWN_MAX = 40

export function Validation() {
  const { data, error } = useAsk<ValidationView>('/validation', 10_000)
  const [fresh, setFresh] = useState<Report>()
  const [is_busy, setBusy] = useState(false)
  const [refusal, setRefusal] = useState<string>()
  const checkNow = async (): Promise<void> => {
    setBusy(true)
    setRefusal(undefined)
    try {
      setFresh(await ask<Report>('/validate'))
    } catch (problem) {
      setRefusal((problem as Error).message)
    }
    setBusy(false)
  }
  const stored = data?.report ?? undefined
  const report = newest(stored, fresh)
  return (
    <>
      <Card title="Validation" note="jobs check the data every five minutes">
        <Failure error={error} what="The stored report" />
        <Failure error={refusal} what="A check of now" />
        <p>
          {report === undefined ? null : <Outcome report={report} />}
          <button type="button" class="inline" disabled={is_busy} onClick={() => void checkNow()}>
            {is_busy ? 'Checking' : 'Check now'}
          </button>
        </p>
        {data?.is_stale === true && report === stored ? (
          <p class="failure" role="alert">
            <i aria-hidden="true">▲</i> The checks have not run since. Is the jobs daemon running?
          </p>
        ) : null}
        {report === undefined ? (
          data === undefined ? null : (
            <Empty>
              No report yet. The jobs daemon writes one every five minutes; <i>Check now</i> looks
              at the data at once.
            </Empty>
          )
        ) : (
          <Checks report={report} />
        )}
      </Card>
      {data === undefined || data.history.length < 2 ? null : <History history={data.history} />}
    </>
  )
}

function newest(stored: Report | undefined, fresh: Report | undefined): Report | undefined {
  if (stored === undefined || fresh === undefined) return fresh ?? stored
  return fresh.checked_at > stored.checked_at ? fresh : stored
}

function Outcome({ report: { checked_at, findings } }: { readonly report: Report }) {
  const age_s = Math.max(0, (Date.now() - Date.parse(checked_at)) / 1_000)
  return (
    <>
      <Badge mark={findings.length === 0 ? 'ok' : 'warn'}>
        {findings.length === 0 ? 'Nothing found' : counted(findings.length, 'finding')}
      </Badge>{' '}
      at {clock(checked_at)} UTC, {duration(age_s)} ago
    </>
  )
}

function Checks({ report: { looked_at, findings } }: { readonly report: Report }) {
  return (
    <ul class="checks">
      {CHECKS.map((check) => {
        const found = findings.filter((finding) => finding.check === check)
        const scope = looked_at[check]
        const mark = found.length > 0 ? 'warn' : scope === null ? 'off' : 'ok'
        const word = { ok: 'fine', warn: counted(found.length, 'finding'), off: 'skipped' }[mark]
        return (
          <li key={check}>
            <b>{check}</b>
            <Badge mark={mark}>{word}</Badge>
            <div>
              {MEANINGS[check]}
              {scope === null ? null : <span class="muted"> · {scope}</span>}
              {found.map((finding) => (
                <Found key={`${finding.code} ${finding.sentence}`} finding={finding} />
              ))}
            </div>
          </li>
        )
      })}
    </ul>
  )
}

function Found({ finding }: { readonly finding: ReportedFinding }) {
  const { sentence, symbols, symbol_count } = finding
  const shown = symbols.slice(0, SYMBOLS_SHOWN_MAX)
  return (
    <div class="found">
      <p>{sentence}</p>
      {symbol_count === 0 ? null : (
        <small>
          {shown.join(', ')}
          {symbol_count > shown.length ? ` and ${symbol_count - shown.length} more` : ''}
        </small>
      )}
    </div>
  )
}

/** A mark a report; its height says how much was found. */
function History({ history }: { readonly history: ValidationView['history'] }) {
  const most = Math.max(1, ...history.map(({ finding_count }) => finding_count))
  const bad = history.filter(({ finding_count }) => finding_count > 0)
  return (
    <Card
      title="The last day"
      note={`${counted(history.length, 'report')}, ${bad.length} with findings`}
    >
      <div
        class="reports"
        role="img"
        aria-label={`${bad.length} of ${history.length} with findings`}
      >
        {history.map(({ checked_at, finding_count }) => (
          <span
            key={checked_at}
            class={finding_count === 0 ? 'ok' : 'warn'}
            style={{ height: `${finding_count === 0 ? 6 : 10 + (30 * finding_count) / most}px` }}
            title={`${stamp(checked_at)}: ${counted(finding_count, 'finding')}`}
          />
        ))}
      </div>
      <p class="muted">
        {stamp(history[0]!.checked_at)} to {stamp(history.at(-1)!.checked_at)} UTC, a mark a report
      </p>
    </Card>
  )
}
