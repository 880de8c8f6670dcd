/** Published days as a calendar, and the contents of one day. */
import { useState } from 'preact/hooks'
import { bytes, count, counted } from '../state/words.ts'
import type { DatasetsView, DayDetail, DaySummary } from '../wire.ts'
import { ask, token, useAsk } from './api.ts'
import { Badge, Bar, Card, Empty, Failure, Table, today } from './parts.tsx'

const SYMBOLS_MAX = 200

export function Datasets() {
  const { data, error } = useAsk<DatasetsView>('/datasets', 30_000)
  const [chosen, setChosen] = useState<string>()
  const [month, setMonth] = useState(today().slice(0, 7))
  const [date, setDate] = useState<string>()
  const names = data?.datasets.map(({ dataset }) => dataset) ?? []
  const dataset = chosen ?? names.find((name) => name === 'features_1s') ?? names[0]
  const days = useAsk<{ readonly days: readonly DaySummary[] }>(
    dataset && `/datasets/${dataset}/months/${month}`,
    20_000,
  )
  const shown = date ?? days.data?.days.at(-1)?.date
  return (
    <>
      <Card
        title="Datasets"
        note={data === undefined ? undefined : counted(names.length, 'dataset')}
      >
        <Failure error={error} what="The datasets" />
        {data !== undefined && names.length === 0 ? (
          <Empty>
            Nothing is published yet. A day is built after midnight UTC;{' '}
            <code>npx booktape jobs run features --date {today()}</code> builds today so far.
          </Empty>
        ) : null}
        {dataset === undefined ? null : (
          <>
            <div class="filters" role="group" aria-label="Dataset">
              {names.map((name) => (
                <button
                  type="button"
                  key={name}
                  class={name === dataset ? 'chosen' : ''}
                  aria-pressed={name === dataset}
                  onClick={() => {
                    setChosen(name)
                    setDate(undefined)
                  }}
                >
                  {name}
                </button>
              ))}
            </div>
            <Calendar
              month={month}
              days={days.data?.days ?? []}
              chosen={shown}
              onMonth={(next) => {
                setMonth(next)
                setDate(undefined)
              }}
              onDay={setDate}
            />
            <Failure error={days.error} what="The month" />
          </>
        )}
      </Card>
      {dataset === undefined || shown === undefined ? null : <Day dataset={dataset} date={shown} />}
    </>
  )
}

interface CalendarProps {
  readonly month: string
  readonly days: readonly DaySummary[]
  readonly chosen: string | undefined
  onMonth(month: string): void
  onDay(date: string): void
}

function Calendar({ month, days, chosen, onMonth, onDay }: CalendarProps) {
  const first = new Date(`${month}-01T00:00:00Z`)
  const shift = (n: number): string =>
    new Date(Date.UTC(first.getUTCFullYear(), first.getUTCMonth() + n, 1)).toISOString().slice(0, 7)
  const length = new Date(Date.UTC(first.getUTCFullYear(), first.getUTCMonth() + 1, 0)).getUTCDate()
  const lead = (first.getUTCDay() + 6) % 7
  return (
    <div class="calendar">
      <div class="filters">
        <button type="button" onClick={() => onMonth(shift(-1))} aria-label="The month before">
          ←
        </button>
        <b>
          {first.toLocaleDateString('en-GB', { month: 'long', year: 'numeric', timeZone: 'UTC' })}
        </b>
        <button
          type="button"
          disabled={month >= today().slice(0, 7)}
          onClick={() => onMonth(shift(1))}
          aria-label="The month after"
        >
          →
        </button>
      </div>
      <div class="month">
        {['Mo', 'Tu', 'We', 'Th', 'Fr', 'Sa', 'Su'].map((name) => (
          <span class="weekday" key={name}>
            {name}
          </span>
        ))}
        {Array.from({ length: lead }, (_, i) => (
          <span key={`lead-${i}`} />
        ))}
        {Array.from({ length }, (_, i) => `${month}-${String(i + 1).padStart(2, '0')}`).map(
          (date) => {
            const day = days.find((one) => one.date === date)
            const number = Number(date.slice(8))
            return day === undefined ? (
              <span class="day none" key={date}>
                {number}
                <small>{date > today() ? '' : '–'}</small>
              </span>
            ) : (
              <button
                type="button"
                key={date}
                class={`day cover${tone(day)} ${date === chosen ? 'chosen' : ''}`}
                aria-pressed={date === chosen}
                onClick={() => onDay(date)}
                aria-label={`${date}: ${percent(day.coverage)} present${day.is_complete ? '' : ', so far'}`}
              >
                {number}
                <small>
                  {percent(day.coverage)}
                  {day.is_complete ? '' : ' …'}
                </small>
              </button>
            )
          },
        )}
      </div>
      <p class="muted">
        The share of the symbols' seconds that are there. “…”: the day so far. “–”: not published.
      </p>
    </div>
  )
}

/** The coverage of an unfinished day is not final, so it gets no grade. */
function tone({ coverage, is_complete }: DaySummary): number {
  if (!is_complete) return 0
  return coverage >= 0.995 ? 4 : coverage >= 0.95 ? 3 : coverage >= 0.5 ? 2 : 1
}

/** Never 100 % while a second is missing. */
function percent(share: number): string {
  const tenths = Math.floor(share * 1_000) / 10
  if (share > 0 && share < 0.01) return '<1 %'
  return share >= 1 ? '100 %' : `${tenths >= 99 ? tenths.toFixed(1) : Math.floor(share * 100)} %`
}

function Day({ dataset, date }: { readonly dataset: string; readonly date: string }) {
  const { data: day, error } = useAsk<DayDetail>(`/datasets/${dataset}/${date}`, 30_000)
  return (
    <Card title={`${dataset} of ${date}`} note={day && `schema v${day.schema_version}`}>
      <Failure error={error} what="The day" />
      {day === undefined ? null : (
        <>
          <p>
            <Badge mark={day.is_complete ? 'ok' : 'warn'}>
              {day.is_complete ? 'complete' : 'the day so far'}
            </Badge>{' '}
            · {counted(day.row_count, 'row')} of {counted(day.symbol_count, 'symbol')},{' '}
            {percent(day.coverage)} of their seconds present, {counted(day.gap_count, 'gap')},{' '}
            {counted(day.columns.length, 'column')}
          </p>
          <Table caption="Files" head={['File', 'Format', ['Rows', 'n'], ['Size', 'n'], 'SHA-256']}>
            {day.files.map((file) => (
              <tr key={file.name}>
                <th scope="row">
                  <FileLink dataset={dataset} date={date} name={file.name} />
                </th>
                <td>{file.format}</td>
                <td class="n">{count(file.row_count)}</td>
                <td class="n">{bytes(file.bytes)}</td>
                <td>
                  <code title={file.sha256}>{file.sha256.slice(0, 16)}…</code>
                </td>
              </tr>
            ))}
          </Table>
          <h3>Coverage</h3>
          <Table
            caption="Coverage by symbol"
            head={['Symbol', 'Present', ['Rows', 'n'], ['Seconds missing', 'n'], ['Gaps', 'n']]}
          >
            {day.symbols
              .toSorted((left, right) => left.present_s - right.present_s)
              .slice(0, SYMBOLS_MAX)
              .map((symbol) => (
                <tr key={`${symbol.exchange} ${symbol.symbol}`}>
                  <th scope="row">
                    {symbol.symbol}
                    <small>{symbol.exchange}</small>
                  </th>
                  <td>
                    <Bar
                      value={symbol.present_s}
                      max={symbol.present_s + symbol.missing_s}
                      label={`${symbol.symbol} present`}
                    />
                  </td>
                  <td class="n">{count(symbol.row_count)}</td>
                  <td class="n">{count(symbol.missing_s)}</td>
                  <td class="n">{count(symbol.gap_count)}</td>
                </tr>
              ))}
          </Table>
        </>
      )}
    </Card>
  )
}

/** A plain link if no token is needed; otherwise the page first requests the signed URL. */
function FileLink({
  dataset,
  date,
  name,
}: {
  readonly dataset: string
  readonly date: string
  readonly name: string
}) {
  const path = `/datasets/${dataset}/${date}/files/${encodeURIComponent(name)}`
  return (
    <a
      href={`/api${path}`}
      download
      onClick={(event) => {
        if (token() === '') return
        event.preventDefault()
        void ask<{ readonly url: string }>(path).then(({ url }) => location.assign(url))
      }}
    >
      {name}
    </a>
  )
}
