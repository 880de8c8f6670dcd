/**
 * The launcher: the process between the user and this one (npm, npx, or an older Node that handed
 * over). A launcher killed with -9 cannot forward the signal, and this process would keep running
 * unseen. So this process stops when its launcher is gone.
 */
import { identify, isRunning, type ProcessIdentity } from '#core/node/process-table.ts'

/** Set by infra/cli/booktape.mjs when it hands over to another Node. */
const HANDED_OVER = 'BOOKTAPE_HANDED_OVER'
const LOOK_MS = 500

/** Undefined if the user's shell, systemd or a test started this process directly. */
export function launcherOf(
  env: Readonly<Record<string, string | undefined>>,
  parent_pid: number,
): ProcessIdentity | undefined {
  // Every descendant of npm inherits its variables, so the script must be one of booktape's.
  const is_script = env['npm_lifecycle_script']?.includes('booktape') === true
  return is_script || env[HANDED_OVER] !== undefined ? identify(parent_pid) : undefined
}

/** Calls `onGone` once, when the launcher has exited. */
export function watchLauncher(launcher: ProcessIdentity | undefined, onGone: () => void): void {
  if (launcher === undefined) return
  const timer = setInterval(() => {
    if (isRunning(launcher)) return
    clearInterval(timer)
    onGone()
  }, LOOK_MS)
  timer.unref()
}
