/**
 * Resources to close at the end of a test file. An `afterAll` at module level does not work: test
 * files share modules (`isolate: false`), so it would be registered only for the first file.
 */
const closers: (() => unknown)[] = []

/** Closed in reverse order. */
export function atFileEnd(close: () => unknown): void {
  closers.push(close)
}

export async function closeAll(): Promise<void> {
  for (const close of closers.splice(0).toReversed()) await close()
}
