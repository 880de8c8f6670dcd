/** The search for a symbol: type, arrow keys, Enter. The key "/" leads to it. */
import { useEffect, useRef, useState } from 'preact/hooks'
import type { Controller } from '../controller.ts'
import { type Instrument, search } from '../data/instrument.ts'

const SHOWN = 40

export function Search({ controller }: { readonly controller: Controller }) {
  const { instruments, instrument } = controller
  const input = useRef<HTMLInputElement>(null)
  const [text, setText] = useState<string>()
  const [at, setAt] = useState(0)
  useEffect(() => focusOnSlash(() => input.current), [])
  const is_open = text !== undefined
  const found = is_open ? search(instruments, text, SHOWN) : []
  const close = (): void => {
    setText(undefined)
    input.current?.blur()
  }
  const choose = (one: Instrument | undefined): void => {
    if (one === undefined) return
    controller.set({ symbol: one.symbol, exchange: one.exchange })
    close()
  }
  const onKey = (event: KeyboardEvent): void => {
    const steps: Readonly<Record<string, number>> = {
      ArrowDown: 1,
      ArrowUp: -1,
      PageDown: 8,
      PageUp: -8,
    }
    const step = steps[event.key]
    if (event.key === 'Enter') choose(found[at])
    else if (event.key === 'Escape') close()
    else if (step !== undefined) setAt(Math.max(0, Math.min(found.length - 1, at + step)))
    else return
    event.preventDefault()
  }
  return (
    <div class="search">
      <input
        ref={input}
        type="text"
        role="combobox"
        aria-label="Symbol"
        aria-expanded={is_open}
        aria-controls="found"
        aria-autocomplete="list"
        {...(is_open && found.length > 0 ? { 'aria-activedescendant': `found-${at}` } : {})}
        autocomplete="off"
        spellcheck={false}
        placeholder="Search a symbol"
        value={text ?? instrument?.symbol ?? ''}
        onFocus={(event) => {
          setText('')
          setAt(0)
          event.currentTarget.select()
        }}
        onBlur={() => setText(undefined)}
        onInput={(event) => {
          setText(event.currentTarget.value)
          setAt(0)
        }}
        onKeyDown={onKey}
      />
      {is_open ? (
        <ul id="found" role="listbox" aria-label="Symbols">
          {found.map((one, i) => (
            <Option
              key={`${one.exchange} ${one.symbol}`}
              id={`found-${i}`}
              instrument={one}
              is_at={i === at}
              onChoose={() => choose(one)}
            />
          ))}
          <li class="count" role="presentation">
            {found.length === 0 ? 'No symbol matches.' : `${instruments.length} symbols`}
          </li>
        </ul>
      ) : null}
    </div>
  )
}

function Option(props: {
  readonly id: string
  readonly instrument: Instrument
  readonly is_at: boolean
  onChoose(): void
}) {
  const { id, instrument, is_at } = props
  const element = useRef<HTMLLIElement>(null)
  useEffect(() => {
    if (is_at) element.current?.scrollIntoView({ block: 'nearest' })
  }, [is_at])
  return (
    <li
      ref={element}
      id={id}
      role="option"
      aria-selected={is_at}
      onPointerDown={(event) => {
        // Before the input loses the focus.
        event.preventDefault()
        props.onChoose()
      }}
    >
      <b>{instrument.symbol}</b>
      <span>
        {instrument.exchange}
        {instrument.is_active ? '' : ', no longer traded'}
      </span>
    </li>
  )
}

function focusOnSlash(inputOf: () => HTMLInputElement | null): () => void {
  const onKey = (event: KeyboardEvent): void => {
    if (event.key !== '/' || isTyping(event.target)) return
    event.preventDefault()
    inputOf()?.focus()
  }
  addEventListener('keydown', onKey)
  return () => removeEventListener('keydown', onKey)
}

export function isTyping(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && /^(INPUT|SELECT|TEXTAREA)$/.test(target.tagName)
}
