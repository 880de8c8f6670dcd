/**
 * The tape against a model: random appends, turns, reads, releases, clean ends, kills, torn tails
 * and flipped bits. A failure names its seed; TAPE_SEED=n runs that sequence alone,
 * TAPE_SEQUENCES=n runs n of them.
 */
import { readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { micros } from '#core/time.ts'
import { RECORD_KINDS } from '../../../ingestor/tape/record.ts'
import type { Tape } from '../../../ingestor/tape/tape.ts'
import { is_long } from '../../support/long.ts'
import {
  copyOf,
  createFolder,
  diskBytes,
  openSmall,
  readAll,
  seededRandom,
  segmentFiles,
  SMALL,
  type Line,
} from './support.ts'

const HEADER_BYTES = 64
const SEQUENCES = Number(process.env['TAPE_SEQUENCES'] ?? (is_long ? 200 : 40))
const STEPS = 12
const KEEP_MS = 5_000
const folder = createFolder()
const noise = seededRandom(1)
const NOISE = Buffer.from(Array.from({ length: 10_000 }, () => Math.floor(noise() * 256)))

const FIRST = Number(process.env['TAPE_SEED'] ?? Date.now() % 1_000_000)
const COUNT = process.env['TAPE_SEED'] === undefined ? SEQUENCES : 1

test(`${COUNT} random histories of a tape match the model, from seed ${FIRST}`, async () => {
  for (let seed = FIRST; seed < FIRST + COUNT; seed++) {
    await expect(new Sequence(seed).run(), `TAPE_SEED=${seed}`).resolves.toBeUndefined()
  }
}, 3_600_000)

class Sequence {
  readonly #random: () => number
  readonly #root: string
  #life = 0
  #dir: string
  #tape: Tape
  /** Appended and written, in tape order. */
  #written: Line[] = []
  /** Appended in this turn. */
  #waiting: Line[] = []
  /** Ranges of positions that a flipped bit made unreadable. */
  #damaged: { readonly from: number; readonly to: number }[] = []
  /** First positions of segments whose header a flipped bit broke. */
  readonly #headless = new Set<number>()
  /** Highest position ever used. */
  #given = -1
  #now_ms = 0
  #committed: { readonly position: number; readonly at_ms: number }[] = []

  constructor(seed: number) {
    this.#random = seededRandom(seed)
    this.#root = join(folder, `seed-${seed}`)
    this.#dir = join(this.#root, '0')
    this.#tape = this.#open()
  }

  async run(): Promise<void> {
    for (let step = 0; step < STEPS; step++) {
      await this.#step()
      expect(diskBytes(this.#dir)).toBeLessThanOrEqual(SMALL.max_bytes)
      this.#check()
    }
    await this.#tape.close()
    this.#settle()
    this.#check()
    rmSync(this.#root, { recursive: true })
  }

  async #step(): Promise<void> {
    const choice = this.#random()
    if (choice < 0.45) await this.#appendSome()
    else if (choice < 0.6) this.#release()
    else if (choice < 0.7) await this.#closeCleanly()
    else if (choice < 0.8) await this.#kill(() => undefined)
    else if (choice < 0.9) await this.#kill((dir) => this.#tear(dir))
    else await this.#kill((dir) => this.#flip(dir))
  }

  async #appendSome(): Promise<void> {
    const count = this.#below(150)
    for (let i = 0; i < count; i++) {
      this.#append()
      if (this.#random() < 0.02) await this.#turn()
      if (this.#random() < 0.02) this.#flush()
    }
    if (this.#random() < 0.8) await this.#turn()
  }

  #append(): void {
    const kind = RECORD_KINDS[this.#below(RECORD_KINDS.length)]!
    const start = this.#below(NOISE.length - 320)
    const payload = NOISE.subarray(start, start + this.#below(320))
    const line = {
      kind,
      exchange_code: this.#below(65_536),
      connection: this.#below(2 ** 32),
      ts_ingest: this.#below(2 ** 52),
      payload: payload.toString('base64'),
    }
    const { exchange_code, connection } = line
    const ts_ingest = micros(line.ts_ingest)
    const result = this.#tape.append(kind, exchange_code, connection, ts_ingest, payload)
    if (result === 'too_large') {
      expect(payload.length).toBeGreaterThan(SMALL.record_bytes_max)
      return
    }
    if (result === 'full') {
      expect(this.#tape.full?.cause).toBe('budget')
      return
    }
    expect(result).toBeGreaterThan(this.#given)
    this.#given = result
    this.#waiting.push({ ...line, position: result, next: result + 24 + payload.length })
  }

  /** A kill loses nothing of earlier turns: from here on the records count as written. */
  async #turn(): Promise<void> {
    await nextTurn()
    await nextTurn()
    this.#settle()
  }

  #flush(): void {
    this.#tape.flush()
    this.#settle()
  }

  #settle(): void {
    this.#written.push(...this.#waiting)
    this.#waiting = []
  }

  #release(): void {
    this.#now_ms += this.#below(4_000)
    const position = this.#written[this.#below(this.#written.length + 1)]?.position ?? 0
    this.#committed.push({ position, at_ms: this.#now_ms })
    const before = segmentFiles(this.#dir)
    this.#tape.release(position, this.#now_ms)
    const { oldest } = this.#tape.status()
    const gone = before.filter((path) => positionOf(path) < oldest)
    expect(segmentFiles(this.#dir)).toEqual(before.slice(gone.length))
    const ripe = this.#committed.filter(({ at_ms }) => this.#now_ms - at_ms >= KEEP_MS)
    const ripe_position = Math.max(0, ...ripe.map((commit) => commit.position))
    const lost = this.#written.filter((line) => line.position < oldest)
    for (const line of lost)
      expect(line.next, 'released before its time').toBeLessThanOrEqual(ripe_position)
    this.#written = this.#written.filter((line) => line.position >= oldest)
  }

  async #closeCleanly(): Promise<void> {
    await this.#tape.close()
    this.#settle()
    this.#tape = this.#open()
    expect(this.#tape.recovery).toEqual({ clean: true, cut: undefined })
  }

  /** Continues with the files as they are now, after `harm` has damaged them. */
  async #kill(harm: (dir: string) => void): Promise<void> {
    const old = this.#tape
    this.#life += 1
    const dir = copyOf(this.#dir, join(this.#root, String(this.#life)))
    this.#keepReadable(dir)
    await old.close()
    harm(dir)
    this.#dir = dir
    const before = readAll(dir)
    this.#tape = this.#open()
    expect(this.#tape.recovery.clean).toBe(false)
    expect(this.#tape.end).toBeGreaterThan(this.#given)
    const { cut } = this.#tape.recovery
    if (cut === undefined) return
    expect(cut.position).toBe(before.position)
    const mark = readAll(dir).lines.at(-1)
    if (mark !== undefined && mark.position > this.#given) {
      expect(JSON.parse(Buffer.from(mark.payload, 'base64').toString())).toEqual({
        kind: 'cut',
        ...cut,
      })
      this.#written.push(mark)
    } else {
      // No room for the mark: the torn tail is kept, so readers report it.
      expect(this.#tape.full?.cause).toBe('budget')
      this.#damaged.push({ from: cut.position, to: cut.position + cut.bytes })
    }
  }

  /** A kill may leave some records of this turn: those that a full buffer pushed out. */
  #keepReadable(dir: string): void {
    const file_end = readAll(dir).position
    this.#written.push(...this.#waiting.filter(({ next }) => next <= file_end))
    this.#waiting = []
    this.#committed = []
  }

  #tear(dir: string): void {
    const path = segmentFiles(dir).at(-1)!
    const length = this.#below(statSync(path).size + 1)
    truncateSync(path, length)
    const end = positionOf(path) + Math.max(0, length - HEADER_BYTES)
    this.#written = this.#written.filter(({ next }) => next <= end)
    this.#damaged = this.#damaged.filter(({ to }) => to <= end)
  }

  #flip(dir: string): void {
    const paths = segmentFiles(dir)
    const path = paths[this.#below(paths.length)]!
    const bytes = readFileSync(path)
    const at = this.#below(bytes.length)
    bytes[at]! ^= 1 << this.#below(8)
    writeFileSync(path, bytes)
    if (at < HEADER_BYTES) {
      this.#headless.add(positionOf(path))
      return
    }
    const position = positionOf(path) + at - HEADER_BYTES
    const hit = this.#written.find((line) => line.position <= position && position < line.next)
    if (hit === undefined) return
    this.#damaged.push({ from: hit.position, to: hit.next })
    this.#written = this.#written.filter((line) => line !== hit)
  }

  /** Every written record can be read, starting from any of them, and nothing else can. */
  #check(): void {
    const { lines, damage } = readAll(this.#dir)
    const taken = this.#waiting.filter(({ next }) => next <= this.#tape.end)
    const expected = [...this.#written, ...taken]
    expectSame(lines, expected)
    for (const { from, to, reason } of damage) {
      // A jump of positions looks like a gap if the header after it is corrupt.
      if (reason === 'missing' && this.#headless.has(to)) continue
      expect(reason).toBe('corrupt')
      expect(this.#damaged.some((range) => range.from <= to && from <= range.to)).toBe(true)
    }
    const start = this.#below(expected.length + 1)
    const from = expected[start]?.position
    if (from !== undefined) expectSame(readAll(this.#dir, from).lines, expected.slice(start))
  }

  #open(): Tape {
    return openSmall(this.#dir, { keep_s: KEEP_MS / 1_000 })
  }

  #below(limit: number): number {
    return Math.floor(this.#random() * limit)
  }
}

/** toEqual is slow and only needed to show a difference. */
function expectSame(lines: readonly Line[], expected: readonly Line[]): void {
  const keys = ['position', 'next', 'kind', 'exchange_code', 'connection', 'ts_ingest', 'payload']
  if (JSON.stringify(lines, keys) !== JSON.stringify(expected, keys))
    expect(lines).toEqual(expected)
}

function positionOf(path: string): number {
  return Number(path.slice(-21, -5))
}
