/** systemd as the process manager, by its command line. */
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { OperatorError } from '#core/errors.ts'
import type { ProcessManager } from './process-manager.ts'

const run = promisify(execFile)
const LOG_LINES = '20'

export function systemdManager(): ProcessManager {
  const systemctl = (...args: readonly string[]): Promise<unknown> =>
    run('systemctl', ['--no-ask-password', ...args])
  const begin = async (verb: 'start' | 'restart', unit: string): Promise<void> => {
    try {
      await systemctl(verb, unit)
    } catch (cause) {
      const hint = `Its log ends with: ${await logEnd(unit)}`
      throw new OperatorError('unit_failed', `${unit} did not start.`, { hint, cause })
    }
  }
  return {
    reload: async () => void (await systemctl('daemon-reload')),
    start: (unit) => begin('start', unit),
    restart: (unit) => begin('restart', unit),
    stop: async (unit) => void (await systemctl('stop', unit)),
    isActive: async (unit) => {
      const args = ['show', '--property=ActiveState', '--value', unit]
      const { stdout } = await run('systemctl', args)
      return ['active', 'activating', 'reloading', 'deactivating'].includes(stdout.trim())
    },
    setEnabled: async (unit, is_enabled) =>
      void (await systemctl(is_enabled ? 'enable' : 'disable', '--quiet', unit)),
  }
}

async function logEnd(unit: string): Promise<string> {
  try {
    const args = ['--no-pager', '--output=cat', '--lines', LOG_LINES, '--unit', unit]
    return (await run('journalctl', args)).stdout.trim()
  } catch {
    return '(journalctl cannot be read)'
  }
}
