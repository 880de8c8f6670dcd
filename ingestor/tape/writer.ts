/**
 * Writes a tape: collects records in a buffer, passes it to the active segment with one write at
 * the end of the turn, and handles a full tape. tape.ts states the guarantees.
 */
import { mkdirSync } from 'node:fs'
import { OperatorError } from '#core/errors.ts'
import { micros, type Micros } from '#core/time.ts'
import { errorCode, nodeFiles } from './files.ts'
import { RECORD_HEADER_BYTES, SEGMENT_HEADER_BYTES } from './format.ts'
import { bufferBytes, checkLimits, reserveBytes } from './limits.ts'
import { lockTape } from './lock.ts'
import { RecordBuffer } from './record-buffer.ts'
import type { Mark, RecordKind } from './record.ts'
import { leaveClosedEnd, recover, type Recovery } from './recovery.ts'
import { openReserve, type Reserve } from './reserve.ts'
import { SegmentChain } from './segment-chain.ts'
import type { AppendResult, Tape, TapeFull, TapeOptions, TapeStatus } from './tape.ts'

const FSYNC_MS = 500
const RETRY_MS = 1_000
/** Kept free so a full tape can be opened again: a new segment after an empty last one. */
const REOPEN_BYTES = 2 * SEGMENT_HEADER_BYTES

/**
 * Locks the directory, recovers its tape and begins a new segment. Throws OperatorError:
 * tape_limits, tape_locked, tape_format_unknown, tape_no_space.
 */
export function openTape(options: TapeOptions): Tape {
  checkLimits(options)
  mkdirSync(options.dir, { recursive: true })
  const unlock = lockTape(options.dir)
  try {
    return new Writer(options, recover(options.dir), unlock)
  } catch (error) {
    unlock()
    throw error
  }
}

class Writer implements Tape {
  readonly recovery: Pick<Recovery, 'clean' | 'cut'>
  readonly #options: TapeOptions
  readonly #chain: SegmentChain
  readonly #reserve: Reserve
  readonly #reserve_bytes: number
  readonly #unlock: () => void
  readonly #now_us: () => number
  readonly #ticker: NodeJS.Timeout
  #retry: NodeJS.Timeout | undefined
  /** Its first record will have the position chain.active.end. */
  readonly #buffer: RecordBuffer
  #flush_is_due = false
  #full: TapeFull | undefined
  #sync_failed = false
  #is_ticking = false
  #is_closed = false

  constructor(options: TapeOptions, recovery: Recovery, unlock: () => void) {
    const files = options.files ?? nodeFiles
    this.recovery = { clean: recovery.clean, cut: recovery.cut }
    this.#options = options
    this.#unlock = unlock
    this.#now_us = options.now_us ?? (() => Date.now() * 1_000)
    this.#buffer = new RecordBuffer(bufferBytes(options))
    this.#reserve_bytes = reserveBytes(options)
    this.#reserve = openReserve(options.dir, this.#reserve_bytes, files)
    this.#reserve.spend()
    this.#chain = beginChain(
      {
        dir: options.dir,
        record_bytes_max: options.record_bytes_max,
        files,
        now_us: this.#now_us,
        onSyncError: (error) => this.#onSyncError(error),
      },
      recovery,
    )
    const is_reported = recovery.cut === undefined || this.#reportCut(recovery.cut)
    // If the mark cannot be written, the torn tail stays and readers report it as damage.
    if (!recovery.clean && is_reported) this.#chain.cutTail()
    if (!this.#fitsBudget()) this.#becomeFull('budget')
    else if (!this.#reserve.fill()) this.#becomeFull('ENOSPC')
    this.#ticker = setInterval(() => void this.#tick(), options.fsync_ms ?? FSYNC_MS).unref()
  }

  get tape_id(): string {
    return this.#chain.tape_id
  }

  get end(): number {
    return this.#chain.active.end
  }

  get full(): TapeFull | undefined {
    return this.#full
  }

  append(
    kind: RecordKind,
    exchange_code: number,
    connection: number,
    ts_ingest: Micros,
    payload: Uint8Array,
  ): AppendResult {
    if (this.#is_closed) throw new Error('The tape is closed.')
    if (payload.length > this.#options.record_bytes_max) return 'too_large'
    if (this.#full !== undefined && kind !== 'mark') return 'full'
    if (!this.#makeRoom(RECORD_HEADER_BYTES + payload.length, kind === 'mark')) return 'full'
    const position = this.#chain.active.end + this.#buffer.used_bytes
    this.#buffer.add(position, { kind, exchange_code, connection, ts_ingest }, payload)
    if (!this.#flush_is_due) {
      this.#flush_is_due = true
      setImmediate(() => {
        this.#flush_is_due = false
        this.flush()
      })
    }
    return position
  }

  flush(): void {
    if (this.#buffer.used_bytes === 0 || this.#is_closed) return
    const { active } = this.#chain
    const error = this.#buffer.writeTo(active)
    // The reserve was just freed, so the buffered records go there.
    if (error !== undefined && this.#becomeFull(errorCode(error))) this.#buffer.writeTo(active)
    this.#buffer.shrink()
    this.#options.onEnd?.(this.end)
  }

  async sync(): Promise<void> {
    this.flush()
    await this.#chain.sync()
    if (this.#buffer.used_bytes > 0 || this.#sync_failed) {
      const message = `The tape's disk refused a write: ${this.#full?.cause}.`
      throw new OperatorError('tape_sync_failed', message, {
        hint: 'Free space on it or replace it. The tape then resumes without a restart.',
        retryable: true,
      })
    }
  }

  release(committed_position: number, now_ms: number): number {
    const keep_ms = this.#options.keep_s * 1_000
    const freed_bytes = this.#chain.release(committed_position, now_ms, keep_ms)
    if (freed_bytes > 0 && this.#full !== undefined) this.#tryToResume()
    return freed_bytes
  }

  status(): TapeStatus {
    return {
      tape_id: this.tape_id,
      oldest: this.#chain.oldest,
      end: this.end,
      synced: this.#chain.synced,
      segment_count: this.#chain.segment_count,
      used_bytes: this.#chain.used_bytes,
      max_bytes: this.#options.max_bytes,
      full: this.#full,
    }
  }

  async close(): Promise<void> {
    clearInterval(this.#ticker)
    this.#reserve.spend()
    this.flush()
    this.#is_closed = true
    await this.#chain.close()
    clearInterval(this.#retry)
    if (this.#buffer.used_bytes > 0) {
      this.#options.log.error(
        { code: 'tape_bytes_lost', bytes: this.#buffer.used_bytes, cause: this.#full?.cause },
        'The disk refused the last records of the tape until shutdown; they are lost.',
      )
    } else if (!this.#sync_failed) {
      leaveClosedEnd(this.#options.dir, this.end)
    }
    this.#unlock()
  }

  /** Makes room in budget, segment and buffer for a record of this size; false if it cannot. */
  #makeRoom(size: number, is_mark: boolean): boolean {
    const { max_bytes, segment_bytes } = this.#options
    const active_bytes = this.#chain.active.file_bytes + this.#buffer.used_bytes
    const needs_segment = active_bytes + size > segment_bytes
    const wanted_bytes = size + (needs_segment ? SEGMENT_HEADER_BYTES : 0)
    const left_bytes = max_bytes - this.#chain.used_bytes - this.#buffer.used_bytes - wanted_bytes
    if (left_bytes < this.#reserve_bytes) {
      this.#becomeFull('budget')
      if (!is_mark || left_bytes < REOPEN_BYTES) return false
    }
    if (needs_segment && !this.#roll()) return false
    if (this.#buffer.hasRoomFor(size)) return true
    this.flush()
    this.#buffer.growFor(size)
    return this.#buffer.hasRoomFor(size)
  }

  #roll(): boolean {
    this.flush()
    if (this.#buffer.used_bytes > 0) return false
    try {
      this.#chain.roll()
      return true
    } catch (error) {
      this.#becomeFull(errorCode(error))
      return false
    }
  }

  /** Frees the reserve and reports the tape as full. False if it was full already. */
  #becomeFull(cause: string): boolean {
    if (this.#full !== undefined) return false
    this.#full = { cause, since_us: this.#now_us() }
    this.#reserve.spend()
    this.#retry = setInterval(() => this.#tryToResume(), RETRY_MS).unref()
    const { used_bytes } = this.#chain
    this.#options.log.error(
      { code: 'tape_full', cause, used_bytes, max_bytes: this.#options.max_bytes },
      'The tape is full; it refuses frames until there is room.',
    )
    this.#notify(this.#full)
    return true
  }

  #tryToResume(): void {
    if (this.#is_closed) return
    this.flush()
    if (this.#buffer.used_bytes > 0 || !this.#fitsBudget()) return
    if (this.#sync_failed && !this.#roll()) return
    if (!this.#reserve.fill()) return
    this.#sync_failed = false
    clearInterval(this.#retry)
    const full_s = (this.#now_us() - this.#full!.since_us) / 1_000_000
    this.#full = undefined
    this.#options.log.info({ full_s }, 'The tape has room again and accepts frames.')
    this.#notify(undefined)
  }

  /**
   * Notifies in a microtask, not inside an append, because the caller appends marks in response.
   */
  #notify(full: TapeFull | undefined): void {
    const { onFull } = this.#options
    if (onFull !== undefined) queueMicrotask(() => onFull(full))
  }

  /** True if the budget holds the reserve twice over, as the disk must too. */
  #fitsBudget(): boolean {
    return this.#chain.used_bytes + 2 * this.#reserve_bytes <= this.#options.max_bytes
  }

  async #tick(): Promise<void> {
    // One fsync at a time, even if the disk is slow.
    if (this.#is_ticking) return
    this.#is_ticking = true
    await this.#chain.sync()
    this.#is_ticking = false
  }

  /**
   * The kernel reports lost pages once, and a second fsync proves nothing. So start a new segment.
   */
  #onSyncError(error: unknown): void {
    const { synced } = this.#chain
    this.#sync_failed = true
    this.#options.log.error(
      { code: 'tape_sync_failed', cause: errorCode(error), synced, end: this.end },
      'An fsync of the tape failed; a power failure could lose everything after the last good one.',
    )
    this.#becomeFull(errorCode(error))
  }

  #reportCut(cut: NonNullable<Recovery['cut']>): boolean {
    this.#options.log.error({ code: 'tape_cut', ...cut }, 'The end of the tape was torn off.')
    const mark: Mark = { kind: 'cut', ...cut }
    const payload = Buffer.from(JSON.stringify(mark))
    const result = this.append('mark', 0, 0, micros(this.#now_us()), payload)
    this.flush()
    return typeof result === 'number' && this.#buffer.used_bytes === 0
  }
}

function beginChain(...args: ConstructorParameters<typeof SegmentChain>): SegmentChain {
  try {
    return new SegmentChain(...args)
  } catch (cause) {
    const { dir } = args[0]
    const message = `Cannot create a segment in ${dir}: ${errorCode(cause)}.`
    throw new OperatorError('tape_no_space', message, {
      hint: 'Free space on this disk, or give the ingestor write access to the directory.',
      retryable: true,
      cause,
    })
  }
}
