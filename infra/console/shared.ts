/** Calls within `kept_ms` share one answer, even while it is still pending. */
export function shared<T>(kept_ms: number, read: () => Promise<T>): () => Promise<T> {
  let known: { readonly at_ms: number; readonly answer: Promise<T> } | undefined
  return () => {
    const now_ms = performance.now()
    if (known !== undefined && now_ms - known.at_ms <= kept_ms) return known.answer
    const answer = read()
    const one = { at_ms: now_ms, answer }
    known = one
    // A failure is not kept for later callers.
    answer.catch(() => {
      if (known === one) known = undefined
    })
    return answer
  }
}
