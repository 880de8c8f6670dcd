/** The book around its middle price, in steps that fit the panel. */
import type { Controller } from '../controller.ts'
import { ladderOf, type Rung } from '../data/ladder.ts'
import { shortNumber } from '../draw/cells.ts'
import { DEPTHS } from '../view/view.ts'
import { useChanges } from './use.ts'

const ROWS_A_SIDE = 14

export function Ladder({ controller }: { readonly controller: Controller }) {
  useChanges(controller)
  const { feed, view, instrument } = controller
  const tick = Number(instrument?.tick_size ?? '0.01')
  const ladder = feed?.book && ladderOf(feed.book, view.depth, tick, ROWS_A_SIDE)
  return (
    <section class="ladder" aria-label="Order book">
      <h2>
        Book
        <label class="field">
          within
          <select
            value={view.depth}
            onChange={(event) => controller.set({ depth: Number(event.currentTarget.value) })}
          >
            {[...new Set([...DEPTHS, view.depth])].map((depth) => (
              <option key={depth} value={depth}>
                {depth} %
              </option>
            ))}
          </select>
        </label>
      </h2>
      {ladder === undefined ? (
        <p class="empty">No book is known of this symbol at the moment.</p>
      ) : (
        <>
          <Side rungs={ladder.asks.toReversed()} side="sell" decimals={ladder.decimals} />
          <p class="mid">
            {ladder.mid.toFixed(ladder.decimals + 1)}
            <small>
              spread {ladder.spread.toFixed(ladder.decimals)}, bids{' '}
              {Math.round(ladder.bid_share * 100)} %
            </small>
          </p>
          <Side rungs={ladder.bids} side="buy" decimals={ladder.decimals} />
        </>
      )}
    </section>
  )
}

function Side(props: {
  readonly rungs: readonly Rung[]
  readonly side: 'buy' | 'sell'
  readonly decimals: number
}) {
  const { rungs, side, decimals } = props
  return (
    <ol class={`rungs ${side}`}>
      {rungs.map(({ price, qty, share }) => (
        <li key={price}>
          <u style={{ width: `${(share * 100).toFixed(1)}%` }} />
          <span>{price.toFixed(decimals)}</span>
          <b>{qty === 0 ? '' : shortNumber(qty)}</b>
        </li>
      ))}
    </ol>
  )
}
