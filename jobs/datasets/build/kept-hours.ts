/**
 * Keeps finished hours of the current day on the local disk, so that the next build of the day
 * continues after them. It is a cache: hours that are missing, corrupt or outdated are built again
 * from the tables.
 *
 * Invariants
 * 1. An hour is kept only if nothing that arrives from `settled_to` on can change it, and if late
 *    rows before that are logged (day/late-rows.ts).
 * 2. A kept hour is used only if the same code made it from the same facts, and if none of its
 *    inputs has late rows. After an hour that cannot be used, no later one is used.
 * 3. The note of what a build saw is written at its end, after every hour changed by late rows has
 *    been deleted. A failed build leaves the older note, so the next build checks again.
 */
import { createHash } from 'node:crypto'
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { deserialize, serialize } from 'node:v8'
import { type Day, HOUR_US, type Micros } from '#core/time.ts'
import type { RevisedFile } from '../../day/day-plan.ts'
import type { LateRows, Seen } from '../../day/late-rows.ts'
import type { RunLog } from '../../runs/run.ts'
import type { BuildTask, KeptHours, MadeHour } from './made-day.ts'

export interface KeptHoursOptions {
  /** Folder of the day; created if missing. */
  readonly dir: string
  /** Digest of the code (code-digest.ts). */
  readonly code: string
  readonly late: LateRows
  /** For the day and the day before it. */
  readonly revised: readonly RevisedFile[]
  /** Late rows before this time are logged. */
  readonly settled_to: Micros
  readonly log: RunLog
}

export interface OpenKeptHours extends KeptHours {
  /** Call once every symbol of the day has been built. */
  finish(): Promise<void>
}

const SEEN_FILE = 'seen.json'
const DIGEST_BYTES = 32

/** Deletes the folders of other days. */
export async function forgetOtherDays(kept_dir: string, day: Day): Promise<void> {
  const names = await readdir(kept_dir).catch(() => [])
  for (const name of names.filter((one) => one !== day)) {
    await rm(join(kept_dir, name), { recursive: true, force: true })
  }
}

/** What the last build saw; undefined if there was none. */
export async function readSeen(dir: string): Promise<Seen | undefined> {
  try {
    return JSON.parse(await readFile(join(dir, SEEN_FILE), 'utf8')) as Seen
  } catch {
    return undefined
  }
}

export async function openKeptHours(options: KeptHoursOptions): Promise<OpenKeptHours> {
  const { dir, late, settled_to, log } = options
  if (late.lowest === undefined) await rm(dir, { recursive: true, force: true })
  await mkdir(dir, { recursive: true })
  const names = new Set(await readdir(dir))

  const drop = async (name: string): Promise<void> => {
    names.delete(name)
    await rm(join(dir, name), { force: true })
  }
  const readHour = async (task: BuildTask, name: string): Promise<MadeHour | undefined> => {
    const bytes = await readFile(join(dir, name))
    const kept = decode(bytes)
    if (kept === undefined) {
      log.warn({ code: 'kept_hour_damaged', file: name }, 'Rebuilding a corrupt kept hour.')
      return undefined
    }
    const { facts, hour } = kept
    const lowest = late.lowest?.get(task.symbol.symbol_id) ?? Infinity
    return lowest >= hour.read_to && facts === factsOf(options, task, hour.read_to)
      ? hour
      : undefined
  }
  return {
    async find(task) {
      const found: MadeHour[] = []
      let is_whole = true
      for (const name of namesOf(task).filter((one) => names.has(one))) {
        const hour = is_whole ? await readHour(task, name) : undefined
        if (hour !== undefined && follows(hour, found.at(-1))) found.push(hour)
        else {
          is_whole = false
          await drop(name)
        }
      }
      return found
    },
    async keep(task, hour) {
      if (hour.read_to > settled_to) return false
      const name = namesOf(task)[hourOf(hour)]!
      const path = join(dir, name)
      await writeFile(`${path}.part`, encode({ facts: factsOf(options, task, hour.read_to), hour }))
      await rename(`${path}.part`, path)
      names.add(name)
      return true
    },
    async finish() {
      const path = join(dir, SEEN_FILE)
      await writeFile(`${path}.part`, JSON.stringify(late.now))
      await rename(`${path}.part`, path)
    },
  }
}

interface Kept {
  /** Digest of the hour's other inputs. */
  readonly facts: string
  readonly hour: MadeHour
}

/** In the order of the hours. Hashed, because a symbol's name may not be a valid file name. */
function namesOf({ made, symbol: { exchange, symbol } }: BuildTask): readonly string[] {
  const digest = createHash('sha256').update(`${made} ${exchange} ${symbol}`).digest('hex')
  return Array.from({ length: 24 }, (_, hour) => `${digest}-${String(hour).padStart(2, '0')}`)
}

/** `from` is the start of the next hour. */
function hourOf({ from }: MadeHour): number {
  return (Math.floor(from / HOUR_US) - 1) % 24
}

/** The first hour holds the start of the grid. */
function follows({ from, grid_from }: MadeHour, before: MadeHour | undefined): boolean {
  if (before === undefined) return grid_from < from && grid_from >= from - HOUR_US
  return before.grid_from === grid_from && before.from === from - HOUR_US
}

/** Digest of every input, other than rows, of the hours up to there. */
function factsOf({ code, revised }: KeptHoursOptions, task: BuildTask, read_to: number): string {
  const { made, symbol, exchange_day, places, fit, is_complete } = task
  const gaps = symbol.gaps
    .filter((gap) => !gap.repaired && gap.from_ts < read_to)
    .map((gap) => {
      const ends = gap.to_ts < read_to
      return [
        gap.channel,
        gap.from_ts,
        gap.from_id,
        ends ? gap.to_ts : null,
        ends ? gap.to_id : null,
      ]
    })
  const files = revised
    .filter(({ exchange, from }) => exchange === symbol.exchange && from < read_to)
    .map(({ name }) => name)
  const facts = [
    code,
    [made, symbol.exchange, symbol.symbol, symbol.symbol_id, symbol.first_ts, is_complete],
    // Decides what is carried over midnight, and which streams were recorded at all.
    [symbol.channels.includes('book_ticker'), symbol.channels.includes('mark_price')],
    [exchange_day.from, exchange_day.channels.includes('trades')],
    exchange_day.channels.includes('liquidations'),
    places,
    fit ?? null,
    gaps,
    files,
  ]
  return createHash('sha256').update(JSON.stringify(facts)).digest('hex')
}

function encode(kept: Kept): Buffer {
  const body = serialize(kept)
  return Buffer.concat([createHash('sha256').update(body).digest(), body])
}

/** Undefined if the bytes are not the ones that were written. */
function decode(bytes: Buffer): Kept | undefined {
  const body = bytes.subarray(DIGEST_BYTES)
  const digest = createHash('sha256').update(body).digest()
  return digest.equals(bytes.subarray(0, DIGEST_BYTES)) ? (deserialize(body) as Kept) : undefined
}
