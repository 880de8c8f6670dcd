/** A day of gaps, or a part of it: a line a symbol, a bar a gap, by cause. */
import type { ComponentChildren } from 'preact'
import { useState } from 'preact/hooks'
import { count, counted, duration } from '../state/words.ts'
import type { GapsView, GapView } from '../wire.ts'
import { useAsk } from './api.ts'
import { GapTable, lengthOf } from './gap-table.tsx'
import { Card, Empty, Failure, shiftDay, today } from './parts.tsx'

/** A letter beside each colour: the bars carry it. */
const CAUSES: Readonly<Record<string, readonly [letter: string, tone: number]>> = {
  disconnect: ['D', 1],
  sequence: ['Q', 2],
  restart: ['R', 3],
  silence: ['S', 4],
  refused: ['X', 5],
  rejected: ['J', 5],
  tape_full: ['T', 1],
  tape_cut: ['C', 1],
  delisted: ['L', 6],
  operator: ['O', 6],
  import: ['I', 6],
}
const HOUR_S = 3_600
const WHOLE: Span = { from_h: 0, hours: 24 }
const LINES_MAX = 60
const TABLE_MAX = 200

/** What of the day is shown. */
interface Span {
  readonly from_h: number
  readonly hours: number
}

export function Gaps() {
  const [date, setDate] = useState(today())
  const [span, setSpan] = useState(WHOLE)
  const [hidden, setHidden] = useState<ReadonlySet<string>>(new Set())
  const { data, error } = useAsk<GapsView>(`/gaps?date=${date}`, 5_000)
  return (
    <>
      <Card title="Gaps of a day" note={data === undefined ? undefined : summary(data)}>
        <DayChooser date={date} onChange={setDate}>
          <SpanChooser span={span} onChange={setSpan} />
        </DayChooser>
        <Failure error={error} what="The gaps" />
        {data === undefined ? null : data.gaps.length === 0 ? (
          <Empty>
            Nothing was missed on {date}
            {date === today() ? ' so far' : ''}.
          </Empty>
        ) : (
          <>
            <Causes gaps={data.gaps} hidden={hidden} onChange={setHidden} />
            <Timeline
              date={date}
              span={span}
              gaps={data.gaps.filter(({ cause }) => !hidden.has(cause))}
            />
          </>
        )}
      </Card>
      {data === undefined || data.gaps.length === 0 ? null : (
        <Card
          title="Each gap"
          note={
            data.gaps.length > TABLE_MAX
              ? `the newest ${TABLE_MAX} of ${count(data.gaps.length)}`
              : undefined
          }
        >
          <GapTable gaps={data.gaps.slice(-TABLE_MAX).toReversed()} />
        </Card>
      )}
    </>
  )
}

function DayChooser({
  date,
  onChange,
  children,
}: {
  readonly date: string
  onChange(date: string): void
  readonly children: ComponentChildren
}) {
  return (
    <div class="filters">
      <button
        type="button"
        onClick={() => onChange(shiftDay(date, -1))}
        aria-label="The day before"
      >
        ←
      </button>
      <label>
        Day (UTC){' '}
        <input
          type="date"
          value={date}
          max={today()}
          onChange={(event) =>
            event.currentTarget.value !== '' && onChange(event.currentTarget.value)
          }
        />
      </label>
      <button
        type="button"
        disabled={date >= today()}
        onClick={() => onChange(shiftDay(date, 1))}
        aria-label="The day after"
      >
        →
      </button>
      {date === today() ? null : (
        <button type="button" onClick={() => onChange(today())}>
          Today
        </button>
      )}
      {children}
    </div>
  )
}

function SpanChooser({ span, onChange }: { readonly span: Span; onChange(span: Span): void }) {
  const optionsOf = (hours: number) =>
    Array.from({ length: 24 / hours }, (_, i) => (
      <option key={i} value={`${i * hours} ${hours}`}>
        {hourText(i * hours)} to {hourText((i + 1) * hours)}
      </option>
    ))
  return (
    <label>
      Part{' '}
      <select
        value={`${span.from_h} ${span.hours}`}
        onChange={(event) => {
          const [from_h = 0, hours = 24] = event.currentTarget.value.split(' ').map(Number)
          onChange({ from_h, hours })
        }}
      >
        <option value="0 24">the whole day</option>
        <optgroup label="Three hours">{optionsOf(3)}</optgroup>
        <optgroup label="One hour">{optionsOf(1)}</optgroup>
      </select>
    </label>
  )
}

function hourText(hour: number): string {
  return `${String(Math.floor(hour)).padStart(2, '0')}:${String(Math.round((hour % 1) * 60)).padStart(2, '0')}`
}

function summary({ gaps, is_cut }: GapsView): string {
  const repaired = gaps.filter(({ is_repaired }) => is_repaired).length
  return `${is_cut ? 'the first ' : ''}${counted(gaps.length, 'gap')}, ${count(repaired)} refilled`
}

function Causes({
  gaps,
  hidden,
  onChange,
}: {
  readonly gaps: readonly GapView[]
  readonly hidden: ReadonlySet<string>
  onChange(hidden: ReadonlySet<string>): void
}) {
  const causes = [...new Set(gaps.map(({ cause }) => cause))].toSorted()
  return (
    <ul class="legend" aria-label="Causes">
      {causes.map((cause) => (
        <li key={cause}>
          <label class="check">
            <input
              type="checkbox"
              checked={!hidden.has(cause)}
              onChange={(event) => {
                const others = [...hidden].filter((one) => one !== cause)
                onChange(new Set(event.currentTarget.checked ? others : [...others, cause]))
              }}
            />
            <span class={`swatch tone${toneOf(cause)}`} aria-hidden="true">
              {letterOf(cause)}
            </span>{' '}
            {cause} <b>{count(gaps.filter((gap) => gap.cause === cause).length)}</b>
          </label>
        </li>
      ))}
      <li>
        <span class="swatch filled" aria-hidden="true">
          ✓
        </span>{' '}
        refilled: outline only
      </li>
    </ul>
  )
}

interface Window {
  readonly from_s: number
  readonly length_s: number
}

function Timeline({
  date,
  span,
  gaps,
}: {
  readonly date: string
  readonly span: Span
  readonly gaps: readonly GapView[]
}) {
  const { from_h, hours } = span
  const from_s = Date.parse(`${date}T00:00:00Z`) / 1_000 + from_h * HOUR_S
  const window = { from_s, length_s: hours * HOUR_S }
  const lines = new Map<string, GapView[]>()
  for (const gap of gaps) {
    if (shareOf(gap, window) === undefined) continue
    const key = `${gap.exchange} ${gap.symbol}`
    lines.set(key, [...(lines.get(key) ?? []), gap])
  }
  const longest = [...lines].toSorted(([, left], [, right]) => missing(right) - missing(left))
  const now = (Date.now() / 1_000 - from_s) / window.length_s
  if (lines.size === 0) return <Empty>Nothing of that was missed then.</Empty>
  return (
    <div class="timeline" role="group" aria-label={`Gaps of ${date} by symbol`}>
      <div class="hours" aria-hidden="true">
        {Array.from({ length: 9 }, (_, i) => i / 8).map((at) => (
          <span key={at} style={{ left: `${at * 100}%` }}>
            {hourText(from_h + at * hours)}
          </span>
        ))}
      </div>
      {longest.slice(0, LINES_MAX).map(([key, some]) => (
        <div class="line" key={key}>
          <a href={`#/streams/${some[0]!.exchange}/${encodeURIComponent(some[0]!.symbol)}`}>
            {some[0]!.symbol}
          </a>
          <div class="track">
            {now > 0 && now < 1 ? <u class="now" style={{ left: `${now * 100}%` }} /> : null}
            {some.map((gap) => (
              <GapBar key={gap.id} gap={gap} window={window} />
            ))}
          </div>
          <span class="n" title="missing, of all channels together">
            {duration(missing(some))}
          </span>
        </div>
      ))}
      <p class="muted">
        Rows of a line: quotes, trades, depth, mark price, liquidations. On the right: what is
        missing, all channels together.
      </p>
      {longest.length > LINES_MAX ? (
        <p class="muted">and {longest.length - LINES_MAX} more symbols, with less missing</p>
      ) : null}
    </div>
  )
}

/** Where in the window the gap is, as shares of it; undefined: elsewhere. */
function shareOf(
  gap: GapView,
  { from_s, length_s }: Window,
): { readonly begin: number; readonly share: number } | undefined {
  const gap_s = Date.parse(gap.from_ts) / 1_000 - from_s
  const begin_s = Math.max(0, gap_s)
  const end_s = Math.min(length_s, gap_s + lengthOf(gap))
  if (end_s < begin_s) return undefined
  return { begin: begin_s / length_s, share: (end_s - begin_s) / length_s }
}

const LANES = ['book_ticker', 'trades', 'depth_events', 'mark_price', 'liquidations', 'prices']

function GapBar({ gap, window }: { readonly gap: GapView; readonly window: Window }) {
  const { begin, share } = shareOf(gap, window)!
  const words = `${gap.channel}: ${gap.cause}, ${gap.to_ts === null ? 'not ended' : duration(lengthOf(gap))}${gap.is_repaired ? ', refilled' : ''}`
  return (
    <i
      class={`gap lane${Math.max(0, LANES.indexOf(gap.channel))} tone${toneOf(gap.cause)} ${gap.is_repaired ? 'filled' : ''}`}
      style={{ left: `${begin * 100}%`, width: `${share * 100}%` }}
      title={words}
      role="img"
      aria-label={words}
    >
      {share > 0.02 ? letterOf(gap.cause) : ''}
    </i>
  )
}

function missing(gaps: readonly GapView[]): number {
  return gaps.filter(({ is_repaired }) => !is_repaired).reduce((sum, gap) => sum + lengthOf(gap), 0)
}

function letterOf(cause: string): string {
  return CAUSES[cause]?.[0] ?? '?'
}

function toneOf(cause: string): number {
  return CAUSES[cause]?.[1] ?? 5
}
