/** Callers within `kept_ms` of another share one answer, also while it is still being made. */
export function shared<T>(kept_ms: number, read: () => Promise<T>): () => Promise<T> {
  let known: { readonly at_ms: number; readonly answer: Promise<T> } | undefined
  return () => {
    const now_ms = performance.now()
    if (known !== undefined && now_ms - known.at_ms <= kept_ms) return known.answer
    const answer = read()
    const one = { at_ms: now_ms, answer }
    known = one
    // A failure is nobody else's.
    answer.catch(() => {
      if (known === one) known = undefined
    })
    return answer
  }
}
