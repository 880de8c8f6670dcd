/** Small pieces that every page is made of. */
import type { ComponentChildren } from 'preact'
import type { Level } from '../wire.ts'

/** Each colour comes with a shape and a word. */
export const MARKS = { ok: '●', warn: '▲', bad: '■', off: '○', busy: '▶' } as const
export type Mark = Level | 'off' | 'busy'

export function Badge({
  mark,
  children,
}: {
  readonly mark: Mark
  readonly children: ComponentChildren
}) {
  return (
    <span class={`badge ${mark}`}>
      <i aria-hidden="true">{MARKS[mark]}</i>
      {children}
    </span>
  )
}

export function Card(props: {
  readonly title: string
  readonly note?: ComponentChildren
  readonly class?: string
  readonly children: ComponentChildren
}) {
  const id = `card-${props.title.replaceAll(/\W+/g, '-').toLowerCase()}`
  return (
    <section class={`card ${props.class ?? ''}`} aria-labelledby={id}>
      <header>
        <h2 id={id}>{props.title}</h2>
        {props.note === undefined ? null : <span class="note">{props.note}</span>}
      </header>
      {props.children}
    </section>
  )
}

/** Explains an empty list and says what to do. */
export function Empty({ children }: { readonly children: ComponentChildren }) {
  return <p class="empty">{children}</p>
}

export function Failure({
  error,
  what,
}: {
  readonly error: string | undefined
  readonly what: string
}) {
  if (error === undefined) return null
  return (
    <p class="failure" role="alert">
      <i aria-hidden="true">▲</i> {what} cannot be shown as of now. {error}
    </p>
  )
}

/** A bar that shows how full something is. `value` and `max` have the same unit. */
export function Bar(props: {
  readonly value: number
  readonly max: number
  readonly label: string
  readonly mark?: Mark
}) {
  const share = props.max <= 0 ? 0 : Math.min(1, props.value / props.max)
  const percent = Math.round(share * 100)
  return (
    <div
      class={`bar ${props.mark ?? 'ok'}`}
      role="meter"
      aria-valuenow={percent}
      aria-valuemin={0}
      aria-valuemax={100}
      aria-label={props.label}
    >
      <b style={{ width: `${(share * 100).toFixed(1)}%` }} />
    </div>
  )
}

/** A wide table scrolls inside its own box, so the page does not. */
export function Table(props: {
  readonly caption: string
  readonly head: readonly (string | readonly [text: string, kind: 'n'])[]
  readonly children: ComponentChildren
}) {
  return (
    <div class="scroll" tabIndex={0} role="region" aria-label={props.caption}>
      <table>
        <caption class="hidden">{props.caption}</caption>
        <thead>
          <tr>
            {props.head.map((cell) =>
              typeof cell === 'string' ? (
                <th key={cell} scope="col">
                  {cell}
                </th>
              ) : (
                <th key={cell[0]} scope="col" class="n">
                  {cell[0]}
                </th>
              ),
            )}
          </tr>
        </thead>
        <tbody>{props.children}</tbody>
      </table>
    </div>
  )
}

/** UTC, like every time on the page. */
export function clock(iso: string): string {
  return iso.slice(11, 19)
}

export function stamp(iso: string): string {
  return `${iso.slice(0, 10)} ${iso.slice(11, 19)}`
}

export function today(): string {
  return new Date().toISOString().slice(0, 10)
}

export function shiftDay(date: string, days: number): string {
  return new Date(Date.parse(`${date}T00:00:00Z`) + days * 86_400_000).toISOString().slice(0, 10)
}
