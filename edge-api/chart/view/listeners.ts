/** Those who draw when something changed: at most once a frame. */
export class Listeners {
  readonly #listeners = new Set<() => void>()
  #is_asked = false

  add(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  tell(): void {
    if (this.#is_asked) return
    this.#is_asked = true
    requestAnimationFrame(() => {
      this.#is_asked = false
      for (const listener of this.#listeners) listener()
    })
  }
}
