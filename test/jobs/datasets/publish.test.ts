/** Publishing when the store fails, the process dies, or another day is newer. */
import { expect, test } from 'vitest'
import type { Latest, Manifest } from '#core/dataset.ts'
import type { ObjectStore } from '#core/node/object-store.ts'
import { digestOf } from '../../../jobs/columns/digest.ts'
import { publishedKey } from '../../support/published.ts'
import { insertQuotes, insertSymbols, insertTrades } from '../market.ts'
import { createStand } from '../stand.ts'

const stand = await createStand()
const { pool, store } = stand
const DAY = 'datasets/features_1s/v4/date=2024-08-08'
const EVENING_US = Date.parse('2024-08-08T23:59:50Z') * 1_000

const quote = (ts: number, id: number) => ({
  symbol: 'BTCUSDT',
  ts,
  id,
  bid: 100,
  bid_qty: 1,
  ask: 101,
  ask_qty: 1,
})
await insertSymbols(pool, ['BTCUSDT'])
await insertQuotes(pool, [quote(EVENING_US, 1), quote(EVENING_US + 15e6, 2)])

async function readJson<T>(key: string): Promise<T | undefined> {
  const bytes = await store.get(key)
  return bytes === undefined ? undefined : (JSON.parse(Buffer.from(bytes).toString()) as T)
}
const keys = async (prefix = ''): Promise<readonly string[]> =>
  (await store.list(prefix)).map(({ key }) => key)

/** The store, except that its n-th write and all later ones fail, as after a lost connection. */
function dyingStore(writes_before: number): ObjectStore {
  let left = writes_before
  const write = async (work: () => Promise<void>): Promise<void> => {
    if (left === 0) throw new Error('the process died here')
    left -= 1
    await work()
  }
  return {
    ...store,
    put: (...args) => write(() => store.put(...args)),
    putFile: (...args) => write(() => store.putFile(...args)),
    copy: (...args) => write(() => store.copy(...args)),
    delete: (...args) => write(() => store.delete(...args)),
  }
}

test('a run that dies at any of its writes leaves either the old day or the new one', async () => {
  const good = await stand.features('2024-08-08')
  const good_manifest = await readJson<Manifest>(`${DAY}/manifest.json`)
  await insertTrades(pool, [
    { symbol: 'BTCUSDT', ts: EVENING_US, id: 1, price: 100, qty: 1, is_buyer_maker: true },
  ])
  let deaths = 0
  for (let writes = 0; ; writes++) {
    const outcome = await stand.features('2024-08-08', { store: dyingStore(writes) }).then(
      () => 'published',
      (error: unknown) => String(error),
    )
    const manifest = (await readJson<Manifest>(`${DAY}/manifest.json`))!
    for (const file of manifest.files) {
      const { sha256 } = await digestOf((await store.read(publishedKey(manifest, file.name)))!)
      expect(sha256, `${file.name} after ${writes} writes`).toBe(file.sha256)
    }
    if (outcome === 'published') break
    expect(outcome).toContain('the process died here')
    deaths += 1
  }
  // The note, three uploads and the manifest. Finished uploads are not repeated.
  expect(deaths).toBeGreaterThanOrEqual(5)
  expect(await readJson(`${DAY}/manifest.json`)).not.toEqual(good_manifest)
  expect(good.sets.map(({ files }) => files.length)).toEqual([3, 3])
})

test('a store that alters the bytes it is given is detected before anything is published', async () => {
  for (const key of await keys(DAY)) await store.delete(key)
  const altering: ObjectStore = {
    ...store,
    putFile: (key, _path, content_type) => store.put(key, 'altered', content_type),
  }
  await expect(stand.features('2024-08-08', { store: altering })).rejects.toMatchObject({
    code: 'upload_corrupt',
    retryable: true,
  })
  expect(await readJson(`${DAY}/manifest.json`)).toBeUndefined()
})

test('publishing the same files again changes nothing', async () => {
  const first = await stand.features('2024-08-08')
  const manifest = await store.get(`${DAY}/manifest.json`)
  const written: string[] = []
  const watched: ObjectStore = {
    ...store,
    put: (key, ...others) => (written.push(key), store.put(key, ...others)),
    putFile: (key, ...others) => (written.push(key), store.putFile(key, ...others)),
    delete: (key) => (written.push(key), store.delete(key)),
  }
  expect(await stand.features('2024-08-08', { store: watched })).toEqual(first)
  expect(await store.get(`${DAY}/manifest.json`)).toEqual(manifest)
  // The fit for the next day does not belong to a dataset.
  expect(written.filter((key) => !key.startsWith('models/'))).toEqual([])
})

test('latest.json names the newest complete day, whatever was built last', async () => {
  const latest = (): Promise<Latest | undefined> => readJson('datasets/features_1s/latest.json')
  const during_the_9th = { now: () => Date.parse('2024-08-09T18:00:00Z') }
  await stand.features('2024-08-08')
  await stand.features('2024-08-09', during_the_9th)
  expect(await latest()).toMatchObject({ date: '2024-08-08', complete: true })
  await stand.features('2024-08-09')
  expect(await latest()).toMatchObject({ date: '2024-08-09', complete: true })
  await stand.features('2024-08-08')
  expect(await latest()).toMatchObject({ date: '2024-08-09', complete: true })
})

test('before any day is complete, latest.json names the newest', async () => {
  const other = await createStand()
  await insertSymbols(other.pool, ['BTCUSDT'])
  await insertQuotes(other.pool, [quote(EVENING_US, 1)])
  await other.features('2024-08-08', { now: () => Date.parse('2024-08-08T18:00:00Z') })
  const bytes = await other.store.get('datasets/features_1s/latest.json')
  expect(JSON.parse(Buffer.from(bytes!).toString())).toEqual({
    dataset: 'features_1s',
    schema_version: 4,
    date: '2024-08-08',
    complete: false,
  })
})
