import { expect, test } from 'vitest'
import { xxh32 } from '../../../ingestor/tape/checksum.ts'

/** By the reference implementation, `xxhsum -H32`. */
for (const [text, expected] of [
  ['', 0x02cc5d05],
  ['a', 0x550d7456],
  ['abc', 0x32d153ff],
  ['Nobody inspects the spammish repetition', 0xe2293b2f],
] as const) {
  test(`the checksum of "${text}" is the published one, wherever the bytes are`, () => {
    for (const at of [0, 1, 7]) {
      const bytes = Buffer.concat([
        Buffer.alloc(at, 0xff),
        Buffer.from(text),
        Buffer.alloc(3, 0xff),
      ])
      const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
      expect(xxh32(view, at, at + text.length, 0)).toBe(expected)
    }
  })
}
