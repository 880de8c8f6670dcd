/**
 * One way to stop for every program: SIGINT, SIGTERM, SIGHUP (the terminal was closed), or the end
 * of the parent that started us over IPC (the local stack). The steps run in order, once; a second
 * signal ends at once.
 */
import type { Logger } from './log.ts'

export interface Shutdown {
  /** Aborted as soon as stopping begins. */
  readonly signal: AbortSignal
  /** Begins to stop, as a signal would. */
  begin(reason: string, exit_code?: number): void
}

/** On Ctrl-C the terminal signals us, and npm passes its own signal on: those two are one. */
const ONE_SIGNAL_MS = 1_000

/**
 * `stop` must finish within `limit_ms`; then the process ends by force with exit code 1. After a
 * signal it ends with `interrupted_code`, which is not 0 where stopping leaves work undone.
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
      log.error({ code: 'shutdown_timeout', limit_ms }, 'Stopping took too long; ending by force.')
      process.exit(1)
    }, limit_ms)
    timer.unref()
    stop(reason).then(
      () => process.exit(exit_code),
      (error: unknown) => {
        log.error({ code: 'shutdown_failed', error: String(error) }, 'Stopping failed.')
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
  // It may have gone while this program was still starting.
  if (process.connected === false) begin('parent_gone')
  return { signal: controller.signal, begin }
}

/** Tells the parent that started us over IPC, where there is one. Never throws. */
export function tellParent(message: Readonly<Record<string, unknown>>): void {
  if (process.send === undefined || !process.connected) return
  process.send(message, () => undefined)
}
