/** The page /chart. */
import { render } from 'preact'
import { useEffect, useRef, useState } from 'preact/hooks'
import { Controller } from './controller.ts'
import { Legend, Tip } from './parts/legend.tsx'
import { onChartKey } from './parts/keys.ts'
import { Ladder } from './parts/ladder.tsx'
import { Status } from './parts/status.tsx'
import { Tape } from './parts/tape.tsx'
import { TokenDialog } from './parts/token-dialog.tsx'
import { Toolbar } from './parts/toolbar.tsx'

const controller = new Controller()
// For the developer tools: `booktape.stage.slots` are the bars on the page.
Object.assign(globalThis, { booktape: controller })

function App() {
  const chart = useRef<HTMLDivElement>(null)
  const [is_asking, setAsking] = useState(false)
  useEffect(() => void controller.start(chart.current!), [])
  return (
    <>
      <Toolbar controller={controller} onToken={() => setAsking(true)} />
      <main>
        <Legend controller={controller} />
        <div
          id="chart"
          ref={chart}
          tabIndex={0}
          role="application"
          aria-label="Chart: arrow keys move, plus and minus zoom, End shows the newest bar"
          onKeyDown={(event) => onChartKey(controller, event)}
        />
        <Tip controller={controller} />
      </main>
      <aside>
        <Ladder controller={controller} />
        <Tape controller={controller} />
      </aside>
      <Status controller={controller} />
      {is_asking ? (
        <TokenDialog onChanged={() => void controller.load()} onClose={() => setAsking(false)} />
      ) : null}
    </>
  )
}

render(<App />, document.getElementById('app')!)
