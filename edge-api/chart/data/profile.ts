/** The volume profile of what is visible, asked for once the user has stopped moving. */
import { ask, Refusal } from './api.ts'
import { addressOf, type Instrument } from './instrument.ts'

export interface Profile {
  readonly step: number
  readonly poc: number
  readonly value_area_low: number
  readonly value_area_high: number
  readonly price: Float64Array
  readonly buy: Float64Array
  readonly sell: Float64Array
  readonly volume_max: number
}

interface Answer {
  readonly tick_size: string
  readonly bin_ticks: number
  readonly poc: string | null
  readonly value_area_low: string | null
  readonly value_area_high: string | null
  readonly cells: readonly (readonly [string, string, string, number, number])[]
}

const STILL_MS = 400

export class ProfileLoader {
  readonly #instrument: Instrument
  readonly #onChange: () => void
  readonly #onError: (error: Refusal | undefined) => void
  #timer = 0
  #asked = ''
  #request: AbortController | undefined
  #is_refused = false
  profile: Profile | undefined

  constructor(
    instrument: Instrument,
    onChange: () => void,
    onError: (error: Refusal | undefined) => void,
  ) {
    this.#instrument = instrument
    this.#onChange = onChange
    this.#onError = onError
  }

  show(from: number, to: number, bin: number): void {
    const bounds = `from=${from}&to=${to}&bin=${bin === 0 ? 'auto' : bin}`
    if (bounds === this.#asked || this.#is_refused) return
    this.#asked = bounds
    clearTimeout(this.#timer)
    this.#timer = window.setTimeout(() => void this.#load(bounds), STILL_MS)
  }

  close(): void {
    clearTimeout(this.#timer)
    this.#request?.abort()
  }

  async #load(bounds: string): Promise<void> {
    this.#request?.abort()
    this.#request = new AbortController()
    const { signal } = this.#request
    const { path, query } = addressOf(this.#instrument)
    try {
      const answer = await ask<Answer>(`/v1/volume-profile/${path}?${query}&${bounds}`, signal)
      this.profile = profileOf(answer)
      this.#onError(undefined)
    } catch (error) {
      if (signal.aborted || !(error instanceof Refusal)) return
      this.profile = undefined
      this.#is_refused = error.status === 404
      this.#onError(error)
    }
    this.#onChange()
  }
}

function profileOf({ cells, tick_size, bin_ticks, ...figures }: Answer): Profile {
  const buy = Float64Array.from(cells, ([, text]) => Number(text))
  const sell = Float64Array.from(cells, ([, , text]) => Number(text))
  return {
    step: Number(tick_size) * bin_ticks,
    poc: Number(figures.poc),
    value_area_low: Number(figures.value_area_low),
    value_area_high: Number(figures.value_area_high),
    price: Float64Array.from(cells, ([text]) => Number(text)),
    buy,
    sell,
    volume_max: buy.reduce((most, qty, i) => Math.max(most, qty + sell[i]!), 0),
  }
}
