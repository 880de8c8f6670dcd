/** The client's SHA-256 against Node's, over every length around a block, in parts of any size. */
import { createHash } from 'node:crypto'
import { expect, test } from 'vitest'
import { Sha256 } from '../../../edge-api/client/sha256.ts'

const bytes = Uint8Array.from({ length: 100_000 }, (_, i) => (i * 131 + (i >> 8)) & 255)
const expected = (part: Uint8Array): string => createHash('sha256').update(part).digest('hex')

test('every length up to three blocks, and a long one', () => {
  for (const length of [...Array.from({ length: 193 }, (_, i) => i), bytes.length]) {
    const part = bytes.subarray(0, length)
    expect([length, new Sha256().add(part).hex()]).toEqual([length, expected(part)])
  }
})

test('parts of any size give the same', () => {
  for (const size of [1, 7, 63, 64, 65, 1_000]) {
    const hash = new Sha256()
    for (let at = 0; at < bytes.length; at += size) hash.add(bytes.subarray(at, at + size))
    expect(hash.hex()).toBe(expected(bytes))
  }
})
