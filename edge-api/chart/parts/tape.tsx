/** The newest trades, by size and by the taker's side. */
import type { Controller } from '../controller.ts'
import type { Trade } from '../data/trades.ts'
import type { Side, View } from '../view/view.ts'
import { useChanges } from './use.ts'

const SHOWN = 60

export function Tape({ controller }: { readonly controller: Controller }) {
  useChanges(controller)
  const { feed, view, instrument } = controller
  const trades = feed === undefined ? [] : newest(feed.tape, view)
  return (
    <section class="tape" aria-label="Trades">
      <h2>
        Trades
        <label class="field">
          from
          <input
            type="number"
            min="0"
            step="any"
            aria-label={`Smallest quantity [${instrument?.base_asset ?? 'base asset'}]`}
            value={view.least}
            onChange={(event) => controller.set({ least: Number(event.currentTarget.value) || 0 })}
          />
        </label>
        <select
          aria-label="Taker"
          value={view.side}
          onChange={(event) => controller.set({ side: event.currentTarget.value as Side })}
        >
          <option value="all">all</option>
          <option value="buy">buys</option>
          <option value="sell">sells</option>
        </select>
      </h2>
      {trades.length === 0 ? <p class="empty">No such trade yet.</p> : null}
      <ol>
        {trades.map((trade) => (
          <li key={`${trade.ts} ${trade.id}`} class={trade.is_sell ? 'sell' : 'buy'}>
            <time>{new Date(trade.ts / 1_000).toISOString().slice(11, 19)}</time>
            <span>{trade.price_text}</span>
            <b>{trade.qty_text}</b>
          </li>
        ))}
      </ol>
    </section>
  )
}

function newest(tape: readonly Trade[], { least, side }: View): readonly Trade[] {
  const found: Trade[] = []
  for (let i = tape.length - 1; i >= 0 && found.length < SHOWN; i--) {
    const trade = tape[i]!
    if (trade.qty < least) continue
    if (side === 'all' || (side === 'sell') === trade.is_sell) found.push(trade)
  }
  return found
}
