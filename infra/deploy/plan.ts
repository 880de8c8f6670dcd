/** What a deploy is going to do, from what is on the machine and what is here. Pure. */
import { OperatorError } from '#core/errors.ts'
import type { SettingsFile } from './local-settings.ts'
import type { MachineFacts } from './machine-facts.ts'
import type { Init } from './machine/layout.ts'
import type { Package } from './release.ts'

export interface DeployRequest {
  readonly prefix: string
  readonly init: Init
  readonly domain: string | undefined
  readonly has_firewall: boolean
  /** Of `domain`, as DNS has them here. */
  readonly domain_addresses: readonly string[]
  readonly release: Package
  readonly dependencies: Pick<Package, 'name'>
  readonly settings: readonly SettingsFile[]
}

export interface Plan {
  readonly packages: readonly string[]
  readonly sends_release: boolean
  readonly sends_dependencies: boolean
  readonly settings: readonly SettingsFile[]
  /** 0: the firewall is left alone. */
  readonly firewall_ssh_port: number
  /** For people: a subject and what becomes of it. */
  readonly lines: readonly (readonly [string, string])[]
}

/** Errors: OperatorError no_settings. */
export function makePlan(facts: MachineFacts, wanted: DeployRequest): Plan {
  const { prefix, init, domain, release, dependencies } = wanted
  const is_prefix = prefix !== '/'
  const is_active = init === 'systemd' && !is_prefix
  const tools = [
    ...(domain === undefined ? [] : ['caddy']),
    ...(wanted.has_firewall ? ['nft'] : []),
  ]
  const missing = tools.filter((tool) => !facts.tools.has(tool))
  const packages = is_active ? missing.map((tool) => (tool === 'nft' ? 'nftables' : tool)) : []
  const sends_release = !facts.releases.includes(release.name)
  const sends_dependencies = !facts.dependencies.includes(dependencies.name)
  const settings = wanted.settings.filter(({ name, sha256 }) => facts.settings.get(name) !== sha256)
  if (!facts.settings.has('booktape.env') && !settings.some((one) => one.name === 'booktape.env')) {
    throw new OperatorError('no_settings', 'The machine has no settings yet.', {
      hint: 'Name a folder with booktape.env, or such a file, with --settings.',
    })
  }
  const firewall_ssh_port = wanted.has_firewall ? facts.ssh_port : 0
  const unchanged = wanted.settings.filter((one) => !settings.includes(one))
  const only_written = is_active ? '' : ' (written and checked, not activated)'
  return {
    packages,
    sends_release,
    sends_dependencies,
    settings,
    firewall_ssh_port,
    lines: [
      ['machine', `${facts.os_name}, ${facts.arch}, ${sizeOf(facts.free_bytes)} free`],
      ['folder', is_prefix ? prefix : '/opt/booktape, /etc/booktape, /var/lib/booktape'],
      [
        'user',
        is_prefix ? 'the one of this connection' : `booktape${facts.has_user ? '' : ', new'}`,
      ],
      [
        'programs',
        init === 'systemd' ? 'kept running by systemd' : 'kept running by our supervisor',
      ],
      ...(packages.length > 0 ? [['packages', `install ${packages.join(', ')}`] as const] : []),
      [
        'dependencies',
        sends_dependencies ? `send ${dependencies.name}, with Node 24` : 'are there already',
      ],
      [
        'release',
        sends_release
          ? `send ${release.name} (${sizeOf(release.bytes)})`
          : `${release.name} is there`,
      ],
      ...settings.map(
        ({ name }) =>
          [
            'settings',
            facts.settings.has(name)
              ? `REPLACE ${name}, which differs; it is kept as ${name}.before`
              : `write ${name}`,
          ] as const,
      ),
      ...(unchanged.length > 0
        ? [['settings', `${unchanged.map(({ name }) => name).join(', ')}: unchanged`] as const]
        : []),
      [
        'firewall',
        firewall_ssh_port === 0
          ? 'is left alone'
          : `only ${firewall_ssh_port} (SSH), 80, 443${only_written}`,
      ],
      ['proxy', domain === undefined ? 'none (no --domain)' : `https://${domain}${only_written}`],
      ...dnsLine(facts, wanted),
      [
        'ingestor',
        facts.current === undefined
          ? 'first start'
          : `from ${facts.current} to ${release.name}, without a gap`,
      ],
    ],
  }
}

function dnsLine(
  { address }: MachineFacts,
  { domain, domain_addresses }: DeployRequest,
): readonly (readonly [string, string])[] {
  if (domain === undefined || domain_addresses.includes(address)) return []
  const found =
    domain_addresses.length === 0
      ? `${domain} has no address`
      : `${domain} is ${domain_addresses.join(', ')}, and this machine ${address || 'another one'}`
  return [['DNS', `WARNING: ${found}. Caddy gets no certificate before it points here.`]]
}

/** Room besides what is sent, so that the tape does not meet a full disk. */
const SPARE_BYTES = 300_000_000

/** Errors: OperatorError disk_full. */
export function requireRoom(
  facts: MachineFacts,
  plan: Plan,
  packages: { readonly release: Package; readonly dependencies: Package | undefined },
): void {
  const needed =
    SPARE_BYTES +
    (plan.sends_release ? packages.release.unpacked_bytes : 0) +
    (packages.dependencies?.unpacked_bytes ?? 0)
  if (facts.free_bytes >= needed) return
  const message = `The machine has ${sizeOf(facts.free_bytes)} free; this deploy needs ${sizeOf(needed)}.`
  throw new OperatorError('disk_full', message, {
    hint: 'Free some space, or take a larger disk. Nothing was changed.',
  })
}

export function planText({ lines }: Plan): string {
  const width = Math.max(...lines.map(([subject]) => subject.length))
  return lines.map(([subject, what]) => `  ${subject.padEnd(width)}  ${what}\n`).join('')
}

export function sizeOf(bytes: number): string {
  return bytes >= 1e9 ? `${(bytes / 1e9).toFixed(1)} GB` : `${Math.ceil(bytes / 1e6)} MB`
}
