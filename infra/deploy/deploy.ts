/** A deploy from here to a machine: look, plan, ask, send, activate. Or back by one release. */
import { lookup } from 'node:dns/promises'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { OperatorError } from '#core/errors.ts'
import { checkSettings, readSettings, type SettingsFile } from './local-settings.ts'
import { type MachineFacts, parseFacts, requireMachine } from './machine-facts.ts'
import { type Init, type Layout, layoutOf } from './machine/layout.ts'
import { makePlan, planText, requireRoom, sizeOf } from './plan.ts'
import { dependenciesName, packDependencies, packRelease } from './release.ts'
import { connectRemote, type Remote } from './ssh.ts'
import type { Target } from './target.ts'

export interface Deploy {
  readonly target: Target
  readonly prefix: string
  readonly init: Init
  readonly domain: string | undefined
  readonly has_firewall: boolean
  /** Folder or file; undefined: those on the machine stay. */
  readonly settings: string | undefined
  readonly name: string | undefined
  readonly patience_s: number
  readonly is_rollback: boolean
  readonly is_dry_run: boolean
  readonly is_unattended: boolean
  readonly say: (line: string) => void
  readonly confirm: () => Promise<boolean>
}

/** Errors: OperatorError of every step; what runs on the machine goes on running. */
export async function deploy(options: Deploy): Promise<void> {
  const { target, prefix, init, is_unattended } = options
  const files = options.settings === undefined ? [] : readSettings(options.settings)
  if (files.length > 0) checkSettings(files, options.domain)
  const layout = layoutOf(prefix, init)
  const is_prefix = layout.root !== '/'
  const lock_file = is_prefix ? join(layout.root, '.booktape-deploy.lock') : LOCK_FILE
  const remote = await connectRemote({ target, is_unattended, lock_file })
  const dir = mkdtempSync(join(tmpdir(), 'booktape-deploy-'))
  try {
    const facts = parseFacts(await remote.script('probe', [layout.root]))
    const cpu = requireMachine(facts, { is_prefix, needs_systemd: init === 'systemd' })
    if (!is_prefix && !facts.is_root) remote.becomeRoot()
    if (options.is_rollback) await rollBack(options, layout, facts, remote)
    else await sendAndActivate({ options, layout, facts, remote, files, cpu, dir })
  } finally {
    rmSync(dir, { recursive: true, force: true })
    await remote.close()
  }
}

/** In the home of the user of the connection. */
const LOCK_FILE = '.booktape-deploy.lock'

interface Work {
  readonly options: Deploy
  readonly layout: Layout
  readonly facts: MachineFacts
  readonly remote: Remote
  readonly files: readonly SettingsFile[]
  readonly cpu: string
  /** For archives. */
  readonly dir: string
}

async function sendAndActivate(work: Work): Promise<void> {
  const { options, layout, facts, remote, files, cpu, dir } = work
  const { say } = options
  const domain = options.domain ?? facts.domain
  const release = await packRelease(dir)
  const plan = makePlan(facts, {
    ...options,
    prefix: layout.root,
    domain,
    domain_addresses: domain === undefined ? [] : await addressesOf(domain),
    release,
    dependencies: { name: dependenciesName(cpu) },
    settings: files,
  })
  say(`Plan for ${options.target.destination}:\n${planText(plan)}`)
  requireRoom(facts, plan, { release, dependencies: undefined })
  if (!(await mayGoOn(options))) return
  if (plan.sends_dependencies) say('Installing the dependencies here, for the machine.')
  const dependencies = plan.sends_dependencies ? await packDependencies(cpu) : undefined
  requireRoom(facts, plan, { release, dependencies })
  await remote.script('prepare', [layout.root, ...plan.packages])
  if (dependencies !== undefined) {
    say(`Sending the dependencies (${sizeOf(dependencies.bytes)}).`)
    const target_dir = join(layout.dependencies, dependencies.name)
    await remote.script('receive', [target_dir], { input_file: dependencies.file })
  }
  const release_dir = join(layout.releases, release.name)
  if (plan.sends_release) {
    say('Sending the release.')
    const args = [release_dir, dependenciesName(cpu)]
    await remote.script('receive', args, { input_file: release.file })
  }
  for (const { name, bytes, mode } of plan.settings) {
    say(`Writing ${name}.`)
    await remote.script('settings', [layout.etc, name, mode], { input_bytes: bytes })
  }
  const ssh_port = String(plan.firewall_ssh_port)
  if (ssh_port !== '0' || domain !== undefined) {
    say('Setting up firewall and proxy.')
    await remote.script('network', [layout.root, release_dir, ssh_port, domain ?? ''])
  }
  await activateThere(work, release_dir, release.name)
}

async function rollBack(
  options: Deploy,
  layout: Layout,
  facts: MachineFacts,
  remote: Remote,
): Promise<void> {
  const { current, previous, releases } = facts
  if (current === undefined || previous === undefined || !releases.includes(previous)) {
    throw new OperatorError('no_release', 'The machine has no release to go back to.')
  }
  options.say(
    `Plan for ${options.target.destination}:\n  back from ${current} to ${previous}, without a gap\n` +
      '  settings stay as they are, and so does the schema: each release runs on a newer one\n',
  )
  if (!(await mayGoOn(options))) return
  // The newer program knows best how to replace itself.
  await activateThere({ options, layout, remote }, join(layout.releases, current), previous)
}

/** `program_dir`: the release whose command does it. */
async function activateThere(
  { options, layout, remote }: Pick<Work, 'options' | 'layout' | 'remote'>,
  program_dir: string,
  release: string,
): Promise<void> {
  const { init, name, patience_s, say } = options
  const node = join(program_dir, 'node_modules/.bin/node')
  const command = [node, join(program_dir, 'infra/cli/main.ts'), 'activate', release]
  const flags = ['--root', layout.root, '--init', init, '--patience', String(patience_s)]
  await remote.run([...command, ...flags, ...(name === undefined ? [] : ['--name', name])], say)
}

async function mayGoOn({ is_dry_run, confirm, say }: Deploy): Promise<boolean> {
  if (is_dry_run) {
    say('Nothing was changed (--dry-run).')
    return false
  }
  if (await confirm()) return true
  say('Nothing was changed.')
  return false
}

async function addressesOf(domain: string): Promise<readonly string[]> {
  const found = await lookup(domain, { all: true }).catch(() => [])
  return found.map(({ address }) => address)
}
