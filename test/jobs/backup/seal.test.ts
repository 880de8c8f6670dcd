/** Encrypted streams: what comes out is what went in, or an error in words. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { randomBytes } from 'node:crypto'
import { expect, test } from 'vitest'
import { seal, unseal } from '../../../jobs/backup/seal.ts'
import { newKeys, openKeys, readKeyFile } from '../../../jobs/backup/secret.ts'

const CHUNK = 64 * 1024
const SEALED = CHUNK + 16
const key = randomBytes(32)

async function* pieces(bytes: Buffer, size: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
}

async function gather(stream: AsyncIterable<Buffer>): Promise<Buffer> {
  const found: Buffer[] = []
  for await (const chunk of stream) found.push(chunk)
  return Buffer.concat(found)
}

const sealed = (plain: Buffer, size = 10_000): Promise<Buffer> =>
  gather(seal(pieces(plain, size), key))
const opened = (bytes: Buffer, with_key = key, size = 7_777): Promise<Buffer> =>
  gather(unseal(pieces(bytes, size), with_key, 'part'))

for (const bytes of [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 5 * CHUNK + 17]) {
  test(`${bytes} bytes come back, whatever pieces they arrive in`, async () => {
    const plain = randomBytes(bytes)
    const cipher = await sealed(plain, 1 + (bytes % 9_999))
    expect(cipher.length).toBe(bytes + 16 * Math.max(1, Math.ceil(bytes / CHUNK)))
    expect(await opened(cipher)).toEqual(plain)
    expect(await opened(cipher, key, 1_000_000)).toEqual(plain)
  })
}

const plain = randomBytes(3 * CHUNK + 100)
const whole = await sealed(plain)
const changed = Buffer.from(whole)
changed[SEALED + 5]! ^= 1
for (const [what, bytes] of [
  ['a changed byte', changed],
  ['a missing end', whole.subarray(0, whole.length - 1)],
  ['a missing last chunk', whole.subarray(0, 3 * SEALED)],
  ['no bytes at all', Buffer.alloc(0)],
  ['two chunks in the other order', swapped()],
  ['a repeated chunk', Buffer.concat([whole.subarray(0, SEALED), whole])],
  ['something behind the end', Buffer.concat([whole, Buffer.alloc(1)])],
] as const) {
  test(`${what} is an error`, async () => {
    await expect(opened(bytes)).rejects.toMatchObject({ code: 'backup_damaged' })
  })
}

function swapped(): Buffer {
  const [one, two] = [whole.subarray(0, SEALED), whole.subarray(SEALED, 2 * SEALED)]
  return Buffer.concat([two, one, whole.subarray(2 * SEALED)])
}

test('a wrong key is told from a damaged file before anything is read', () => {
  const secret = Buffer.from('correct horse battery')
  const keys = newKeys(secret)
  expect(openKeys(secret, keys.encryption).keyOf('a')).toEqual(keys.keyOf('a'))
  expect(keys.keyOf('a')).not.toEqual(keys.keyOf('b'))
  expect(() => openKeys(Buffer.from('wrong horse battery'), keys.encryption)).toThrow(
    'The backup was encrypted with another key.',
  )
  expect(() => openKeys(undefined, keys.encryption)).toThrow('no key was given')
  expect(newKeys(secret).encryption.salt).not.toBe(keys.encryption.salt)
})

test('a key file may end with a line end, and must be long enough', () => {
  const dir = mkdtempSync(join(tmpdir(), 'booktape-key-'))
  try {
    const path = join(dir, 'key')
    writeFileSync(path, 'abcdefghijklmnopqrst\r\n')
    expect(readKeyFile(path).toString()).toBe('abcdefghijklmnopqrst')
    writeFileSync(path, 'short\n')
    expect(() => readKeyFile(path)).toThrow('has 5 bytes, expected at least 16')
    expect(() => readKeyFile(join(dir, 'none'))).toThrow('cannot be read')
  } finally {
    rmSync(dir, { recursive: true })
  }
})
