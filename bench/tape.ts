/**
 * Measures the cost of the tape: appending and reading back frames of 150 bytes, compared to a raw
 * fs.writeSync of the same bytes in the same run. Run: node bench/tape.ts [frames]
 */
import { closeSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { performance } from 'node:perf_hooks'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { silentLogger } from '#core/node/log.ts'
import { micros } from '#core/time.ts'
import { openReader } from '../ingestor/tape/reader.ts'
import { openTape } from '../ingestor/tape/writer.ts'

const FRAME_BYTES = 150
const RECORD_BYTES = FRAME_BYTES + 24
const BUFFER_BYTES = 256 * 1024
/** Frames per turn of the event loop under load. */
const TURN_FRAMES = 1_000

const frame_count = Number(process.argv[2] ?? 3_000_000)
const dir = mkdtempSync(join(tmpdir(), 'booktape-bench-'))
try {
  const raw = rawWrite(join(dir, 'raw'))
  const append = await appendFrames(join(dir, 'tape'))
  const read = readFrames(join(dir, 'tape'))
  const ratio = Number((append.mb_per_s / raw.mb_per_s).toFixed(2))
  for (const result of [raw, append, read, { what: 'append / raw write', ratio }]) {
    process.stdout.write(`${JSON.stringify(result)}\n`)
  }
} finally {
  rmSync(dir, { recursive: true })
}

function rawWrite(path: string): Result {
  const bytes = Buffer.alloc(BUFFER_BYTES, 'x')
  const fd = openSync(path, 'wx')
  const start = begin()
  for (let left = frame_count * RECORD_BYTES; left > 0; left -= BUFFER_BYTES) {
    writeSync(fd, bytes, 0, Math.min(left, BUFFER_BYTES))
  }
  const result = measured('raw fs.writeSync, 256 KiB at a time', start)
  closeSync(fd)
  rmSync(path)
  return result
}

async function appendFrames(tape_dir: string): Promise<Result> {
  const tape = openTape({
    dir: tape_dir,
    max_bytes: 64 * 1024 ** 3,
    segment_bytes: 64 * 1024 ** 2,
    record_bytes_max: 1024 ** 2,
    keep_s: 0,
    log: silentLogger,
  })
  const payload = Buffer.alloc(FRAME_BYTES, 'x')
  const start = begin()
  for (let count = 0; count < frame_count; count++) {
    const result = tape.append('frame', 1, 1, micros(1e15 + count), payload)
    if (typeof result !== 'number') throw new Error(`A frame was refused: ${result}.`)
    if (count % TURN_FRAMES === 0) await nextTurn()
  }
  tape.flush()
  const result = measured('append', start)
  await tape.close()
  return result
}

function readFrames(tape_dir: string): Result {
  const reader = openReader(tape_dir, 'oldest')
  const start = begin()
  let count = 0
  for (;;) {
    const { records } = reader.readBatch()
    if (records.length === 0) break
    count += records.length
  }
  if (count !== frame_count) throw new Error(`${count} records read`)
  const result = measured('read', start)
  reader.close()
  return result
}

interface Result {
  readonly what: string
  readonly records_per_s: number
  readonly mb_per_s: number
  /** Per CPU second of this process, so that other load on the machine matters less. */
  readonly records_per_cpu_s: number
}

interface Start {
  readonly at_ms: number
  readonly cpu_us: number
}

function begin(): Start {
  return { at_ms: performance.now(), cpu_us: cpuTime() }
}

function cpuTime(): number {
  const { user, system } = process.cpuUsage()
  return user + system
}

function measured(what: string, start: Start): Result {
  const seconds = (performance.now() - start.at_ms) / 1_000
  return {
    what,
    records_per_s: Math.round(frame_count / seconds),
    mb_per_s: Math.round((frame_count * RECORD_BYTES) / seconds / 1e6),
    records_per_cpu_s: Math.round((frame_count / (cpuTime() - start.cpu_us)) * 1e6),
  }
}
