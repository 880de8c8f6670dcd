/** Resting liquidity around what is shown, of one interval and bin at a time. */
import { Blocks } from './blocks.ts'
import type { Refusal } from './api.ts'
import { askHeat, HEAT_SPAN_US, HEAT_US, type HeatInterval, type HeatRow } from './heat.ts'
import type { Instrument } from './instrument.ts'
import { marketNow } from './market-clock.ts'
import type { Range } from './slots.ts'

const BLOCKS_MAX = 12

export class HeatLoader {
  readonly #instrument: Instrument
  readonly #onChange: () => void
  readonly #onError: (error: Refusal | undefined) => void
  #known: { readonly key: string; readonly blocks: Blocks<HeatRow> } | undefined
  #has_heat = true

  constructor(
    instrument: Instrument,
    onChange: () => void,
    onError: (error: Refusal | undefined) => void,
  ) {
    this.#instrument = instrument
    this.#onChange = onChange
    this.#onError = onError
  }

  /** `bin` in ticks. */
  show({ from, to }: Range, interval: HeatInterval, bin: number): readonly HeatRow[] {
    if (!this.#has_heat) return []
    const blocks = this.#blocksOf(interval, bin)
    const end = Math.min(to, marketNow())
    const span = end - from
    if (span > 0) blocks.want(Math.max(0, from - span / 2), end)
    return [...blocks.rows(from - HEAT_US[interval], to)]
  }

  close(): void {
    this.#known?.blocks.close()
  }

  #blocksOf(interval: HeatInterval, bin: number): Blocks<HeatRow> {
    const key = `${interval} ${bin}`
    if (this.#known?.key === key) return this.#known.blocks
    this.close()
    const blocks = new Blocks<HeatRow>({
      span_us: HEAT_SPAN_US[interval],
      resident_max: BLOCKS_MAX,
      timeOf: ({ ts }) => ts,
      load: (from, to, signal) => askHeat(this.#instrument, interval, bin, from, to, signal),
      onChange: this.#onChange,
      onError: (error) => {
        if (error?.status === 404) this.#has_heat = false
        this.#onError(error)
      },
    })
    this.#known = { key, blocks }
    return blocks
  }
}
