/**
 * How every program stops: on SIGINT, SIGTERM, SIGHUP (the terminal was closed), or the exit of the
 * parent that started it with IPC (the local stack). `stop` runs once; a second signal ends the
 * process at once.
 */
import type { Logger } from './log.ts'

export interface Shutdown {
  /** Aborted when the shutdown begins. */
  readonly signal: AbortSignal
  /** Begins the shutdown, as a signal does. */
  begin(reason: string, exit_code?: number): void
}

/** On Ctrl-C both the terminal and npm signal this process: signals this close count as one. */
const ONE_SIGNAL_MS = 1_000

/**
 * `stop` must finish within `limit_ms`; otherwise the process exits with code 1. After a signal the
 * exit code is `interrupted_code`: not 0 if stopping leaves work undone.
 */
export function onShutdown(
  log: Logger,
  stop: (reason: string) => Promise<void>,
  limit_ms = 30_000,
  interrupted_code = 0,
): Shutdown {
  const controller = new AbortController()
  let signalled_at: number | undefined
  const begin = (reason: string, exit_code = interrupted_code): void => {
    if (controller.signal.aborted) return
    controller.abort()
    const timer = setTimeout(() => {
      log.error({ code: 'shutdown_timeout', limit_ms }, 'Shutdown took too long; exiting now.')
      process.exit(1)
    }, limit_ms)
    timer.unref()
    stop(reason).then(
      () => process.exit(exit_code),
      (error: unknown) => {
        log.error({ code: 'shutdown_failed', error: String(error) }, 'Shutdown failed.')
        process.exit(1)
      },
    )
  }
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(name, () => {
      signalled_at ??= performance.now()
      if (performance.now() - signalled_at >= ONE_SIGNAL_MS) process.exit(1)
      begin(name)
    })
  }
  if (process.connected !== undefined) process.on('disconnect', () => begin('parent_gone'))
  // The parent may have exited while this program was still starting.
  if (process.connected === false) begin('parent_gone')
  return { signal: controller.signal, begin }
}

/** Sends a message to the parent that started this process with IPC, if any. Never throws. */
export function tellParent(message: Readonly<Record<string, unknown>>): void {
  if (process.send === undefined || !process.connected) return
  process.send(message, () => undefined)
}
