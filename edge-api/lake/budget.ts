/** Limits how much one request may read from the object store, and so the time it takes. */

export interface LakeBudget {
  /** Throws LakeBudgetError. */
  openFile(): void
  /** Counts bytes to read and their decompressed size. Throws LakeBudgetError. */
  spend(byte_count: number, unpacked_byte_count: number): void
}

export interface LakeLimits {
  readonly file_count_max: number
  /** Column chunks: about seven of them share a request. */
  readonly chunk_count_max: number
  readonly byte_count_max: number
  readonly unpacked_byte_count_max: number
}

/**
 * These limits bound time, not memory: bytes are read and decompressed piece by piece. A worker
 * decompresses about 500 MiB per second.
 */
export const LAKE_LIMITS: LakeLimits = {
  file_count_max: 48,
  chunk_count_max: Infinity,
  byte_count_max: 96 << 20,
  unpacked_byte_count_max: 512 << 20,
}

/**
 * For the newest quotes of many instruments in the same files, whose footers are kept in memory.
 * Each instrument takes up to two requests, and Cloudflare allows a thousand.
 */
export const SNAPSHOT_LIMITS: LakeLimits = {
  ...LAKE_LIMITS,
  file_count_max: Infinity,
  chunk_count_max: 1_400,
}

export class LakeBudgetError extends Error {}

export function createBudget(limits: LakeLimits): LakeBudget {
  let file_count = 0
  let chunk_count = 0
  let byte_count = 0
  let unpacked_byte_count = 0
  return {
    openFile() {
      file_count += 1
      if (file_count > limits.file_count_max) {
        throw new LakeBudgetError(`more than ${limits.file_count_max} archived hours`)
      }
    },
    spend(bytes, unpacked_bytes) {
      chunk_count += 1
      if (chunk_count > limits.chunk_count_max) {
        throw new LakeBudgetError(`more than ${limits.chunk_count_max} parts of archived files`)
      }
      byte_count += bytes
      unpacked_byte_count += unpacked_bytes
      if (byte_count > limits.byte_count_max) {
        throw new LakeBudgetError(`more than ${limits.byte_count_max >> 20} MiB of archived data`)
      }
      if (unpacked_byte_count > limits.unpacked_byte_count_max) {
        const mib = limits.unpacked_byte_count_max >> 20
        throw new LakeBudgetError(`more than ${mib} MiB of decompressed archived data`)
      }
    },
  }
}
