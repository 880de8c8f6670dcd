/**
 * Reads the parts of our systemd units that a machine without systemd needs to run them: what to
 * start, as whom, with which environment. Sandboxing, limits and the watchdog are systemd's alone.
 */
import { OperatorError } from '#core/errors.ts'

export interface UnitFile {
  readonly kind: 'notify' | 'oneshot'
  /** Program and arguments. */
  readonly command: readonly string[]
  readonly environment: Readonly<Record<string, string>>
  readonly environment_files: readonly { readonly path: string; readonly is_optional: boolean }[]
  /** Undefined: the user of the supervisor. */
  readonly user: string | undefined
  readonly working_directory: string | undefined
  readonly restart_s: number
  readonly stop_s: number
}

/** `unit`: as systemctl is given it, such as booktape-ingestor@a.service. Errors: bad_unit. */
export function parseUnit(text: string, unit: string): UnitFile {
  const instance = /@([^.]*)\.service$/.exec(unit)?.[1] ?? ''
  const settings = text
    .replaceAll('%i', instance)
    .split('\n')
    .flatMap((line) => {
      const [, name, value] = /^([A-Za-z]+)=(.*)$/.exec(line) ?? []
      return name === undefined || value === undefined ? [] : [{ name, value }]
    })
  const all = (name: string): readonly string[] =>
    settings.filter((setting) => setting.name === name).map(({ value }) => value)
  const last = (name: string): string | undefined => all(name).at(-1)
  const command = last('ExecStart')
  if (command === undefined || /["'\\$%]/.test(command)) {
    throw new OperatorError('bad_unit', `${unit} has no ExecStart that can be run without systemd.`)
  }
  return {
    kind: last('Type') === 'oneshot' ? 'oneshot' : 'notify',
    command: command.split(' ').filter((word) => word !== ''),
    environment: Object.fromEntries(all('Environment').map(pairOf)),
    environment_files: all('EnvironmentFile').map((path) => ({
      path: path.replace(/^-/, ''),
      is_optional: path.startsWith('-'),
    })),
    user: last('User'),
    working_directory: last('WorkingDirectory'),
    restart_s: Number(last('RestartSec') ?? 2),
    stop_s: Number(last('TimeoutStopSec') ?? 45),
  }
}

/** The template of an instance is its file. */
export function unitFileName(unit: string): string {
  return unit.replace(/@[^.]+\./, '@.')
}

function pairOf(text: string): [string, string] {
  const at = text.indexOf('=')
  return [text.slice(0, at), text.slice(at + 1)]
}
