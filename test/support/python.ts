/** Debian's Python, for tests of what Python programs read. TEST_PYTHON names another one. */
import { execFile, spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { promisify } from 'node:util'

export const PYTHON =
  process.env['TEST_PYTHON'] ?? (existsSync('/usr/bin/python3') ? '/usr/bin/python3' : 'python3')

/** True if Python runs and has these modules. */
export function hasPython(...modules: readonly string[]): boolean {
  const code = `import sys; assert sys.version_info >= (3, 9)\n${modules.map((name) => `import ${name}`).join('\n')}`
  return spawnSync(PYTHON, ['-c', code]).status === 0
}

/** Runs a program; rejects with its stderr if it fails. */
export async function python(
  args: readonly string[],
  env: Readonly<Record<string, string | undefined>> = {},
  cwd = process.cwd(),
): Promise<string> {
  const { stdout } = await promisify(execFile)(PYTHON, [...args], {
    cwd,
    env: { ...process.env, ...env },
    maxBuffer: 1 << 28,
  })
  return stdout
}
