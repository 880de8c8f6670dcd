import { expect, test } from 'vitest'
import { parseFacts, requireMachine } from '../../../infra/deploy/machine-facts.ts'
import { makePlan, planText, requireRoom, type DeployRequest } from '../../../infra/deploy/plan.ts'
import {
  checkDestination,
  checkDomain,
  checkPrefix,
  shellQuote,
} from '../../../infra/deploy/target.ts'

/** What scripts/probe.sh prints on a droplet that was deployed to before. */
const DROPLET: Readonly<Record<string, string>> = {
  uid: '1000',
  sudo: 'yes',
  os: 'debian ',
  os_name: 'Debian GNU/Linux 12 (bookworm)',
  kernel: 'Linux',
  arch: 'x86_64',
  libc: 'glibc 2.36',
  systemd: 'yes',
  has_tar: 'yes',
  has_gzip: 'yes',
  has_flock: 'yes',
  has_nft: 'no',
  has_caddy: 'yes',
  user: 'yes',
  server: '203.0.113.5 2222',
  'free_kib opt/booktape': '8000000',
  'free_kib var/lib/booktape': '9000000',
  current: '0.1.0-old',
  'file booktape.env': 'a'.repeat(64),
  end: 'yes',
}
const facts = (change: Readonly<Record<string, string>> = {}) =>
  parseFacts(
    Object.entries({ ...DROPLET, ...change })
      .map(([name, value]) => `${name}=${value}\n`)
      .join(''),
  )

const RELEASE = { name: '0.1.0-new', file: 'r', bytes: 1_000_000, unpacked_bytes: 6_000_000 }
const DEPENDENCIES = { name: 'd', file: 'd', bytes: 74_000_000, unpacked_bytes: 300_000_000 }
const wanted = (change: Partial<DeployRequest> = {}): DeployRequest => ({
  prefix: '/',
  init: 'systemd',
  domain: 'tape.example.com',
  has_firewall: true,
  domain_addresses: ['203.0.113.5'],
  release: RELEASE,
  dependencies: DEPENDENCIES,
  settings: [],
  ...change,
})

for (const [name, change, code] of [
  ['who may not use sudo', { sudo: 'no' }, 'no_sudo'],
  ['a processor without a build of Node', { arch: 'armv7l' }, 'unsupported_os'],
  ['musl', { libc: '' }, 'unsupported_os'],
  ['an old glibc', { libc: 'glibc 2.9' }, 'unsupported_os'],
  ['neither Debian nor Ubuntu', { os: 'fedora rhel' }, 'unsupported_os'],
  ['no systemd', { systemd: 'no' }, 'no_systemd'],
  ['no flock', { has_flock: 'no' }, 'unsupported_os'],
] as const) {
  test(`a machine is refused: ${name}`, () => {
    const needs = { is_prefix: false, needs_systemd: true }
    expect(() => requireMachine(facts(change), needs)).toThrow(expect.objectContaining({ code }))
    expect(requireMachine(facts({ libc: 'glibc 2.40' }), needs)).toBe('x64')
  })
}

test('an answer of the machine that was cut off is not believed', () => {
  expect(() => facts({ end: '' })).toThrow(expect.objectContaining({ code: 'probe_failed' }))
})

test('a disk with 200 MB left is refused before anything is sent', () => {
  const small = facts({ 'free_kib opt/booktape': '200000' })
  const plan = makePlan(small, wanted())
  const packages = { release: RELEASE, dependencies: DEPENDENCIES }
  expect(() => requireRoom(small, plan, packages)).toThrow(/205 MB free; this deploy needs 606 MB/)
  requireRoom(facts(), plan, packages)
})

test('the firewall keeps the port that SSH has, and what is missing is installed', () => {
  const plan = makePlan(facts(), wanted())
  expect(plan.firewall_ssh_port).toBe(2222)
  expect(plan.packages).toEqual(['nftables'])
  expect(planText(plan)).toMatch(/only 2222 \(SSH\), 80, 443/)
  expect(makePlan(facts(), wanted({ has_firewall: false })).firewall_ssh_port).toBe(0)
})

test('settings that differ are replaced, and the plan says so', () => {
  const file = (sha256: string) =>
    ({ name: 'booktape.env', bytes: Buffer.from('x'), sha256, mode: '600' }) as const
  const same = makePlan(facts(), wanted({ settings: [file('a'.repeat(64))] }))
  expect(same.settings).toEqual([])
  const other = makePlan(facts(), wanted({ settings: [file('b'.repeat(64))] }))
  expect(other.settings.length).toBe(1)
  expect(planText(other)).toMatch(/REPLACE booktape.env, which differs/)
})

test('a domain that points elsewhere is named in the plan', () => {
  const elsewhere = makePlan(facts(), wanted({ domain_addresses: ['198.51.100.1'] }))
  expect(planText(elsewhere)).toMatch(/WARNING: tape.example.com is 198.51.100.1/)
  expect(planText(makePlan(facts(), wanted()))).not.toMatch(/WARNING/)
})

test('what reaches a shell is checked, and quoted', () => {
  expect(checkDestination('root@203.0.113.5')).toBe('root@203.0.113.5')
  expect(checkDestination('root@[2001:db8::1]')).toBe('root@2001:db8::1')
  for (const text of ['-oProxyCommand=x', 'a@b c', 'a@b;c', '$(x)', 'a@-b', '']) {
    expect(() => checkDestination(text), text).toThrow(/is not user@host/)
  }
  for (const text of ['localhost', '10.0.0.1', 'a b.c', 'a..com', 'x'.repeat(300)]) {
    expect(() => checkDomain(text), text).toThrow(/is not a domain name/)
  }
  for (const text of ['relative', '/a/../b', '/a b', `/${'x'.repeat(80)}`]) {
    expect(() => checkPrefix(text), text).toThrow(/cannot be a prefix/)
  }
  expect(shellQuote("it's $(x)")).toBe(`'it'\\''s $(x)'`)
})
