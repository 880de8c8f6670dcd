/** A day of gaps: a line a symbol, a bar a gap, by cause. */
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
}
const DAY_S = 86_400
const LINES_MAX = 60
const TABLE_MAX = 200

export function Gaps() {
  const [date, setDate] = useState(today())
  const { data, error } = useAsk<GapsView>(`/gaps?date=${date}`, 5_000)
  return (
    <>
      <Card title="Gaps of a day" note={data === undefined ? undefined : summary(data)}>
        <DayChooser date={date} onChange={setDate} />
        <Failure error={error} what="The gaps" />
        {data === undefined ? null : data.gaps.length === 0 ? (
          <Empty>
            Nothing was missed on {date}
            {date === today() ? ' so far' : ''}.
          </Empty>
        ) : (
          <>
            <Causes gaps={data.gaps} />
            <Timeline date={date} gaps={data.gaps} />
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

export function DayChooser({
  date,
  onChange,
}: {
  readonly date: string
  onChange(date: string): void
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
    </div>
  )
}

function summary({ gaps, is_cut }: GapsView): string {
  const repaired = gaps.filter(({ is_repaired }) => is_repaired).length
  return `${is_cut ? 'the first ' : ''}${counted(gaps.length, 'gap')}, ${count(repaired)} refilled`
}

function Causes({ gaps }: { readonly gaps: readonly GapView[] }) {
  const causes = [...new Set(gaps.map(({ cause }) => cause))].toSorted()
  return (
    <ul class="legend" aria-label="Causes">
      {causes.map((cause) => (
        <li key={cause}>
          <span class={`swatch tone${toneOf(cause)}`} aria-hidden="true">
            {letterOf(cause)}
          </span>{' '}
          {cause} <b>{count(gaps.filter((gap) => gap.cause === cause).length)}</b>
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

function Timeline({ date, gaps }: { readonly date: string; readonly gaps: readonly GapView[] }) {
  const from_s = Date.parse(`${date}T00:00:00Z`) / 1_000
  const lines = new Map<string, GapView[]>()
  for (const gap of gaps) {
    const key = `${gap.exchange} ${gap.symbol}`
    lines.set(key, [...(lines.get(key) ?? []), gap])
  }
  const longest = [...lines].toSorted(([, left], [, right]) => missing(right) - missing(left))
  const now = Date.now() / 1_000 - from_s
  return (
    <div class="timeline" role="group" aria-label={`Gaps of ${date} by symbol`}>
      <div class="hours" aria-hidden="true">
        {[0, 3, 6, 9, 12, 15, 18, 21, 24].map((hour) => (
          <span key={hour} style={{ left: `${(hour / 24) * 100}%` }}>
            {String(hour).padStart(2, '0')}
          </span>
        ))}
      </div>
      {longest.slice(0, LINES_MAX).map(([key, some]) => (
        <div class="line" key={key}>
          <a href={`#/streams/${some[0]!.exchange}/${encodeURIComponent(some[0]!.symbol)}`}>
            {some[0]!.symbol}
          </a>
          <div class="track">
            {now > 0 && now < DAY_S ? (
              <u class="now" style={{ left: `${(now / DAY_S) * 100}%` }} />
            ) : null}
            {some.map((gap) => (
              <GapBar key={gap.id} gap={gap} from_s={from_s} />
            ))}
          </div>
          <span class="n">{duration(missing(some))}</span>
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

const LANES = ['book_ticker', 'trades', 'depth_events', 'mark_price', 'liquidations', 'prices']

function GapBar({ gap, from_s }: { readonly gap: GapView; readonly from_s: number }) {
  const begin = Math.max(0, Date.parse(gap.from_ts) / 1_000 - from_s)
  const end = Math.min(DAY_S, Date.parse(gap.from_ts) / 1_000 - from_s + lengthOf(gap))
  const share = Math.max(0, end - begin) / DAY_S
  const words = `${gap.channel}: ${gap.cause}, ${gap.to_ts === null ? 'not ended' : duration(lengthOf(gap))}${gap.is_repaired ? ', refilled' : ''}`
  return (
    <i
      class={`gap lane${Math.max(0, LANES.indexOf(gap.channel))} tone${toneOf(gap.cause)} ${gap.is_repaired ? 'filled' : ''}`}
      style={{ left: `${(begin / DAY_S) * 100}%`, width: `${share * 100}%` }}
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
