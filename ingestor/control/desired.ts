/**
 * What is wanted, over restarts: a file beside the tape, replaced as a whole. There is none before
 * the first change; until then the environment says it. Afterwards the last word counts: a setting
 * that is changed in the environment replaces what an operator asked for before.
 */
import { createHash } from 'node:crypto'
import { closeSync, fsyncSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import type { Logger } from '#core/node/log.ts'
import type { Wanted } from '../wanted.ts'
import { type AuditEntry, readNewestEntry } from './audit-log.ts'
import { ChannelsWire, DepthWire, fromWire, SymbolsWire, toWire, WantedWire } from './wire.ts'

/** What the environment can say of it. */
const EnvironmentWire = z.strictObject({
  symbols: SymbolsWire,
  channels: ChannelsWire,
  depth: DepthWire,
})
type EnvironmentWire = z.infer<typeof EnvironmentWire>

const Desired = z.strictObject({
  version: z.literal(1),
  revision: z.int().min(1),
  changed_at: z.string(),
  changed_by: z.string(),
  wanted: WantedWire,
  /** As it was at the last change, or start. */
  environment: EnvironmentWire,
})
export type Desired = z.infer<typeof Desired>

export type Setting = keyof EnvironmentWire
const SETTINGS: readonly Setting[] = ['symbols', 'channels', 'depth']

export interface StartingPoint {
  readonly wanted: Wanted
  /** As in SteeringOptions. */
  readonly is_kept: boolean
  readonly is_steered: boolean
  /** Undefined: no change was ever made. */
  readonly stored: Desired | undefined
  /** The file lacks what the audit log has: the process was killed between the two. */
  readonly is_file_behind: boolean
  /** Settings that the environment has changed since. */
  readonly overridden: readonly Setting[]
}

export const DESIRED_FILE = 'desired-state.json'

/** Reads only. A state file that cannot be read counts as none, and is reported. */
export function readStartingPoint(
  dir: string,
  from_environment: Wanted,
  log: Logger,
): StartingPoint {
  const environment = environmentOf(from_environment)
  const file = readDesired(dir, log)
  const newest = readNewestEntry(dir)
  const is_file_behind = newest !== undefined && newest.revision > (file?.revision ?? 0)
  const stored = is_file_behind ? desiredBy(newest, file?.environment ?? environment) : file
  if (stored === undefined) {
    const unsteered = { is_kept: false, is_steered: false, is_file_behind, overridden: [] }
    return { wanted: from_environment, stored, ...unsteered }
  }
  const overridden = SETTINGS.filter((name) => !isSame(stored.environment[name], environment[name]))
  const replaced = Object.fromEntries(overridden.map((name) => [name, environment[name]]))
  const wanted = fromWire({ ...stored.wanted, ...replaced })
  const is_kept = !isSame(toWire(wanted).symbols, environment.symbols)
  return { wanted, is_kept, is_steered: true, stored, is_file_behind, overridden }
}

export function desiredBy(
  { revision, at: changed_at, actor: changed_by, after: wanted }: AuditEntry,
  environment: EnvironmentWire,
): Desired {
  return { version: 1, revision, changed_at, changed_by, wanted, environment }
}

export function environmentOf(wanted: Wanted): EnvironmentWire {
  const { symbols, channels, depth } = toWire(wanted)
  return { symbols, channels, depth }
}

/** The file is the old one or the new one, whatever happens meanwhile. */
export function writeDesired(dir: string, desired: Desired): void {
  const path = join(dir, DESIRED_FILE)
  const fd = openSync(`${path}.new`, 'w', 0o600)
  try {
    writeSync(fd, `${JSON.stringify(desired, undefined, 2)}\n`)
    fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
  renameSync(`${path}.new`, path)
  const folder = openSync(dir, 'r')
  fsyncSync(folder)
  closeSync(folder)
}

/** Changes with everything that is wanted, and with every change. */
export function etagOf(revision: number, wanted: Wanted): string {
  const digest = createHash('sha256')
    .update(JSON.stringify(toWire(wanted)))
    .digest('hex')
  return `"${revision}-${digest.slice(0, 8)}"`
}

export function isSame(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b)
}

function readDesired(dir: string, log: Logger): Desired | undefined {
  const path = join(dir, DESIRED_FILE)
  const text = readText(path)
  if (text === undefined) return undefined
  const parsed = Desired.safeParse(parseText(text))
  if (parsed.success) return parsed.data
  log.error(
    { code: 'desired_state_unreadable', path, detail: z.prettifyError(parsed.error).slice(0, 500) },
    'What operators asked for cannot be read; the audit log or the environment says it instead.',
  )
  return undefined
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

function parseText(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
