import { execFileSync } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { requireWritable } from '#core/node/writable-directory.ts'
import { ROOT } from '../../support/imports.ts'

const NOBODY = 65_534

const dir = mkdtempSync(join(tmpdir(), 'booktape-writable-'))
chmodSync(dir, 0o755)
afterAll(() => rmSync(dir, { recursive: true, force: true }))

test('it is created, and files in it may be there', () => {
  const tape = join(dir, 'a', 'tape')
  requireWritable(tape, 'TAPE_DIR')
  writeFileSync(join(tape, 'segment'), '')
  requireWritable(tape, 'TAPE_DIR')
  expect(existsSync(tape)).toBe(true)
})

test('a file is no directory', () => {
  writeFileSync(join(dir, 'file'), '')
  expect(() => requireWritable(join(dir, 'file'), 'TAPE_DIR')).toThrow(/^TAPE_DIR: .*EEXIST/)
})

/** What somebody else than the owner is told. */
function toldToNobody(tape: string): string {
  const program = `
    import { requireWritable } from '${ROOT}/core/node/writable-directory.ts'
    import { describeError } from '${ROOT}/core/errors.ts'
    process.setgroups([]); process.setgid(${NOBODY}); process.setuid(${NOBODY})
    try { requireWritable(process.argv[1], 'TAPE_DIR') } catch (error) { console.log(describeError(error)) }
  `
  return execFileSync(process.execPath, ['--input-type=module', '-e', program, tape], {
    encoding: 'utf8',
  })
}

const is_root = process.getuid?.() === 0
if (!is_root) process.stdout.write('Folders of another user are not tested: this needs root.\n')

test.skipIf(!is_root)(
  'the owner is named, whether the folder, a file in it or its parent is meant',
  () => {
    const locked = join(dir, 'locked')
    const inside = join(locked, 'tape')
    mkdirSync(inside, { recursive: true })
    chmodSync(locked, 0o700)
    const shared = join(dir, 'shared')
    mkdirSync(shared)
    chmodSync(shared, 0o777)
    writeFileSync(join(shared, 'segment'), '')
    chmodSync(join(shared, 'segment'), 0o600)
    const readable = join(dir, 'readable')
    mkdirSync(readable)
    for (const [tape, refused, owned, enter] of [
      [inside, inside, locked, `Let this user enter ${locked}. `],
      [shared, join(shared, 'segment'), join(shared, 'segment'), ''],
      [readable, readable, readable, ''],
    ] as const) {
      expect(toldToNobody(tape).trim()).toBe(
        `TAPE_DIR: ${refused} cannot be written: ${owned} belongs to 0:0, and this program runs as ` +
          `${NOBODY}:${NOBODY}. ${enter}Run \`chown -R ${NOBODY}:${NOBODY} ${tape}\` as root (of a container: on ` +
          'its volume), or name another directory in TAPE_DIR.',
      )
    }
  },
)
