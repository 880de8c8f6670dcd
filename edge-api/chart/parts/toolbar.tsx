/** What is shown, and how. */
import type { ComponentChildren } from 'preact'
import { SIGNAL_KINDS } from '#core/signals/signal.ts'
import type { Controller } from '../controller.ts'
import { LETTERS } from '../draw/marks.ts'
import { INTERVALS, type Mode, MODES, THEMES, toggleKind } from '../view/view.ts'
import { savePicture } from './picture.ts'
import { Search } from './search.tsx'
import { useChanges } from './use.ts'

const MODE_NAMES: Readonly<Record<Mode, string>> = {
  candles: 'Candles',
  delta: 'Delta',
  volume: 'Volume',
  bidask: 'Bid × ask',
}
const BINS = [0, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000]

export function Toolbar({
  controller,
  onToken,
}: {
  readonly controller: Controller
  onToken(): void
}) {
  useChanges(controller)
  const { view } = controller
  const bins = BINS.includes(view.bin) ? BINS : [...BINS, view.bin]
  return (
    <header>
      <a class="brand" href="/docs" title="The API's documentation">
        booktape
      </a>
      <Search controller={controller} />
      <Group label="Timeframe">
        {INTERVALS.map((interval) => (
          <Choice
            key={interval}
            is_on={view.interval === interval}
            onClick={() => controller.set({ interval })}
          >
            {interval}
          </Choice>
        ))}
      </Group>
      <Group label="Bars as">
        {MODES.map((mode) => (
          <Choice key={mode} is_on={view.mode === mode} onClick={() => controller.setMode(mode)}>
            {MODE_NAMES[mode]}
          </Choice>
        ))}
      </Group>
      {view.mode === 'candles' ? null : (
        <label class="field">
          Bin
          <select
            value={view.bin}
            onChange={(event) => controller.set({ bin: Number(event.currentTarget.value) })}
          >
            {bins.map((bin) => (
              <option key={bin} value={bin}>
                {bin === 0 ? 'auto' : bin === 1 ? '1 tick' : `${bin} ticks`}
              </option>
            ))}
          </select>
        </label>
      )}
      <Group label="Layers">
        <Choice is_on={view.heat} onClick={() => controller.set({ heat: !view.heat })}>
          Heatmap
        </Choice>
        <Choice is_on={view.profile} onClick={() => controller.set({ profile: !view.profile })}>
          Profile
        </Choice>
        <Choice is_on={view.signals} onClick={() => controller.set({ signals: !view.signals })}>
          Signals
        </Choice>
      </Group>
      {view.signals ? <Kinds controller={controller} /> : null}
      <div class="tools">
        <button type="button" onClick={() => savePicture(controller)} title="Download as PNG">
          Picture
        </button>
        <button
          type="button"
          title={`Colours: ${view.theme}`}
          onClick={() => {
            const theme = THEMES[(THEMES.indexOf(view.theme) + 1) % THEMES.length]!
            controller.set({ theme })
          }}
        >
          Theme
        </button>
        <button type="button" onClick={onToken}>
          Token
        </button>
      </div>
    </header>
  )
}

/** Which kinds of signals are marked. */
function Kinds({ controller }: { readonly controller: Controller }) {
  const { view } = controller
  const named = view.kinds.split(',')
  return (
    <details class="kinds">
      <summary>Kinds</summary>
      <div>
        {SIGNAL_KINDS.map((kind) => (
          <label key={kind}>
            <input
              type="checkbox"
              checked={named.includes(kind)}
              onChange={() => controller.set({ kinds: toggleKind(view, kind) })}
            />
            {kind.replaceAll('_', ' ')} <i>{LETTERS[kind]}</i>
          </label>
        ))}
      </div>
    </details>
  )
}

function Group(props: { readonly label: string; readonly children: ComponentChildren }) {
  return (
    <div class="group" role="group" aria-label={props.label}>
      {props.children}
    </div>
  )
}

function Choice(props: {
  readonly is_on: boolean
  onClick(): void
  readonly children: ComponentChildren
}) {
  return (
    <button type="button" aria-pressed={props.is_on} onClick={props.onClick}>
      {props.children}
    </button>
  )
}
