/** `booktape deploy` as an operator uses it, over a real sshd. */
import {
  cpSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { beforeAll, describe, expect, test } from 'vitest'
import { atFileEnd } from '../../support/file-end.ts'
import { ROOT } from '../../support/imports.ts'
import { ask } from '../../ingestor/control/support.ts'
import { type Ended, type Machine, startMachine, SYMBOLS } from './machine.ts'
import { whyNoSshd } from './sshd.ts'

const why_not = whyNoSshd()
if (why_not !== undefined) process.stderr.write(`deploy is not tested: ${why_not}\n`)

describe.skipIf(why_not !== undefined)('deploy', () => {
  let machine: Machine
  let next_root: string

  beforeAll(async () => {
    machine = await startMachine()
    next_root = otherCheckout()
  })

  const settings = (): readonly string[] => ['--settings', machine.settings_dir]
  const run = (...args: Parameters<Machine['deploy']>): Promise<Ended> =>
    machine.deploy(...args).ended
  const statusOf = async (letter: string) =>
    (await ask(join(machine.prefix, `var/lib/booktape/tape-${letter}/control.sock`), '/status'))
      .body

  test('says what is wrong with the target before anything is sent', async () => {
    const { sshd } = machine
    const cases: readonly (readonly [string, Promise<Ended>, RegExp])[] = [
      [
        'a host with a command in it',
        run([], { destination: 'root@h;reboot' }),
        /is not user@host/,
      ],
      ['an option as a host', run([], { destination: '-oProxyCommand=x' }), /unknown option/],
      ['a domain that is none', run(['--domain', 'a b$(x)']), /is not a domain name/],
      ['nobody who confirms', run(settings()), /Nobody can confirm/],
      [
        'a host that is not there',
        run(['--dry-run'], { sshd: { port: 1 } }),
        /refused.*address, port/s,
      ],
      [
        'a key that is not allowed',
        run(['--dry-run'], { sshd: { identity: sshd.wrong_identity } }),
        /Permission denied.*Check the user and the key/s,
      ],
      [
        'a machine with another key than before',
        run(['--dry-run'], { sshd: { ssh_config: sshd.wrong_ssh_config } }),
        /Host key verification failed|IDENTIFICATION HAS CHANGED/,
      ],
      ['no settings', run(['--dry-run']), /has no settings yet.*--settings/s],
      [
        'settings that are not there',
        run(['--dry-run', '--settings', join(machine.prefix, 'nowhere')]),
        /There is no .*\/nowhere/,
      ],
    ]
    const wrong_use = new Set([
      'a host with a command in it',
      'an option as a host',
      'a domain that is none',
    ])
    for (const [name, ended, words] of cases) {
      const { code, text } = await ended
      expect(text, name).toMatch(words)
      // Wrong use ends with 2, what is found wrong with 1.
      expect(code, name).toBe(wrong_use.has(name) ? 2 : 1)
    }
    expect(readdirSync(join(machine.prefix, 'opt/booktape'))).toEqual(['dependencies'])
  })

  test('settings that no program starts with are refused here, without a value', async () => {
    const { DATABASE_URL = '' } = machine.settings
    Object.assign(machine.settings, { TIER: '7', DATABASE_URL: 'mysql://a:secret-word@b/c' })
    machine.writeSettings()
    const { code, text } = await run(['--yes', ...settings()])
    delete machine.settings['TIER']
    machine.settings['DATABASE_URL'] = DATABASE_URL
    machine.writeSettings()
    expect(code).toBe(1)
    expect(text).toMatch(/DATABASE_URL/)
    expect(text).toMatch(/TIER/)
    expect(text).not.toContain('secret-word')
  })

  test('the first deploy ends with a machine that records, and a doctor without errors', async () => {
    const plan = await run(['--dry-run', ...settings()])
    expect(plan.text).toMatch(/first start/)
    expect(plan.text).toMatch(/Nothing was changed/)
    const { code, text } = await run(['--yes', '--domain', 'tape.example.com', ...settings()])
    expect(text).toMatch(/Ingestor a records/)
    expect(text).toMatch(/errors: 0\./)
    expect(code, text).toBe(0)
    const { state, actual } = await statusOf('a')
    expect(state).toBe('live')
    expect(actual.symbols.toSorted()).toEqual(SYMBOLS.toSorted())
    expect(machine.pidsOf('jobs/main.ts').length).toBeGreaterThan(0)
    const file = join(machine.prefix, 'etc/booktape/booktape.env')
    expect(statSync(file).mode & 0o777).toBe(0o600)
    expect(text).not.toContain(machine.settings['DATABASE_URL'])
    expect(readFileSync(join(machine.prefix, 'etc/booktape/domain.env'), 'utf8')).toContain(
      'tape.example.com',
    )
    expect(readFileSync(join(machine.prefix, 'etc/booktape/firewall.nft'), 'utf8')).toContain(
      `tcp dport { ${machine.sshd.port}, 80, 443 }`,
    )
  })

  test('the same deploy again changes nothing', async () => {
    const pids = machine.pidsOf('.ts')
    const { code, text } = await run(['--yes', ...settings()])
    expect(code, text).toBe(0)
    expect(text).toMatch(/booktape.env: unchanged/)
    expect(text).toMatch(/has this release and these settings already/)
    expect(machine.pidsOf('.ts')).toEqual(pids)
  })

  test('the next release takes over without a gap, while a second deploy is refused', async () => {
    const before = machine.link('current')
    const first = machine.deploy(['--yes', ...settings()], { root: next_root })
    const overlap = watchOverlap(first.ended)
    await expect.poll(() => machine.pidsOf('activate').length).toBeGreaterThan(0)
    const second = await run(['--yes', ...settings()])
    expect(second.text).toMatch(/Another deploy is at work/)
    expect(second.code).toBe(1)
    const { code, text } = await first.ended
    expect(code, text).toBe(0)
    expect(text).toMatch(/Ingestor b records; a has stopped/)
    // A small database has no connections for the jobs and two ingestors.
    const { look_count, jobs_count } = await overlap
    expect(look_count).toBeGreaterThan(0)
    expect(jobs_count).toBe(0)
    expect(machine.pidsOf('jobs/main.ts').length).toBeGreaterThan(0)
    expect(machine.link('previous')).toBe(before)
    expect(machine.link('current')).not.toBe(before)
    expect(machine.pidsOf('ingestor-a/')).toEqual([])
    expect((await statusOf('b')).state).toBe('live')
    expect(await gaps()).toEqual([])
  })

  test('a deploy that is killed on its way is continued by the next', async () => {
    machine.settings['LOG_LEVEL'] = 'warn'
    machine.writeSettings()
    const killed = machine.deploy(['--yes', ...settings()], { root: next_root })
    await expect.poll(() => machine.pidsOf('ingestor-a/').length).toBeGreaterThan(0)
    killed.child.kill('SIGKILL')
    for (const pid of machine.pidsOf('activate')) process.kill(pid, 'SIGKILL')
    expect(machine.pidsOf('ingestor-b/').length).toBeGreaterThan(0)
    const { code, text } = await run(['--yes', ...settings()], { root: next_root })
    expect(code, text).toBe(0)
    expect(text).toMatch(/Both instances run/)
    expect(machine.pidsOf('ingestor-b/')).toEqual([])
    expect(await gaps()).toEqual([])
  })

  test('a release whose ingestor does not start is not taken, and the old one goes on', async () => {
    const broken = otherCheckout()
    writeFileSync(join(broken, 'ingestor/main.ts'), 'throw new Error("broken build")\n')
    const pids = machine.pidsOf('ingestor-a/')
    const { code, text } = await run(['--yes', ...settings()], { root: broken })
    expect(code).toBe(1)
    expect(text).toMatch(/broken build/)
    expect(text).toMatch(/goes on recording/)
    expect(machine.pidsOf('ingestor-a/')).toEqual(pids)
    expect(machine.pidsOf('ingestor-b/')).toEqual([])
  })

  test('a migration that fails replaces nothing', async () => {
    const broken = otherCheckout()
    writeFileSync(join(broken, 'sql/migrations/9999_broken.sql'), 'select 1/0;\n')
    const pids = machine.pidsOf('main.ts')
    const { code, text } = await run(['--yes', ...settings()], { root: broken })
    expect(code).toBe(1)
    expect(text).toMatch(/division by zero.*the release before goes on running/s)
    expect(machine.pidsOf('main.ts')).toEqual(pids)
  })

  test('rollback goes back to the release before, without a gap', async () => {
    const [current, previous] = [machine.link('current'), machine.link('previous')]
    const { code, text } = await run(['--yes', '--rollback'])
    expect(code, text).toBe(0)
    expect(machine.link('current')).toBe(previous)
    expect(machine.link('previous')).toBe(current)
    expect((await statusOf('b')).state).toBe('live')
    expect(await gaps()).toEqual([])
  })

  /** Looks while two ingestors run, and counts the looks that saw jobs. */
  async function watchOverlap(
    ended: Promise<unknown>,
  ): Promise<{ readonly look_count: number; readonly jobs_count: number }> {
    const doBothRun = (): boolean =>
      ['ingestor-a/', 'ingestor-b/'].every((entry) => machine.pidsOf(entry).length > 0)
    const end = new AbortController()
    void ended.finally(() => end.abort())
    const counts = { look_count: 0, jobs_count: 0 }
    while (!end.signal.aborted) {
      // Both before and after, because processes end between two looks.
      const before = doBothRun()
      const jobs = machine.pidsOf('jobs/main.ts').length
      if (before && doBothRun()) {
        counts.look_count++
        if (jobs > 0) counts.jobs_count++
      }
      await sleep(50)
    }
    return counts
  }

  async function gaps(): Promise<readonly unknown[]> {
    const { rows } = await machine.pool.query(
      'select channel, cause, from_ts, to_ts from marketdata.gap_ledger',
    )
    return rows
  }
})

/** Another release: the same files and one more. */
function otherCheckout(): string {
  const root = mkdtempSync(join(tmpdir(), 'booktape-release-'))
  for (const part of [
    'core',
    'ingestor',
    'jobs',
    'edge-api',
    'infra',
    'sql',
    'package.json',
    'package-lock.json',
  ]) {
    const filter = (path: string): boolean => !path.includes('node_modules')
    cpSync(join(ROOT, part), join(root, part), { recursive: true, filter })
  }
  symlinkSync(join(ROOT, 'node_modules'), join(root, 'node_modules'))
  writeFileSync(join(root, 'core/another-release.ts'), `export const at = ${Date.now()}\n`)
  atFileEnd(() => rmSync(root, { recursive: true, force: true }))
  return root
}
