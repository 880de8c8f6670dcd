/** The bar at the pointer, or the newest, in numbers. */
import type { Controller } from '../controller.ts'
import { shortNumber } from '../draw/cells.ts'
import { timeText } from '../draw/items.ts'
import { useChanges } from './use.ts'

const TIP_MAX = 6

export function Legend({ controller }: { readonly controller: Controller }) {
  useChanges(controller)
  const { stage, pointer, instrument, view } = controller
  if (stage === undefined || instrument === undefined) return null
  const slot =
    pointer === undefined
      ? stage.slots.findLast(({ candle }) => candle !== undefined)
      : stage.slotAt(pointer.ts)
  const candle = slot?.candle
  return (
    <div class="legend">
      <b>{instrument.symbol}</b> <span>{instrument.exchange}</span> <span>{view.interval}</span>
      {slot === undefined ? null : <time>{timeText(slot.ts)}</time>}
      {candle === undefined || slot === undefined ? null : (
        <span class={candle.close >= candle.open ? 'up' : 'down'}>
          <i>O</i> {candle.open} <i>H</i> {candle.high} <i>L</i> {candle.low} <i>C</i>{' '}
          {candle.close} <i>V</i> {shortNumber(candle.buy_volume + candle.sell_volume)} <i>Δ</i>{' '}
          {shortNumber(slot.delta)} <i>Σ Δ</i> {shortNumber(slot.delta_sum)}
        </span>
      )}
    </div>
  )
}

/** Causes of holes and what signals say, at the pointer. */
export function Tip({ controller }: { readonly controller: Controller }) {
  useChanges(controller)
  const { pointer, stage } = controller
  const words = controller.words_at_pointer
  if (pointer === undefined || stage === undefined || words.length === 0) return null
  const is_right = pointer.x > stage.width_px / 2
  return (
    <div
      class="tip"
      role="status"
      style={{
        top: `${pointer.y + 14}px`,
        ...(is_right
          ? { right: `calc(100% - ${pointer.x - 12}px)` }
          : { left: `${pointer.x + 12}px` }),
      }}
    >
      {words.slice(0, TIP_MAX).map((text) => (
        <p key={text}>{text}</p>
      ))}
      {words.length > TIP_MAX ? <p>and {words.length - TIP_MAX} more</p> : null}
    </div>
  )
}
