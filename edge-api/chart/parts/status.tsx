/** What is shown is of now, or why not; and what cannot be shown. */
import type { Controller } from '../controller.ts'
import type { FeedState } from '../data/feed.ts'
import { useChanges } from './use.ts'

const WORDS: Readonly<Record<Exclude<FeedState['kind'], 'off'>, string>> = {
  connecting: 'connecting',
  live: 'live',
  reconnecting: 'Live stream lost, reconnecting. Nothing will be missing.',
}

export function Status({ controller }: { readonly controller: Controller }) {
  useChanges(controller)
  const { feed_state, notices, session, stage, view } = controller
  const words =
    feed_state.kind === 'off' ? `Not live: ${feed_state.reason}` : WORDS[feed_state.kind]
  const is_empty =
    session !== undefined && !session.is_loading && stage !== undefined && !stage.has_bars_in_view
  return (
    <footer>
      <span class={`state ${feed_state.kind}`} role="status">
        {words}
      </span>
      {[...notices].map(([part, reason]) => (
        <span key={part} class="notice" role="alert">
          {part}: {reason}
        </span>
      ))}
      {is_empty ? <span class="notice">No data in this range.</span> : null}
      {session?.is_loading === true ? <span class="muted">loading</span> : null}
      {view.to === 0 ? null : (
        <button type="button" onClick={() => controller.follow()}>
          To the newest bar
        </button>
      )}
      <span class="credit">
        Times are UTC. Chart by{' '}
        <a href="https://www.tradingview.com/" target="_blank" rel="noopener">
          TradingView Lightweight Charts™
        </a>{' '}
        (<a href="/chart/NOTICE.txt">notice</a>)
      </span>
    </footer>
  )
}
