import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterAll, describe, expect, test } from 'vitest'
import { OperatorError } from '#core/errors.ts'
import {
  readHeader,
  readRecording,
  summariseRecording,
  type RecordingLine,
} from '../../../infra/exchange/replay/recording.ts'

const dir = mkdtempSync(join(tmpdir(), 'booktape-recording-'))
afterAll(() => rmSync(dir, { recursive: true, force: true }))

const HEADER =
  '{"t": "header", "exchange": "binance-futures", "symbols": ["BTCUSDT"], "source": "here"}'
const QUOTE =
  '{"e":"bookTicker","u":7,"s":"BTCUSDT","b":"58710.20","B":"0.014","a":"58710.30","A":"1.000","T":2,"E":2}'
const wsLine = (ts: number, data: string): string => JSON.stringify({ t: 'ws', ts, data })
const WRAPPED = wsLine(1_723_161_255_030_314, `{"stream":"btcusdt@bookTicker","data":${QUOTE}}`)

function file(name: string, content: string | Buffer): string {
  const path = join(dir, name)
  writeFileSync(path, content)
  return path
}

async function linesOf(path: string): Promise<RecordingLine[]> {
  const lines: RecordingLine[] = []
  for await (const line of readRecording(path)) lines.push(line)
  return lines
}

async function errorOf(path: string): Promise<OperatorError> {
  const error: unknown = await linesOf(path).catch((reason: unknown) => reason)
  expect(error).toBeInstanceOf(OperatorError)
  return error as OperatorError
}

test('blank lines, trailing lines, carriage returns and spaces in the JSON are accepted', async () => {
  const path = file('blank.ndjson', `\n${HEADER}\r\n\n  \n${WRAPPED}\n\n\n`)
  expect(await readHeader(path)).toMatchObject({
    exchange: 'binance-futures',
    symbols: ['BTCUSDT'],
  })
  expect(await linesOf(path)).toEqual([
    {
      kind: 'ws',
      ts: 1_723_161_255_030_314,
      data: `{"stream":"btcusdt@bookTicker","data":${QUOTE}}`,
    },
  ])
})

test('a last line without a line feed counts', async () => {
  expect(await linesOf(file('open-end.ndjson', `${HEADER}\n${WRAPPED}`))).toHaveLength(1)
})

test('plain text, gzip and concatenated gzip members read the same', async () => {
  const text = `${HEADER}\n${WRAPPED}\n`
  const plain = await linesOf(file('plain', text))
  expect(await linesOf(file('packed', gzipSync(text)))).toEqual(plain)
  const twice = Buffer.concat([gzipSync(text), gzipSync(text)])
  expect(await linesOf(file('members', twice))).toEqual([...plain, ...plain])
})

test('lines longer than a read are complete, even with multi-byte characters at its edge', async () => {
  const data = 'ä€😀'.repeat(200_000)
  const [line] = await linesOf(file('long.gz', gzipSync(`${HEADER}\n${wsLine(5, data)}\n`)))
  expect(line?.data).toBe(data)
})

test('a summary counts wrapped and bare frames by stream, and unknown frames separately', async () => {
  const trade =
    '{"e":"aggTrade","E":2,"s":"ETHUSDT","a":9,"p":"1882.5","q":"12.36","f":1,"l":1,"T":1,"m":true}'
  const depth = '{"lastUpdateId":7,"E":1,"T":1,"bids":[["0.00012","4"]],"asks":[]}'
  const rest = JSON.stringify({
    t: 'rest',
    ts: 3,
    path: '/fapi/v1/depth?symbol=ADAUSDT&limit=5',
    data: depth,
  })
  const path = file(
    'mixed.ndjson',
    [
      HEADER,
      wsLine(20, QUOTE),
      WRAPPED,
      wsLine(10, trade),
      wsLine(30, 'not json'),
      wsLine(31, '{"result":null,"id":1}'),
      rest,
    ].join('\n'),
  )
  expect(await summariseRecording(path)).toEqual({
    exchange: 'binance-futures',
    time_unit: 'millisecond',
    symbols: ['BTCUSDT', 'ETHUSDT'],
    streams: { 'btcusdt@bookTicker': 2, 'ethusdt@aggTrade': 1 },
    unroutable_count: 2,
    ws_count: 5,
    rest_count: 1,
    from_ts: 3,
    to_ts: 1_723_161_255_030_314,
    // By the times in the payloads, not by the receive times.
    days: ['1970-01-01'],
    steps: {
      BTCUSDT: { tick_size: 0.01, step_size: 0.001 },
      ETHUSDT: { tick_size: 0.1, step_size: 0.01 },
    },
  })
})

test('a recording without frames has no times and the finest steps', async () => {
  expect(await summariseRecording(file('header-only', HEADER))).toMatchObject({
    ws_count: 0,
    from_ts: null,
    to_ts: null,
    days: [],
    steps: { BTCUSDT: { tick_size: 1e-8, step_size: 1e-8 } },
  })
})

describe('a file that is not a recording is refused with the line and the expected content', () => {
  for (const [name, content, code, message] of [
    ['empty', '', 'recording_empty', /is empty; expected a header line/],
    [
      'prose',
      '# Recorded feeds\n',
      'recording_bad_line',
      /line 1: found "# Recorded feeds"; expected one whole/,
    ],
    [
      'no header',
      `\n${WRAPPED}\n`,
      'recording_bad_line',
      /line 2: .*expected the header line first/,
    ],
    [
      'header without symbols',
      '{"t":"header","exchange":"x"}',
      'recording_bad_line',
      /"symbols" is missing/,
    ],
    [
      'symbols of numbers',
      '{"t":"header","exchange":"x","symbols":[1]}',
      'recording_bad_line',
      /"symbols"/,
    ],
    [
      'header without exchange',
      '{"t":"header","symbols":[]}',
      'recording_bad_line',
      /"exchange" is missing/,
    ],
    [
      'unknown type',
      `${HEADER}\n{"t":"tcp","ts":1,"data":""}`,
      'recording_bad_line',
      /line 2: found "t" is "tcp"/,
    ],
    [
      'seconds as text',
      `${HEADER}\n{"t":"ws","ts":"1","data":""}`,
      'recording_bad_line',
      /"ts" is "1"/,
    ],
    [
      'a fraction of time',
      `${HEADER}\n{"t":"ws","ts":1.5,"data":""}`,
      'recording_bad_line',
      /whole microseconds/,
    ],
    [
      'data as object',
      `${HEADER}\n{"t":"ws","ts":1,"data":{}}`,
      'recording_bad_line',
      /"data" is \{\}/,
    ],
    [
      'rest without path',
      `${HEADER}\n{"t":"rest","ts":1,"data":"{}"}`,
      'recording_bad_line',
      /"path" is missing/,
    ],
    [
      'a line cut short',
      `${HEADER}\n${WRAPPED.slice(0, 50)}`,
      'recording_bad_line',
      /line 2: .*expected one whole/,
    ],
    [
      'another exchange later',
      `${HEADER}\n${HEADER.replace('futures', 'spot')}`,
      'recording_bad_line',
      /second header/,
    ],
    [
      'a unit of time that nobody knows',
      HEADER.replace('{', '{"time_unit":"nanosecond",'),
      'recording_bad_line',
      /"time_unit" is "nanosecond"; expected millisecond or microsecond/,
    ],
    [
      'another unit of time later',
      `${HEADER}\n${HEADER.replace('{', '{"time_unit":"microsecond",')}`,
      'recording_bad_line',
      /times in microseconds; expected one of binance-futures, times in milliseconds/,
    ],
    [
      'bytes that are no text',
      Buffer.from([0x7b, 0xff, 0xfe, 0x0a]),
      'recording_not_text',
      /line 1: not UTF-8/,
    ],
  ] as const) {
    test(name, async () => {
      const error = await errorOf(file(`bad ${name}`, content))
      expect(error.code).toBe(code)
      expect(error.message).toMatch(message)
    })
  }

  test('truncated gzip is reported with the last line', async () => {
    const lines = Array.from({ length: 5_000 }, (_, index) =>
      wsLine(index + 1, String(index * 7_919)),
    )
    const whole = gzipSync([HEADER, ...lines].join('\n'))
    const error = await errorOf(file('cut.gz', whole.subarray(0, whole.length / 2)))
    expect(error.code).toBe('recording_truncated')
    expect(Number(/after line (\d+)/.exec(error.message)?.[1])).toBeGreaterThan(100)
  })

  test('gzip with a flipped bit is reported as damaged', async () => {
    const whole = gzipSync(
      Array.from({ length: 2_000 }, (_, index) => wsLine(index + 1, 'x')).join('\n'),
    )
    whole[whole.length - 6]! ^= 0xff
    expect(
      (await errorOf(file('flipped.gz', Buffer.concat([gzipSync(`${HEADER}\n`), whole])))).code,
    ).toBe('recording_damaged')
  })

  test('a missing file and a folder', async () => {
    expect((await errorOf(join(dir, 'nothing'))).message).toMatch(/does not exist/)
    expect((await errorOf(dir)).message).toMatch(/is a folder/)
  })

  test('a line above the limit is refused before it fills the memory', async () => {
    const error = await errorOf(
      file('endless.gz', gzipSync(`${HEADER}\n${'x'.repeat(17 * 1024 * 1024)}`)),
    )
    expect(error.code).toBe('recording_line_too_long')
  })
})

const feeds = process.env['FEEDS_DIR']

describe.skipIf(feeds === undefined)('recorded feeds (skipped without FEEDS_DIR)', () => {
  for (const [folder, expected] of [
    ['binance-usdm-btcusdt-20240808', { bookTicker: 66_089, trade: 21_313, 'depth@0ms': 6_551 }],
    ['binance-usdm-5coins-20210405', { bookTicker: 3_424, aggTrade: 574, 'depth@100ms': 4_423 }],
    ['binance-spot-3coins-20210405', { 'depth@100ms': 2_688, aggTrade: 1_910, kline_1m: 118 }],
  ] as const) {
    test(`${folder} contains what its README says`, async () => {
      const summary = await summariseRecording(join(feeds!, folder, 'feed.ndjson.gz'))
      const counts: Record<string, number> = {}
      for (const [stream, count] of Object.entries(summary.streams)) {
        const name = stream.slice(stream.indexOf('@') + 1)
        counts[name] = (counts[name] ?? 0) + count
      }
      expect(counts).toEqual(expected)
      expect(summary.unroutable_count).toBe(0)
    })
  }

  test('single frames are not a recording and are refused', async () => {
    const path = join(feeds!, 'binance-2026-frames', 'frames.jsonl')
    expect(readFileSync(path).length).toBeGreaterThan(0)
    expect((await errorOf(path)).message).toMatch(/line 1: found "t" is missing/)
  })
})
