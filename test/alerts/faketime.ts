/**
 * Debian's libfaketime: a program with a clock of its own that can be set while it runs. Its
 * monotonic clock goes on, as in a program whose machine's clock is set.
 */
import { globSync, writeFileSync } from 'node:fs'

export const FAKETIME_PACKAGE = 'libfaketime'

/** Undefined: it is not installed. */
export const FAKETIME = globSync('/usr/lib/*/faketime/libfaketimeMT.so.1')[0]

/** Environment of a program whose clock `setClock` sets. Without libfaketime: none. */
export function clockEnvironment(file: string): Readonly<Record<string, string>> {
  if (FAKETIME === undefined) return {}
  setClock(file, '+0s')
  return {
    LD_PRELOAD: FAKETIME,
    FAKETIME_TIMESTAMP_FILE: file,
    FAKETIME_CACHE_DURATION: '1',
    FAKETIME_DONT_FAKE_MONOTONIC: '1',
    NO_FAKE_STAT: '1',
  }
}

/** `offset`: from the machine's clock, such as `+1s`. The program follows within a second. */
export function setClock(file: string, offset: string): void {
  writeFileSync(file, `${offset}\n`)
}
