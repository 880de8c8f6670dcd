/**
 * What is to be put away when a test file is done. A module's own `afterAll` would not do: test
 * files share their modules (`isolate: false`), and it would be registered for the first file alone.
 */
const closers: (() => unknown)[] = []

/** Closed in the reverse order. */
export function atFileEnd(close: () => unknown): void {
  closers.push(close)
}

export async function closeAll(): Promise<void> {
  for (const close of closers.splice(0).toReversed()) await close()
}
