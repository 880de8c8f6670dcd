/** The operator's changes: the page shows a plan first and applies it after a confirmation. */
import { useEffect, useRef, useState } from 'preact/hooks'
import { count, counted, duration, listed } from '../state/words.ts'
import type { ChangeOutcome, Identity, IngestorView } from '../wire.ts'
import { send, setToken, token } from './api.ts'

interface Plan {
  readonly symbols_added: readonly string[]
  readonly symbols_removed: readonly string[]
  readonly streams_added_count: number
  readonly streams_removed_count: number
  readonly streams_kept_count: number
  readonly rest_weight: number
  readonly duration_s: number
}

interface Wish {
  readonly title: string
  readonly method: 'POST' | 'PUT'
  readonly path: string
  readonly body: Readonly<Record<string, unknown>>
}

export function IngestorControls({ ingestor }: { readonly ingestor: IngestorView }) {
  const { ingestor_id, status } = ingestor
  const [wish, setWish] = useState<Wish>()
  const [symbols, setSymbols] = useState(status?.actual.symbol_count ?? 1)
  const is_paused = status?.actual.recording === 'paused'
  const body = { ingestors: [ingestor_id] }
  return (
    <div class="controls">
      <button
        type="button"
        onClick={() =>
          setWish(
            is_paused
              ? { title: `Record again: ${ingestor_id}`, method: 'POST', path: '/start', body }
              : { title: `Pause ${ingestor_id}`, method: 'POST', path: '/stop', body },
          )
        }
      >
        {is_paused ? 'Record' : 'Pause'}
      </button>
      <form
        onSubmit={(event) => {
          event.preventDefault()
          setWish({
            title: `Record ${counted(symbols, 'symbol')}: ${ingestor_id}`,
            method: 'POST',
            path: '/scale',
            body: { ...body, count: symbols },
          })
        }}
      >
        <label>
          <span class="hidden">Symbols of {ingestor_id}</span>
          <input
            type="number"
            min={1}
            max={10000}
            value={symbols}
            onInput={(event) => setSymbols(Number(event.currentTarget.value))}
          />
        </label>
        <button type="submit">Scale</button>
      </form>
      {wish === undefined ? null : <Confirm wish={wish} onDone={() => setWish(undefined)} />}
    </div>
  )
}

function Confirm({ wish, onDone }: { readonly wish: Wish; readonly onDone: () => void }) {
  const [plan, setPlan] = useState<Plan>()
  const [error, setError] = useState<string>()
  const [is_busy, setBusy] = useState(false)
  useEffect(() => {
    send<{ readonly outcomes: readonly ChangeOutcome[] }>(
      wish.method,
      `${wish.path}?dry_run=true`,
      wish.body,
    )
      .then(({ outcomes }) => setPlan((outcomes[0]!.answer as { readonly result: Plan }).result))
      .catch((problem: Error) => setError(problem.message))
  }, [wish])
  const carryOut = async (): Promise<void> => {
    setBusy(true)
    try {
      await send(wish.method, wish.path, wish.body)
      onDone()
    } catch (problem) {
      setError((problem as Error).message)
      setBusy(false)
    }
  }
  return (
    <Dialog title={wish.title} onClose={onDone}>
      {plan === undefined && error === undefined ? <p>Asking what this would do.</p> : null}
      {plan === undefined ? null : <PlanText plan={plan} />}
      {error === undefined ? null : (
        <p class="failure" role="alert">
          {error}
        </p>
      )}
      <p class="buttons">
        <button type="button" onClick={onDone}>
          Leave it
        </button>
        <button
          type="button"
          class="primary"
          disabled={plan === undefined || is_busy}
          onClick={() => void carryOut()}
        >
          {is_busy ? 'Being carried out' : 'Carry out'}
        </button>
      </p>
    </Dialog>
  )
}

function PlanText({ plan }: { readonly plan: Plan }) {
  const {
    symbols_added,
    symbols_removed,
    streams_added_count,
    streams_removed_count,
    streams_kept_count,
  } = plan
  if (streams_added_count + streams_removed_count === 0) {
    return (
      <p>No stream would come or go; {counted(streams_kept_count, 'stream')} stay as they are.</p>
    )
  }
  return (
    <ul>
      <li>
        {counted(streams_added_count, 'stream')} added
        {symbols_added.length === 0 ? '' : `: ${listed(symbols_added, 6)}`}
      </li>
      <li>
        {counted(streams_removed_count, 'stream')} removed
        {symbols_removed.length === 0 ? '' : `: ${listed(symbols_removed, 6)}`}. Each leaves a gap
        with cause operator.
      </li>
      <li>{counted(streams_kept_count, 'stream')} stay as they are; none reconnects.</li>
      <li>
        It takes about {duration(plan.duration_s)} and {count(plan.rest_weight)} of the exchange's
        request weight.
      </li>
    </ul>
  )
}

export function Dialog(props: {
  readonly title: string
  readonly onClose: () => void
  readonly children: preact.ComponentChildren
}) {
  const box = useRef<HTMLDialogElement>(null)
  useEffect(() => box.current?.showModal(), [])
  return (
    <dialog ref={box} onClose={props.onClose} aria-labelledby="dialog-title">
      <h2 id="dialog-title">{props.title}</h2>
      {props.children}
    </dialog>
  )
}

/** A token with the scope operate may change what is recorded. */
export function TokenDialog({
  identity,
  onChanged,
  onClose,
}: {
  readonly identity: Identity | undefined
  readonly onChanged: () => void
  readonly onClose: () => void
}) {
  const [text, setText] = useState(token())
  return (
    <Dialog title="Token" onClose={onClose}>
      <p>
        {identity === undefined
          ? 'This console is shown to those who have a token.'
          : `You are ${identity.name} and may ${identity.scope === 'operate' ? 'look and steer' : 'look'}.`}
      </p>
      <p class="muted">
        A token of scope operate steers the ingestors and runs jobs. On the local stack it is{' '}
        <code>console_token</code> in <code>.data/stack.json</code>. It stays in this tab.
      </p>
      <form
        onSubmit={(event) => {
          event.preventDefault()
          setToken(text.trim())
          onChanged()
          onClose()
        }}
      >
        <label>
          Token
          <input
            type="password"
            autocomplete="off"
            value={text}
            onInput={(event) => setText(event.currentTarget.value)}
          />
        </label>
        <p class="buttons">
          <button type="button" onClick={onClose}>
            Close
          </button>
          <button type="submit" class="primary">
            Use it
          </button>
        </p>
      </form>
    </Dialog>
  )
}
