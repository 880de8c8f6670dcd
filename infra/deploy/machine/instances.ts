/**
 * The two instances of the ingestor on a machine; one of them records. Everything that must differ
 * between them is in ingestor-a.env and ingestor-b.env.
 */
import {
  existsSync,
  lstatSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { AUDIT_FILE } from '../../../ingestor/control/audit-log.ts'
import { DESIRED_FILE } from '../../../ingestor/control/desired.ts'
import { SOCKET_NAME } from '../../../ingestor/control-config.ts'
import type { Variables } from './environment-file.ts'
import type { Layout } from './layout.ts'

export type Letter = 'a' | 'b'

export interface Instance {
  readonly letter: Letter
  readonly unit: string
  readonly ingestor_id: string
  readonly tape_dir: string
  /** Of its admin API. */
  readonly socket: string
  /** A symbolic link to its release. */
  readonly link: string
}

const LETTERS: readonly Letter[] = ['a', 'b']

/** `name`: of the machine; with the letter it is the ingestor's id. */
export function instancesOf(layout: Layout, name: string): readonly [Instance, Instance] {
  const [a, b] = LETTERS.map((letter): Instance => {
    const tape_dir = join(layout.state, `tape-${letter}`)
    return {
      letter,
      unit: `booktape-ingestor@${letter}.service`,
      ingestor_id: `${name}-${letter}`,
      tape_dir,
      socket: join(tape_dir, SOCKET_NAME),
      link: join(layout.opt, `ingestor-${letter}`),
    }
  })
  return [a!, b!]
}

/** Instance a has the port of the settings, instance b the next one. */
export const INSTANCE_PORTS = ['CONTROL_PORT', 'HEALTH_PORT', 'METRICS_PORT'] as const

/** Two of them run at once during an upgrade, so that of a port each needs its own. */
export function instanceVariables(
  { letter, ingestor_id, tape_dir }: Instance,
  settings: Variables,
): Variables {
  const ports = INSTANCE_PORTS.flatMap((variable) => {
    const port = Number(settings[variable] ?? 0)
    return port === 0 ? [] : [[variable, String(port + LETTERS.indexOf(letter))] as const]
  })
  return {
    INGESTOR_ID: ingestor_id,
    TAPE_DIR: tape_dir,
    CONTROL_SOCKET: '',
    ...Object.fromEntries(ports),
  }
}

/**
 * Copies what operators asked for and their audit log. Runs as the programs' user, in whose folders
 * the files are.
 */
export function takeAlongCommand(from: Instance, to: Instance): readonly string[] {
  return ['/bin/sh', '-c', TAKE_ALONG, 'sh', from.tape_dir, to.tape_dir, AUDIT_FILE, DESIRED_FILE]
}

const TAKE_ALONG = `set -e
from=$1; to=$2; shift 2
mkdir -p -m 750 "$to"
for name; do
  [ -f "$from/$name" ] || { rm -f "$to/$name"; continue; }
  cp -p "$from/$name" "$to/$name.new"
  mv "$to/$name.new" "$to/$name"
done`

/** What operators asked for last, for a comparison. */
export function wishesOf({ tape_dir }: Instance): string {
  const path = join(tape_dir, DESIRED_FILE)
  return existsSync(path) ? readFileSync(path, 'utf8') : ''
}

/** Replaced in one step: the link points to the old folder or to the new one. */
export function pointLink(link: string, target: string): void {
  rmSync(`${link}.new`, { force: true })
  symlinkSync(target, `${link}.new`)
  renameSync(`${link}.new`, link)
}

/** Undefined: there is no such link. */
export function linkTarget(link: string): string | undefined {
  return lstatSync(link, { throwIfNoEntry: false }) === undefined ? undefined : readlinkSync(link)
}

export function writeVariables(path: string, variables: Variables): void {
  const text = Object.entries(variables).map(([name, value]) => `${name}=${value}\n`)
  writeFileSync(`${path}.new`, text.join(''), { mode: 0o600 })
  renameSync(`${path}.new`, path)
}
