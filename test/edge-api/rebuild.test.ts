/** A day is read repeatedly while it is rebuilt with other bytes: every read is of one build. */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { asyncBufferFromUrl, parquetReadObjects } from 'hyparquet'
import { afterAll, expect, test } from 'vitest'
import { silentLogger } from '#core/node/log.ts'
import { fromMillis } from '#core/time.ts'
import { composeApp } from '../../edge-api/compose.ts'
import { decompressors } from '../../edge-api/lake/decompressors.ts'
import { sweepReplacedBuilds } from '../../jobs/datasets/replaced-builds.ts'
import {
  DATE,
  publishing,
  publishVersion,
  SYMBOL,
  writeVersion,
} from '../jobs/datasets/one-file.ts'
import type { PublishTask } from '../jobs/datasets/publish-child.ts'
import { addSymbol, sha256, startEdge } from './support.ts'

const edge = await startEdge()
const { store, pool } = edge
const dir = await mkdtemp(join(tmpdir(), 'booktape-rebuild-'))
afterAll(() => rm(dir, { recursive: true }))
const reported: unknown[] = []
const app = composeApp(edge.bindings, {
  now: () => fromMillis(Date.now()),
  report: (error) => reported.push(error),
})
await addSymbol(pool, SYMBOL)
const DAY = `/v1/datasets/labels_1s/${DATE}`
/** sha256 of every version's file. */
const known = new Set<string>()

interface ListedFile {
  readonly url: string
  readonly sha256: string
  readonly bytes: number
}

async function ask(path: string): Promise<Response> {
  const response = await app.request(path)
  expect(response.status, path).toBeLessThan(400)
  return response
}

/** Through a redirect, in one request. */
async function readWhole(path: string): Promise<void> {
  const file = await fetch((await ask(path)).headers.get('location')!)
  expect(file.status).toBe(200)
  const bytes = new Uint8Array(await file.arrayBuffer())
  expect(known.has(sha256(bytes)), `${path}: ${bytes.length} bytes`).toBe(true)
}

async function signedFile(): Promise<ListedFile> {
  const { files } = (await (await ask(DAY)).json()) as { readonly files: readonly ListedFile[] }
  return files[0]!
}

/** The last bytes first, like Parquet readers; then the rest, when the day may have changed. */
async function readInParts({ url, bytes, sha256: expected }: ListedFile): Promise<void> {
  const part = async (from: number, to: number): Promise<Buffer> => {
    const response = await fetch(url, { headers: { range: `bytes=${from}-${to - 1}` } })
    expect(response.status).toBe(206)
    return Buffer.from(await response.arrayBuffer())
  }
  const middle = bytes - 300
  const end = await part(middle, bytes)
  await new Promise((resolve) => setTimeout(resolve, 20))
  expect(sha256(Buffer.concat([await part(0, middle), end]))).toBe(expected)
}

function checkRows(rows: readonly Record<string, unknown>[]): void {
  const version = Math.floor(Number(rows[0]!['value']) / 1_000)
  expect(rows.map(({ value }) => value)).toEqual(
    Array.from({ length: 50 + version }, (_, i) => version * 1_000 + i),
  )
}

async function readParquet({ url, bytes: byteLength }: ListedFile): Promise<void> {
  const file = await asyncBufferFromUrl({ url, byteLength })
  const rows = await parquetReadObjects({ file, compressors: decompressors })
  checkRows(rows.filter(({ symbol }) => symbol === SYMBOL))
}

async function readFeatures(): Promise<void> {
  const path = `/v1/features/${SYMBOL}?dataset=labels_1s&from=${DATE}&limit=1000`
  const { rows } = (await (await ask(path)).json()) as { readonly rows: Record<string, unknown>[] }
  checkRows(rows)
}

const ways: readonly (() => Promise<void>)[] = [
  () => readWhole('/v1/datasets/labels_1s/yesterday.parquet'),
  () => readWhole(`${DAY}/labels_1s.parquet`),
  async () => readInParts(await signedFile()),
  async () => readParquet(await signedFile()),
  readFeatures,
]

/** Reads in every way until the work is done. Returns the number of reads. */
async function readDuring(work: () => Promise<void>): Promise<number> {
  const state = { is_done: false }
  let read_count = 0
  const readers = ways.map(async (read) => {
    while (!state.is_done) {
      await read()
      read_count += 1
    }
  })
  const working = work().finally(() => (state.is_done = true))
  await Promise.all([working, ...readers])
  return read_count
}

let version = 0
const nextVersion = async (folder = dir): Promise<void> => {
  version += 1
  known.add((await writeVersion(folder, version)).sha256)
  await publishVersion(publishing(store), folder, version)
}

test('during repeated rebuilds every read is of one build, and none fails', async () => {
  await nextVersion()
  const read_count = await readDuring(async () => {
    for (let i = 0; i < 5; i++) await nextVersion()
  })
  expect(read_count).toBeGreaterThan(ways.length)
})

test('two publishers at once: every read is of one build of either', async () => {
  const read_count = await readDuring(async () => {
    for (let i = 0; i < 3; i++) {
      await Promise.all([nextVersion(join(dir, 'one')), nextVersion(join(dir, 'other'))])
    }
  })
  expect(read_count).toBeGreaterThanOrEqual(ways.length)
})

test('a publisher that is killed at any write leaves a readable day', async () => {
  const child_dir = join(dir, 'killed')
  let kills = 0
  for (let writes_before = 0; ; writes_before++) {
    version += 1
    known.add((await writeVersion(child_dir, version)).sha256)
    const task: PublishTask = { store_config: store.config, dir: child_dir, writes_before }
    const child = fork(
      new URL('../jobs/datasets/publish-child.ts', import.meta.url),
      [JSON.stringify(task)],
      { execArgv: [], stdio: 'inherit' },
    )
    const [, signal] = (await once(child, 'exit')) as [number | null, string | null]
    for (const read of ways) await read()
    if (signal === null) break
    kills += 1
  }
  // The note, the file, the manifest; latest.json stays, and the sweep writes the note again.
  expect(kills).toBeGreaterThanOrEqual(3)
})

test('a URL that was signed before a rebuild works until the replaced files expire', async () => {
  const old = await signedFile()
  await nextVersion()
  await readInParts(old)
  const sweep = (hours: number): Promise<void> =>
    sweepReplacedBuilds({
      pool,
      store,
      keep_replaced_h: 24,
      log: silentLogger,
      now: () => Date.now() + hours * 3_600_000,
    })
  await sweep(23)
  await readInParts(old)
  // Files that a running build is about to publish stay, however old they are.
  const living = await pool.connect()
  await living.query("select pg_advisory_lock(hashtext('booktape.job'), hashtext($1))", [
    `features:${DATE}`,
  ])
  await sweep(25)
  await readInParts(old)
  living.release(true)
  await expect.poll(async () => (await sweep(25), (await fetch(old.url)).status)).toBe(404)
  for (const read of ways) await read()
  const keys = (await store.list('')).map(({ key }) => key)
  expect(keys.filter((key) => key.includes(`date=${DATE}`))).toEqual([
    expect.stringMatching(/\/build=[0-9a-f]{16}\/labels_1s\.parquet$/),
    expect.stringMatching(/\/manifest\.json$/),
  ])
})

test('replaced files of an unfinished day stay ten minutes', async () => {
  await publishVersion(publishing(store), dir, ++version, false)
  const old = await signedFile()
  const later = (minutes: number) => publishing(store, Date.now() + minutes * 60_000)
  await publishVersion(later(0), dir, ++version, false)
  await publishVersion(later(8), dir, ++version, false)
  expect((await fetch(old.url)).status).toBe(200)
  await publishVersion(later(12), dir, ++version, false)
  expect((await fetch(old.url)).status).toBe(404)
})

test('a day whose files are next to the manifest is read, and the next run moves it into a build', async () => {
  const prefix = `datasets/labels_1s/v1/date=${DATE}/`
  const manifest_key = `${prefix}manifest.json`
  const { build, ...manifest } = JSON.parse(
    Buffer.from((await store.get(manifest_key))!).toString(),
  )
  await store.copy(`${prefix}build=${build}/labels_1s.parquet`, `${prefix}labels_1s.parquet`)
  await store.put(manifest_key, JSON.stringify(manifest), 'application/json')
  const old = await signedFile()
  expect(old.url).toContain(`date%3D${DATE}/labels_1s.parquet`)
  await readParquet(old)
  await nextVersion()
  await readParquet(old)
  await readParquet(await signedFile())
})

test('nothing above was a fault of ours', () => expect(reported).toEqual([]))
