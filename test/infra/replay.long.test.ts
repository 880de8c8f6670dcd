/** `npm run replay` with real recordings, over sockets and via the tape. */
import { execFile, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'

const CLI = join(import.meta.dirname, '../../infra/cli/booktape.mjs')
const FEEDS = process.env['FEEDS_DIR']
const dir = mkdtempSync(join(tmpdir(), 'booktape-replay-test-'))
afterAll(() => rmSync(dir, { recursive: true, force: true }))

interface Result {
  readonly accounted_for: boolean
  readonly problems: readonly string[]
  readonly frames: Readonly<Record<string, number>>
  readonly rows: Readonly<Record<string, number>>
  readonly duplicates: Readonly<Record<string, number>>
  readonly gaps: number
  readonly rejected: Readonly<Record<string, number>>
  readonly datasets: readonly {
    date: string
    row_count: number
    files: readonly { name: string; sha256: string }[]
  }[]
}

interface Ended {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

function replay(...args: readonly string[]): Promise<Ended> {
  return new Promise((resolve) => {
    // Runs in the folder of the recordings, to test relative paths.
    execFile(process.execPath, [CLI, 'replay', ...args], { cwd: dir }, (error, stdout, stderr) =>
      resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr }),
    )
  })
}

interface Running {
  /** Waits for this text on stderr. */
  says(text: RegExp): Promise<void>
  end(signal: NodeJS.Signals): Promise<number | null>
}

function start(...args: readonly string[]): Running {
  const child = spawn(process.execPath, [CLI, 'replay', ...args], {
    cwd: dir,
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  const ended = new Promise<number | null>((resolve) => child.once('exit', resolve))
  return {
    async says(text) {
      let said = ''
      for await (const chunk of child.stderr.iterator({ destroyOnReturn: false })) {
        said += String(chunk)
        if (text.test(said)) return
      }
      throw new Error(`It exited without printing ${String(text)}: ${said}`)
    },
    end(signal) {
      child.kill(signal)
      return ended
    },
  }
}

async function replayed(...args: readonly string[]): Promise<Result> {
  const { code, stdout, stderr } = await replay(...args)
  expect(code, stderr + stdout).toBe(0)
  return JSON.parse(stdout.trim().split('\n').at(-1)!) as Result
}

/** Every exported file with the sha256 of its bytes. */
function hashes(folder: string): Readonly<Record<string, string>> {
  const files = globSync('**/*.{parquet,arrow,json}', { cwd: folder }).toSorted()
  return Object.fromEntries(
    files.map((file) => [
      file,
      createHash('sha256')
        .update(readFileSync(join(folder, file)))
        .digest('hex'),
    ]),
  )
}

const NONE = {
  book_ticker: 0,
  trades: 0,
  depth_events: 0,
  mark_price: 0,
  liquidations: 0,
  prices: 0,
}

/** At full speed a book may be requested twice, but the recording has only one snapshot. */
function withoutDepth(counts: Readonly<Record<string, number>>) {
  return { ...counts, depth_events: 0 }
}

const total = (counts: Readonly<Record<string, number>>): number =>
  Object.values(counts).reduce((sum, count) => sum + count, 0)

describe.skipIf(FEEDS === undefined)('on recordings (skipped without FEEDS_DIR)', () => {
  const btc = join(FEEDS ?? '', 'binance-usdm-btcusdt-20240808/feed.ndjson.gz')
  const five = join(FEEDS ?? '', 'binance-usdm-5coins-20210405/feed.ndjson.gz')

  test('one symbol across midnight: via sockets and via tape, every frame is accounted for, and the datasets have the same bytes', async () => {
    const results = []
    for (const via of ['socket', 'tape'] as const) {
      const result = await replayed(btc, '--via', via, '--export-dir', join(dir, `btc-${via}`))
      // The REST snapshot is a row too: requested over sockets, or as recorded via the tape.
      expect(result.rows).toEqual({
        ...NONE,
        book_ticker: 66_089,
        trades: 21_313,
        depth_events: 6_552,
      })
      expect(withoutDepth(result.duplicates)).toEqual(NONE)
      expect(result.gaps).toBe(0)
      expect(result.frames).toEqual({
        recorded: 93_954,
        with_events: 93_954,
        not_asked_for: 0,
        rejected: 0,
        control: 0,
      })
      expect(result.datasets.map(({ date, row_count }) => [date, row_count])).toEqual([
        ['2024-08-08', 344],
        // The last quote is in the first second of the day, the last book change in the next one.
        ['2024-08-09', 2],
      ])
      results.push(hashes(join(dir, `btc-${via}`)))
    }
    expect(Object.keys(results[0]!).length).toBeGreaterThanOrEqual(6)
    expect(results[0]).toEqual(results[1])
  })

  test('five symbols, then again into the same folder: only duplicates, and the same files', async () => {
    const first = await replayed(
      five,
      '--data-dir',
      join(dir, 'five'),
      '--export-dir',
      join(dir, 'five-1'),
    )
    const rows = { ...NONE, book_ticker: 3_424, trades: 574, depth_events: 4_428 }
    expect(first.rows).toEqual(rows)
    const second = await replayed(
      five,
      '--data-dir',
      join(dir, 'five'),
      '--export-dir',
      join(dir, 'five-2'),
    )
    expect(second.rows).toEqual(NONE)
    expect(withoutDepth(second.duplicates)).toEqual(withoutDepth(rows))
    expect(second.duplicates['depth_events']).toBeGreaterThanOrEqual(rows.depth_events)
    expect(hashes(join(dir, 'five-2'))).toEqual(hashes(join(dir, 'five-1')))
  })
})

test('noise is rejected with a reason; swapped trades lose nothing: their apparent gaps are closed, and the files equal those of the correct order', async () => {
  const T = 1_723_161_255_000
  const trade = (id: number) => {
    const time = T + id * 300
    const data = {
      e: 'aggTrade',
      E: time,
      a: id,
      s: 'BTCUSDT',
      p: '61800.1',
      q: '0.5',
      f: id,
      l: id,
      T: time,
      m: id % 2 === 0,
    }
    return { stream: 'btcusdt@aggTrade', data }
  }
  const quote = (u: number, b = '1.0') => ({
    stream: 'btcusdt@bookTicker',
    data: { e: 'bookTicker', u, s: 'BTCUSDT', b, B: '2', a: '1.1', A: '3', T: T + u, E: T + u },
  })
  const quotes = [quote(1), quote(2), quote(2), quote(3, '-1'), quote(4)]
  // Received years later, as in a replayed recording: days are those of the exchange.
  const write = (name: string, ids: readonly number[]): string => {
    const frames = [...quotes, ...ids.map(trade)]
    const lines = frames.map((frame, i) => ({
      t: 'ws',
      ts: 1_790_000_000_000_000 + i,
      data: JSON.stringify(frame),
    }))
    const header = { t: 'header', exchange: 'binance-futures', symbols: ['BTCUSDT'] }
    writeFileSync(
      join(dir, name),
      [header, ...lines].map((line) => JSON.stringify(line)).join('\r\n'),
    )
    return name
  }
  const straight = write('straight.ndjson', [1, 2, 3, 4, 5, 6, 7, 8, 9, 10])
  const swapped = write('out of order, twice.ndjson', [1, 3, 2, 4, 5, 9, 7, 8, 6, 10])
  const folders = []
  for (const [name, file, via] of [
    ['straight', straight, 'socket'],
    ['swapped-socket', swapped, 'socket'],
    ['swapped-tape', swapped, 'tape'],
  ] as const) {
    const result = await replayed(file, '--via', via, '--export-dir', name)
    expect(result.rows).toEqual({ ...NONE, book_ticker: 3, trades: 10 })
    expect(result.duplicates).toEqual({ ...NONE, book_ticker: 1 })
    expect(total(result.rejected)).toBe(1)
    expect(result.datasets.map(({ date, row_count }) => [date, row_count])).toEqual([
      ['2024-08-08', 4],
    ])
    folders.push(hashes(join(dir, name, 'date=2024-08-08')))
  }
  // The apparent gaps stay in the ledger as repaired; coverage and manifest list them.
  const features = folders.map((files) => [
    files['features_1s.parquet'],
    files['features_1s.arrow'],
  ])
  expect(features[1]).toEqual(features[0])
  expect(folders[2]).toEqual(folders[1])
})

test('killed with -9 half-way and played again: the same files as an undisturbed run', async () => {
  const quote = (u: number) => {
    const T = 1_723_161_256_000 + u * 50
    return { e: 'bookTicker', u, s: 'BTCUSDT', b: '1', B: String(u), a: '3', A: '4', T, E: T }
  }
  const ids = Array.from({ length: 400 }, (_, index) => index + 1)
  const lines = [
    { t: 'header', exchange: 'binance-futures', symbols: ['BTCUSDT'] },
    ...ids.map((u) => ({
      t: 'ws',
      ts: 1_723_161_256_000_000 + u * 50_000,
      data: JSON.stringify(quote(u)),
    })),
  ]
  writeFileSync(join(dir, 'slow.ndjson'), lines.map((line) => JSON.stringify(line)).join('\n'))
  const args = ['slow.ndjson', '--data-dir', 'killed']
  const killed = start(...args, '--speed', 'real')
  await killed.says(/frames played, [1-9]\d* rows committed/)
  expect(await killed.end('SIGKILL')).toBeNull()
  const again = await replayed(...args, '--export-dir', 'again')
  expect(again.rows['book_ticker']).toBeLessThan(400)
  expect(again.rows['book_ticker']! + again.duplicates['book_ticker']!).toBe(400)
  await replayed('slow.ndjson', '--export-dir', 'undisturbed')
  expect(hashes(join(dir, 'again'))).toEqual(hashes(join(dir, 'undisturbed')))

  // After a signal it shuts down cleanly, but its exit code is not 0: frames are unaccounted for.
  const interrupted = start(...args, '--speed', 'real')
  await interrupted.says(/Playing/)
  expect(await interrupted.end('SIGTERM')).toBe(1)
})

test('files that are not recordings or of another exchange are refused before anything starts', async () => {
  const other = join(dir, 'other.ndjson')
  writeFileSync(other, JSON.stringify({ t: 'header', exchange: 'kraken', symbols: ['XBTUSD'] }))
  const data_dir = join(dir, 'never')
  for (const [file, message] of [
    [other, 'is a recording of kraken'],
    [join(dir, 'nowhere'), 'nowhere'],
    [CLI, 'line 1'],
  ] as const) {
    const { code, stderr } = await replay(file, '--data-dir', data_dir)
    expect(code).toBe(1)
    expect(stderr).toContain(message)
    expect(existsSync(data_dir)).toBe(false)
  }
})
