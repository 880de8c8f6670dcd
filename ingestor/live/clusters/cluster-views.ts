/** The views that somebody listens to. One that nobody listens to any more is kept for a minute. */
import { keyOf } from '../channels.ts'
import { Fault } from '../fault.ts'
import { ClusterView, type ViewName, type ViewOptions } from './cluster-view.ts'

export interface ClusterViewsOptions extends Omit<
  ViewOptions,
  'name' | 'newestTrade' | 'readBars'
> {
  /** Undefined: this installation has no cluster engine. */
  readonly readBars: ViewOptions['readBars'] | undefined
  /** Views at once: the engine is asked for each of them once a second. */
  readonly views_max: number
  newestTrade(exchange: string, symbol: string): number
}

const KEPT_MS = 60_000

export class ClusterViews {
  readonly #options: ClusterViewsOptions
  readonly #views = new Map<string, ClusterView>()

  constructor(options: ClusterViewsOptions) {
    this.#options = options
  }

  get count(): number {
    return this.#views.size
  }

  /** Throws a Fault if there are too many, or no engine. */
  of(name: ViewName): ClusterView {
    const { readBars, views_max, newestTrade, ...rest } = this.#options
    const key = keyOf(name)
    const known = this.#views.get(key)
    if (known !== undefined) return known
    if (readBars === undefined) {
      throw new Fault('unknown_channel', 'This installation runs no cluster engine (CLUSTERS_URL).')
    }
    this.#dropUnused()
    if (this.#views.size >= views_max) {
      const detail = `At most ${views_max} kinds of bars can be followed at once.`
      throw new Fault('too_many_subscriptions', detail)
    }
    const { exchange, symbol } = name
    const view = new ClusterView({
      ...rest,
      name,
      readBars,
      newestTrade: () => newestTrade(exchange, symbol),
    })
    this.#views.set(key, view)
    return view
  }

  stop(): void {
    for (const view of this.#views.values()) view.stop()
    this.#views.clear()
  }

  #dropUnused(): void {
    const now = performance.now()
    for (const [key, view] of this.#views) {
      if (view.listeners.size > 0) view.left_at = 0
      else if (view.left_at === 0) view.left_at = now
      else if (now - view.left_at > KEPT_MS) {
        view.stop()
        this.#views.delete(key)
      }
    }
  }
}
