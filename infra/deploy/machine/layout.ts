/** Where everything of an installation lies. `root` is / or the folder of --prefix. */
import { join, resolve } from 'node:path'

export interface Layout {
  readonly root: string
  /** Releases, and the links to those in use. */
  readonly opt: string
  readonly releases: string
  readonly dependencies: string
  /** Settings. */
  readonly etc: string
  readonly units: string
  /** Tapes and work files; belongs to the programs' user. */
  readonly state: string
  readonly log: string
  /** State of deploys; only the user who deploys may write here. */
  readonly deploy: string
  readonly supervisor_socket: string
}

export type Init = 'systemd' | 'none'

export function layoutOf(prefix: string, init: Init): Layout {
  const root = resolve(prefix)
  const opt = join(root, 'opt/booktape')
  const etc = join(root, 'etc/booktape')
  const state = join(root, 'var/lib/booktape')
  return {
    root,
    opt,
    releases: join(opt, 'releases'),
    dependencies: join(opt, 'dependencies'),
    etc,
    units: init === 'systemd' ? join(root, 'etc/systemd/system') : join(etc, 'units'),
    state,
    log: join(root, 'var/log/booktape'),
    deploy: join(opt, 'deploy'),
    supervisor_socket: join(opt, 'deploy', 'supervisor.sock'),
  }
}

/**
 * A unit of the release for this layout. Under a prefix nobody makes a user: there the programs run
 * as the user of the supervisor.
 */
export function renderUnit(text: string, { root, opt, etc, state }: Layout): string {
  if (root === '/') return text
  return text
    .replaceAll(/^(?:User|Group|DynamicUser|StateDirectory|StateDirectoryMode)=.*\n/gm, '')
    .replaceAll('/opt/booktape', opt)
    .replaceAll('/etc/booktape', etc)
    .replaceAll('/var/lib/booktape', state)
}
