/** systemd's own judgement of the units, and what it cannot know: that they name our programs. */
import { execFile, spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { ROOT } from '../../support/imports.ts'

const DIR = join(ROOT, 'infra/systemd')
const UNITS = readdirSync(DIR)
const EXPOSURE_MAX = 3

const has_systemd = spawnSync('systemd-analyze', ['--version']).error === undefined
if (!has_systemd) {
  process.stderr.write('The units are not checked: systemd (Debian package) is not installed.\n')
}

const run = async (...args: readonly string[]): Promise<string> => {
  const { stdout, stderr } = await promisify(execFile)('systemd-analyze', [...args])
  return `${stderr}${stdout}`.trim()
}

test.skipIf(!has_systemd)('systemd finds nothing wrong with the units', async () => {
  const paths = UNITS.map((unit) => join(DIR, unit))
  expect(await run('verify', '--man=no', ...paths)).toBe('')
})

test.skipIf(!has_systemd)('every unit may do little', async () => {
  const exposures = await Promise.all(
    UNITS.map(async (unit) => {
      const report = await run('security', '--offline=true', '--no-pager', join(DIR, unit))
      return { unit, exposure: Number(/exposure level for .*: ([\d.]+)/.exec(report)?.[1]) }
    }),
  )
  expect(exposures.filter(({ exposure }) => !(exposure < EXPOSURE_MAX))).toEqual([])
})

const PROGRAMS = UNITS.filter((unit) => unit !== 'booktape-firewall.service')
const read = (unit: string): string => readFileSync(join(DIR, unit), 'utf8')

for (const unit of PROGRAMS) {
  test(`${unit} starts a program that exists`, () => {
    const [, entry] = /^ExecStart=.* \/opt\/booktape\/[\w%-]+\/(\S+\.ts)/m.exec(read(unit)) ?? []
    // The live server's entry is checked as soon as its folder exists.
    const folder = join(ROOT, entry ?? 'missing', '..')
    expect(existsSync(join(ROOT, entry ?? 'missing')) || !existsSync(folder), entry).toBe(true)
  })
}

test('what no program may do is the same everywhere', () => {
  const rules = PROGRAMS.map((unit) => /^NoNewPrivileges=yes\n(?:.+\n)+/m.exec(read(unit))?.[0])
  expect(new Set(rules).size).toBe(1)
  expect(rules[0]).toContain('SystemCallFilter=@system-service')
})

test('no unit contains a secret, and the gateway gets only its own environment', () => {
  const files = (unit: string) =>
    [...read(unit).matchAll(/^EnvironmentFile=-?(.*)$/gm)].map((m) => m[1])
  expect(files('booktape-gateway.service')).toEqual(['/etc/booktape/gateway.env'])
  expect(UNITS.filter((unit) => /SECRET|PASSWORD|TOKEN|postgres:/.test(read(unit)))).toEqual([])
})
