import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { createObjectStore } from '#core/node/object-store.ts'
import { startObjectStore } from '../../../infra/local/object-store.ts'
import { startCuttingRelay } from '../../support/cutting-relay.ts'

const dir = await mkdtemp(join(tmpdir(), 'booktape-store-'))
const server = await startObjectStore({ dir, port: 0, access_key_id: 'k', secret_access_key: 's' })
const store = createObjectStore(server.config)
afterAll(async () => {
  store.close()
  await server.stop()
  await rm(dir, { recursive: true })
})

test('objects are put, read, copied, listed in order and deleted', async () => {
  await store.put('a/date=2024-08-08/x.json', '{"x":1}', 'application/json')
  const file = join(dir, 'y.bin')
  await writeFile(file, Buffer.alloc(300_000, 7))
  await store.putFile('a/date=2024-08-08/y.bin', file, 'application/octet-stream')
  await store.copy('a/date=2024-08-08/y.bin', 'a/date=2024-08-09/y.bin')
  expect(Buffer.from((await store.get('a/date=2024-08-08/x.json'))!).toString()).toBe('{"x":1}')
  expect((await store.get('a/date=2024-08-09/y.bin'))?.byteLength).toBe(300_000)
  const listed = await store.list('a/')
  expect(listed.map(({ key, bytes }) => ({ key, bytes }))).toEqual([
    { key: 'a/date=2024-08-08/x.json', bytes: 7 },
    { key: 'a/date=2024-08-08/y.bin', bytes: 300_000 },
    { key: 'a/date=2024-08-09/y.bin', bytes: 300_000 },
  ])
  await store.delete('a/date=2024-08-08/y.bin')
  expect(await store.get('a/date=2024-08-08/y.bin')).toBeUndefined()
})

test('a large file is uploaded in parts; one that fails leaves no object', async () => {
  const limits = { one_request_bytes_max: 5 * 1024 * 1024, part_bytes: 5 * 1024 * 1024 }
  const in_parts = createObjectStore(server.config, limits)
  const bytes = Buffer.alloc(12 * 1024 * 1024 + 7)
  for (let at = 0; at < bytes.length; at += 4_096) bytes.writeUInt32LE(at, at)
  const file = join(dir, 'large.bin')
  await writeFile(file, bytes)
  await in_parts.putFile('large.bin', file, 'application/octet-stream')
  expect(Buffer.from((await store.get('large.bin'))!).equals(bytes)).toBe(true)
  // The store allows parts below 5 MiB only as the last.
  const tiny = createObjectStore(server.config, { ...limits, part_bytes: 1024 * 1024 })
  await expect(tiny.putFile('tiny.bin', file, 'application/octet-stream')).rejects.toThrow(
    /size|small|part/i,
  )
  expect(await store.get('tiny.bin')).toBeUndefined()
  for (const one of [in_parts, tiny]) one.close()
})

test('ranges are read up to the last byte; a missing object gives undefined', async () => {
  await store.put(
    'range.bin',
    Uint8Array.from({ length: 256 }, (_, i) => i),
    'application/octet-stream',
  )
  expect([...(await store.readRange('range.bin', 3, 6))!]).toEqual([3, 4, 5])
  expect([...(await store.readRange('range.bin', 254, 300))!]).toEqual([254, 255])
  expect(await store.readRange('none.bin', 0, 1)).toBeUndefined()
})

test('files, also empty ones, arrive over kept connections that are lost', async () => {
  const relay = await startCuttingRelay(server.config.endpoint)
  const limits = { one_request_bytes_max: 6 * 1024 * 1024, part_bytes: 5 * 1024 * 1024 }
  const cut = createObjectStore({ ...server.config, endpoint: relay.url }, limits)
  for (const byte_count of [0, 1, 100_000, 300_000, 11 * 1024 * 1024]) {
    const file = join(dir, 'cut.bin')
    await writeFile(file, Buffer.alloc(byte_count, 7))
    relay.loseKept()
    await cut.putFile(`cut/${byte_count}`, file, 'application/octet-stream')
    const bytes = Buffer.from((await store.get(`cut/${byte_count}`))!)
    expect(bytes.equals(Buffer.alloc(byte_count, 7)), String(byte_count)).toBe(true)
  }
  expect(relay.lost_count).toBe(4)
  const none = cut.putFile('cut/none', join(dir, 'none.bin'), 'application/octet-stream')
  await expect(none).rejects.toThrow(/ENOENT/)
  cut.close()
})

test('a wrong secret is refused', async () => {
  const stranger = createObjectStore({ ...server.config, secret_access_key: 'wrong' })
  await expect(stranger.list('')).rejects.toThrow(/signature/i)
  stranger.close()
})
