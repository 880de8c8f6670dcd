/**
 * The process between the user and us: npm, npx, or the older Node that handed over to this one.
 * Killed with -9 it can pass nothing on, and what it started would run on unseen; so whoever was
 * started that way stops when it is gone.
 */
import { identify, isRunning, type ProcessIdentity } from '#core/node/process-table.ts'

/** Set by infra/cli/booktape.mjs where it hands over to another Node. */
const HANDED_OVER = 'BOOKTAPE_HANDED_OVER'
const LOOK_MS = 500

/** Undefined where the user's shell (or systemd, or a test) started us itself. */
export function launcherOf(
  env: Readonly<Record<string, string | undefined>>,
  parent_pid: number,
): ProcessIdentity | undefined {
  // npm's variables are inherited by everything below it: its script must be ours.
  const is_script = env['npm_lifecycle_script']?.includes('booktape') === true
  return is_script || env[HANDED_OVER] !== undefined ? identify(parent_pid) : undefined
}

/** Calls `onGone` once, when the launcher has ended. */
export function watchLauncher(launcher: ProcessIdentity | undefined, onGone: () => void): void {
  if (launcher === undefined) return
  const timer = setInterval(() => {
    if (isRunning(launcher)) return
    clearInterval(timer)
    onGone()
  }, LOOK_MS)
  timer.unref()
}
