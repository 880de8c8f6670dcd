/**
 * Keeps the wanted state across restarts, in a file next to the tape that is always replaced whole.
 * Before the first change there is no file, and the environment decides. Afterwards the newest
 * change wins: a setting that changed in the environment replaces what an operator chose before.
 */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import type { Logger } from '#core/node/log.ts'
import type { DesiredState } from '../desired-state.ts'
import { type AuditEntry, readNewestEntry } from './audit-log.ts'
import { replaceFile } from './replace-file.ts'
import { ChannelsWire, DepthWire, fromWire, SymbolsWire, toWire, WantedWire } from './wire.ts'

/** The part of the wanted state that the environment can set. */
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
  /** The environment's settings at the last change or start. */
  environment: EnvironmentWire,
})
export type Desired = z.infer<typeof Desired>

export type Setting = keyof EnvironmentWire
const SETTINGS: readonly Setting[] = ['symbols', 'channels', 'depth']

export interface StartingPoint {
  readonly wanted: DesiredState
  /** As in SteeringOptions. */
  readonly is_kept: boolean
  readonly is_steered: boolean
  /** Undefined before the first change. */
  readonly stored: Desired | undefined
  /** The audit log is newer than the file: the process was killed between the two writes. */
  readonly is_file_behind: boolean
  /** Settings that have changed in the environment since. */
  readonly overridden: readonly Setting[]
}

export const DESIRED_FILE = 'desired-state.json'

/** Reads only. An unreadable state file is logged and then ignored. */
export function readStartingPoint(
  dir: string,
  from_environment: DesiredState,
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

export function environmentOf(wanted: DesiredState): EnvironmentWire {
  const { symbols, channels, depth } = toWire(wanted)
  return { symbols, channels, depth }
}

/** Atomic: after a crash the file is the old one or the new one. */
export function writeDesired(dir: string, desired: Desired): void {
  replaceFile(join(dir, DESIRED_FILE), `${JSON.stringify(desired, undefined, 2)}\n`)
}

/** Differs after every change, and between any two wanted states. */
export function etagOf(revision: number, wanted: DesiredState): string {
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
    'The state file cannot be read; the audit log or the environment is used instead.',
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
