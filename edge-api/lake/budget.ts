/** How much one request may read from the object store: what a worker has memory and time for. */

export interface LakeBudget {
  /** Throws LakeBudgetError. */
  openFile(): void
  /** Bytes to be fetched, and those of the largest column when unpacked. Throws LakeBudgetError. */
  spend(byte_count: number, unpacked_byte_count: number): void
}

export interface LakeLimits {
  readonly file_count_max: number
  readonly byte_count_max: number
  /** Of one column at a time: its rows are taken out before the next one is unpacked. */
  readonly unpacked_byte_count_max: number
}

/** A worker has 128 MiB: what was fetched, a column and the rows so far lie in them at once. */
export const LAKE_LIMITS: LakeLimits = {
  file_count_max: 48,
  byte_count_max: 32 << 20,
  unpacked_byte_count_max: 24 << 20,
}

export class LakeBudgetError extends Error {}

export function createBudget(limits: LakeLimits): LakeBudget {
  let file_count = 0
  let byte_count = 0
  return {
    openFile() {
      file_count += 1
      if (file_count > limits.file_count_max) {
        throw new LakeBudgetError(`more than ${limits.file_count_max} hours of the archive`)
      }
    },
    spend(bytes, unpacked_bytes) {
      byte_count += bytes
      if (byte_count > limits.byte_count_max || unpacked_bytes > limits.unpacked_byte_count_max) {
        throw new LakeBudgetError(`more than ${limits.byte_count_max >> 20} MiB of the archive`)
      }
    },
  }
}
