import { execFile } from 'node:child_process'
import { readFileSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { gunzipSync, gzipSync } from 'node:zlib'
import { beforeAll, expect, test } from 'vitest'
import { micros } from '#core/time.ts'
import {
  createFolder,
  openSmall,
  readAll,
  segmentFiles,
  textsOf,
} from '../../ingestor/tape/support.ts'

const FEEDS_DIR = process.env['FEEDS_DIR']
const folder = createFolder()
const recording = join(folder, 'recording.ndjson.gz')

const QUOTE =
  '{"stream":"btcusdt@bookTicker","data":{"e":"bookTicker","u":400900217,"s":"BTCUSDT","b":"25.35","B":"31.21","a":"25.36","A":"40.66","T":1723161256313,"E":1723161256313}}'
const TRADE =
  '{"stream":"ethusdt@aggTrade","data":{"e":"aggTrade","E":1723161256400,"s":"ETHUSDT","a":5,"p":"0.001","q":"100","f":100,"l":105,"T":1723161256399,"m":true}}'
const LINES = [
  {
    t: 'header',
    exchange: 'binance-futures',
    symbols: ['BTCUSDT', 'ETHUSDT'],
    source: 'made for this test',
  },
  { t: 'ws', ts: 1_723_161_255_088_169, data: QUOTE },
  { t: 'rest', ts: 1_723_161_255_088_170, path: '/fapi/v1/time', data: '{"serverTime":\n1}' },
  { t: 'ws', ts: 1_723_161_255_088_171, data: TRADE },
]

beforeAll(() => {
  writeFileSync(recording, gzipSync(LINES.map((line) => `${JSON.stringify(line)}\n`).join('')))
})

test('an imported recording prints the same again, and the import starts with a mark', async () => {
  const dir = join(folder, 'round-trip')
  const imported = await tape('import', recording, '--tape-dir', dir)
  expect(imported).toMatchObject({ code: 0, stderr: '' })
  expect(imported.stdout).toMatch(/2 frames and 1 REST answers at positions 0 to \d+\n$/)

  const printed = await tape('cat', '--tape-dir', dir)
  const [header, ...lines] = parseLines(printed.stdout)
  expect(header).toMatchObject({
    t: 'header',
    exchange: 'binance-futures',
    symbols: ['BTCUSDT', 'ETHUSDT'],
  })
  expect(lines).toEqual(LINES.slice(1))

  const [, mark] = parseLines(
    (await tape('cat', '--tape-dir', dir, '--limit', '1', '--marks')).stdout,
  )
  expect(mark).toEqual({
    t: 'mark',
    ts: LINES[1]!.ts,
    mark: {
      kind: 'started',
      streams: ['BTCUSDT', 'ETHUSDT'].flatMap((symbol) =>
        ['book_ticker', 'trades', 'depth_events', 'mark_price', 'liquidations'].map((channel) => ({
          symbol,
          channel,
        })),
      ),
    },
  })
  expect(
    readAll(dir).lines.map(({ exchange_code, connection }) => [exchange_code, connection]),
  ).toEqual([
    [1, 1],
    [1, 1],
    [1, 0],
    [1, 1],
  ])

  const again = join(folder, 'again.ndjson')
  writeFileSync(again, printed.stdout)
  const second = join(folder, 'second')
  expect(await tape('import', again, '--tape-dir', second)).toMatchObject({ code: 0 })
  expect(textsOf(readAll(second))).toEqual(textsOf(readAll(dir)))
})

test('a file that is not a recording leaves nothing on the tape, wherever its bad line is', async () => {
  const file = join(folder, 'bad.ndjson')
  writeFileSync(file, `${LINES.map((line) => JSON.stringify(line)).join('\n')}\nnot a line\n`)
  const data_dir = join(folder, 'data')
  const { code, stderr } = await tape('import', file, '--data-dir', data_dir)
  expect(code).toBe(1)
  expect(stderr).toMatch(/bad.ndjson, line 5: found/)
  expect(readAll(join(data_dir, 'tape')).lines).toEqual([])
})

test('a tape too small for a recording is an error with the limit', async () => {
  const { code, stderr } = await tape(
    'import',
    recording,
    '--tape-dir',
    join(folder, 'tiny'),
    '--max-bytes',
    '1000',
  )
  expect(code).toBe(1)
  expect(stderr).toMatch(/max_bytes is 1000, at least \d+/)
})

test('verify reports position and file of all damage and exits with 1; ls lists the segments', async () => {
  const dir = join(folder, 'damaged')
  const writer = openSmall(dir)
  for (let i = 0; i < 40; i++)
    writer.append('frame', 1, 1, micros(1), Buffer.from(`${i}`.padEnd(150)))
  await writer.close()
  expect(await tape('verify', '--tape-dir', dir)).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/records: 40 frame, 0 rest, 0 mark\nThe tape is intact.\n$/),
  })
  const listed = (await tape('ls', '--tape-dir', dir)).stdout.trimEnd().split('\n')
  expect(listed).toHaveLength(segmentFiles(dir).length + 1)
  expect(listed[0]).toMatch(/^0{16}\.tape {2}0 to 1914 {2}1978 bytes {2}20/)
  expect(listed.at(-1)).toMatch(/4 segments, 7216 bytes; no process writes it$/)

  const [first, second] = segmentFiles(dir) as [string, string]
  const bytes = readFileSync(first)
  bytes[64 + 174 * 3 + 50]! ^= 1
  bytes[20]! ^= 1
  writeFileSync(first, bytes)
  truncateSync(second, 64 + 174 + 20)
  truncateSync(segmentFiles(dir).at(-1)!, 64 + 100)
  const { code, stdout } = await tape('verify', '--tape-dir', dir)
  expect(code).toBe(1)
  expect(stdout.split('\n').slice(0, -1)).toEqual([
    `damaged: the header of ${first} is corrupt; its records were read anyway`,
    `damaged: position 522 to 696 of ${first} is corrupt`,
    `damaged: position 2088 to 3828 of ${second} is corrupt`,
    'damaged: position 5742: the last 100 bytes are not a complete record',
    expect.stringMatching(/positions 0 to 5742; records: 22 frame, 0 rest, 0 mark$/),
    'The tape is damaged.',
  ])
  const printed = await tape('cat', '--tape-dir', dir, '--from', '522', '--limit', '1')
  expect(printed.code).toBe(1)
  expect(printed.stderr).toContain(`position 522 to 696 of ${first} is corrupt`)
})

test('a folder without a tape, and a tape that a process writes, have different messages', async () => {
  const dir = join(folder, 'held')
  expect(await tape('ls', '--tape-dir', join(folder, 'none'))).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('There is no tape in'),
  })
  const writer = openSmall(dir)
  expect((await tape('ls', '--tape-dir', dir)).stdout).toContain(`process ${process.pid} writes it`)
  expect((await tape('import', recording, '--tape-dir', dir)).stderr).toContain(
    `Process ${process.pid} writes the tape`,
  )
  await writer.close()
})

test.skipIf(FEEDS_DIR === undefined)(
  'a whole recording goes onto the tape and comes back line by line (skipped without FEEDS_DIR)',
  async () => {
    const dir = join(folder, 'feed')
    const feed = join(FEEDS_DIR!, 'binance-usdm-5coins-20210405/feed.ndjson.gz')
    const imported = await tape('import', feed, '--tape-dir', dir)
    expect(imported.stdout).toContain('8421 frames and 5 REST answers')
    const [, ...lines] = parseLines((await tape('cat', '--tape-dir', dir)).stdout)
    const [, ...original] = parseLines(gunzipSync(readFileSync(feed)).toString())
    expect(lines).toEqual(original)
  },
)

const CLI = join(import.meta.dirname, '../../../infra/cli/main.ts')

async function tape(
  ...args: readonly string[]
): Promise<{ code: number; stdout: string; stderr: string }> {
  const options = { maxBuffer: 64 * 1024 ** 2 }
  try {
    const { stdout, stderr } = await promisify(execFile)(
      process.execPath,
      [CLI, 'tape', ...args],
      options,
    )
    return { code: 0, stdout, stderr }
  } catch (error) {
    const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string }
    return { code, stdout, stderr }
  }
}

function parseLines(text: string): readonly Record<string, unknown>[] {
  return text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>)
}
