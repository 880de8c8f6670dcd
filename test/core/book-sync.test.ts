import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import {
  BUFFERED_DIFFS_MAX,
  type BookNews,
  type BookState,
  type DepthChange,
  noteAsked,
  takeDiff,
  takeSnapshot,
  unsyncedBook,
} from '#core/book-sync.ts'
import type { Level } from '#core/market.ts'
import { micros } from '#core/time.ts'
import { BTC, type DepthLine, depthLines, FEEDS_DIR, FIVE_COINS, SPOT } from './depth-recordings.ts'

const START = 1_700_000_000_000_000

type Message = readonly ['diff' | 'snapshot' | 'stream_snapshot' | 'asked', DepthChange?]

/** A diff with U, u, pu and one level; pu = null makes it a spot diff. */
function diff(U: number, u: number, pu: number | null, ts_s = u): Message {
  const bids: readonly Level[] = [[u, 1]]
  return ['diff', { ...change(u, ts_s), first_update_id: U, prev_final_update_id: pu, bids }]
}

function snapshot(L: number, kind: 'snapshot' | 'stream_snapshot' = 'snapshot', ts_s = L): Message {
  return [kind, { ...change(L, ts_s), bids: [[0.5, 1]], asks: [[1_000_000, 1]] }]
}

function change(final_update_id: number, ts_s: number): DepthChange {
  const ts_exchange = micros(START + ts_s * 1_000)
  return {
    ts_exchange,
    first_update_id: null,
    final_update_id,
    prev_final_update_id: null,
    bids: [],
    asks: [],
  }
}

function play(messages: readonly Message[], from: BookState = unsyncedBook()) {
  let state = from
  const news: BookNews[] = []
  for (const [kind, given] of messages) {
    if (kind === 'asked') {
      noteAsked(state)
      continue
    }
    const step =
      kind === 'diff'
        ? takeDiff(state, given!)
        : takeSnapshot(state, given!, kind === 'stream_snapshot')
    state = step[0]
    news.push(...step[1])
  }
  return { state, told: news.map((one) => one.kind).join(' '), news }
}

/** The ids of the diffs in the book: each diff leaves a level with its id as price. */
function applied(state: BookState): readonly number[] | undefined {
  if (state.kind === 'syncing') return undefined
  return state.book.bids
    .top(Infinity)
    .map(([price]) => price)
    .filter((price) => price > 1)
    .toReversed()
}

const USDM = [diff(90, 100, 85), diff(105, 110, 100), diff(112, 120, 110)]
const SPOT_DIFFS = [diff(90, 100, null), diff(101, 110, null), diff(111, 120, null)]

for (const [name, messages, expected, told] of [
  // USD-M
  [
    'USD-M: a diff that spans the snapshot is applied, with those after it',
    [...USDM, snapshot(107)],
    [110, 120],
    'wanted synced',
  ],
  [
    'USD-M: a diff that ends with the snapshot is applied',
    [...USDM, snapshot(110)],
    [110, 120],
    'wanted synced',
  ],
  [
    'USD-M: a diff that begins with the snapshot is applied',
    [...USDM, snapshot(105)],
    [110, 120],
    'wanted synced',
  ],
  [
    'USD-M: the first diff directly continues the snapshot',
    [...USDM.slice(1), snapshot(100)],
    [110, 120],
    'wanted synced',
  ],
  [
    'USD-M: the snapshot is newer than every diff',
    [...USDM, snapshot(125), diff(121, 130, 120)],
    [130],
    'wanted synced',
  ],
  [
    'USD-M: the snapshot is older than the first diff',
    [...USDM, snapshot(80)],
    undefined,
    'wanted wanted',
  ],
  [
    'USD-M: another snapshot after one that was too old',
    [...USDM, snapshot(80), snapshot(115)],
    [120],
    'wanted wanted synced',
  ],
  [
    'USD-M: later diffs connect by pu alone',
    [...USDM, snapshot(107), diff(500, 600, 120)],
    [110, 120, 600],
    'wanted synced',
  ],
  [
    'USD-M: a duplicate diff is applied once',
    [...USDM, snapshot(107), USDM[2]!, USDM[1]!],
    [110, 120],
    'wanted synced',
  ],
  [
    'USD-M: a diff is missing',
    [...USDM, snapshot(107), diff(131, 140, 130)],
    undefined,
    'wanted synced lost',
  ],
  [
    'USD-M: after a gap, two more diffs and a snapshot',
    [...USDM, snapshot(107), diff(131, 140, 130), diff(141, 150, 140), snapshot(144)],
    [150],
    'wanted synced lost wanted synced',
  ],
  [
    'USD-M: a snapshot from before the gap does not repair it',
    [...USDM, snapshot(107), diff(131, 140, 130), diff(141, 150, 140), snapshot(122)],
    undefined,
    'wanted synced lost wanted wanted',
  ],
  [
    'USD-M: two diffs are swapped',
    [...USDM, snapshot(107), diff(131, 140, 130), diff(121, 130, 120), diff(141, 150, 140)],
    [110, 120, 130, 140, 150],
    'wanted synced lost synced',
  ],
  [
    'USD-M: the missing diffs come late, one by one',
    [
      ...USDM,
      snapshot(107),
      diff(141, 150, 140),
      diff(151, 160, 150),
      diff(121, 130, 120),
      diff(131, 140, 130),
    ],
    [110, 120, 130, 140, 150, 160],
    'wanted synced lost wanted synced',
  ],
  [
    'USD-M: after a second gap, late diffs no longer fill the first',
    [...USDM, snapshot(107), diff(131, 140, 130), diff(151, 160, 150), diff(121, 130, 120)],
    undefined,
    'wanted synced lost',
  ],
  [
    'spot: the missing diff comes late',
    [...SPOT_DIFFS, snapshot(107), diff(131, 140, null), diff(121, 130, null)],
    [110, 120, 130, 140],
    'wanted synced lost synced',
  ],
  [
    'USD-M: a gap while waiting restarts the wait',
    [...USDM, diff(131, 140, 130), snapshot(115)],
    undefined,
    'wanted',
  ],
  ['USD-M: one diff is not enough to request a snapshot', [USDM[0]!], undefined, ''],
  // Spot
  [
    'spot: a diff that spans the snapshot is applied',
    [...SPOT_DIFFS, snapshot(107)],
    [110, 120],
    'wanted synced',
  ],
  [
    'spot: a diff that ends with the snapshot is dropped',
    [...SPOT_DIFFS, snapshot(110)],
    [120],
    'wanted synced',
  ],
  [
    'spot: the first diff directly continues the snapshot',
    [...SPOT_DIFFS.slice(1), snapshot(100)],
    [110, 120],
    'wanted synced',
  ],
  [
    'spot: the snapshot is older than the first diff',
    [...SPOT_DIFFS, snapshot(80)],
    undefined,
    'wanted wanted',
  ],
  [
    'spot: a diff that overlaps the last one is applied',
    [...SPOT_DIFFS, snapshot(107), diff(115, 130, null)],
    [110, 120, 130],
    'wanted synced',
  ],
  [
    'spot: a diff is missing',
    [...SPOT_DIFFS, snapshot(107), diff(122, 130, null)],
    undefined,
    'wanted synced lost',
  ],
  // Both
  ['a snapshot without any diff is a book', [snapshot(100), diff(101, 105, 100)], [105], 'synced'],
  ['the ids restart', [snapshot(100), diff(1, 2, 0, 20_000)], undefined, 'synced lost'],
  // Snapshots in the stream
  [
    'in the stream: a new numbering is accepted at once',
    [snapshot(100), snapshot(1, 'stream_snapshot', 101), diff(2, 2, null, 102)],
    [2],
    'synced',
  ],
  [
    'in the stream: a new numbering is accepted after buffered diffs of the old one',
    [
      diff(500, 500, null),
      diff(501, 501, null),
      snapshot(1, 'stream_snapshot', 502),
      diff(2, 2, null, 503),
    ],
    [2],
    'wanted synced',
  ],
  [
    'in the stream: the start of a numbering comes again over a second socket',
    [
      snapshot(1, 'stream_snapshot', 50),
      diff(2, 2, null, 51),
      snapshot(1, 'stream_snapshot', 50),
      diff(3, 3, null, 52),
    ],
    [2, 3],
    'synced',
  ],
  [
    'in the stream: a snapshot of a lagging socket is dropped',
    [
      snapshot(100),
      diff(101, 101, null),
      snapshot(95, 'stream_snapshot'),
      diff(96, 96, null),
      diff(102, 102, null),
    ],
    [101, 102],
    'synced',
  ],
  [
    'in the stream: a snapshot that is ahead is used, and diffs it contains are dropped',
    [
      snapshot(100),
      snapshot(105, 'stream_snapshot'),
      diff(101, 101, null),
      diff(105, 105, null),
      diff(106, 106, null),
    ],
    [106],
    'synced',
  ],
  [
    'in the stream: a snapshot repairs a lost book',
    [
      snapshot(100, 'stream_snapshot'),
      diff(102, 102, null),
      diff(103, 103, null),
      snapshot(102, 'stream_snapshot'),
      diff(104, 104, null),
    ],
    [103, 104],
    'synced lost wanted synced',
  ],
  // Renewal
  [
    'a requested snapshot replaces the book',
    [...USDM, snapshot(107), ['asked'], diff(121, 130, 120), diff(131, 140, 130), snapshot(125)],
    [130, 140],
    'wanted synced',
  ],
  [
    'a snapshot newer than the book replaces it',
    [...USDM, snapshot(107), snapshot(125), diff(121, 130, 120)],
    [130],
    'wanted synced',
  ],
  [
    'a snapshot from before the diffs since its request is dropped',
    [...USDM, snapshot(107), diff(121, 130, 120), ['asked'], diff(131, 140, 130), snapshot(125)],
    [110, 120, 130, 140],
    'wanted synced',
  ],
  [
    'an old snapshot that was not requested is dropped',
    [...USDM, snapshot(107), snapshot(115)],
    [110, 120],
    'wanted synced',
  ],
] as const satisfies readonly (readonly [
  string,
  readonly Message[],
  readonly number[] | undefined,
  string,
])[]) {
  test(name, () => {
    const played = play(messages)
    expect(applied(played.state)).toEqual(expected)
    expect(played.told).toBe(told)
  })
}

test('the news of a loss has the last good id and the first bad one', () => {
  const { news } = play([...USDM, snapshot(107), diff(131, 140, 130)])
  expect(news.at(-1)).toEqual({
    kind: 'lost',
    cause: 'sequence',
    from_id: 120,
    to_id: 140,
    from_ts: START + 120_000,
    to_ts: START + 140_000,
  })
})

test('a diff that crosses the book loses it', () => {
  const crossing: Message = ['diff', { ...diff(121, 130, 120)[1]!, bids: [[1_000_000, 1]] }]
  const { state, news } = play([...USDM, snapshot(107), crossing])
  expect(state.kind).toBe('syncing')
  expect(news.at(-1)).toMatchObject({ kind: 'lost', cause: 'crossed', from_id: 130, to_id: 130 })
})

test('a late diff that would cross the book: only a snapshot helps', () => {
  const crossing: Message = ['diff', { ...diff(121, 130, 120)[1]!, bids: [[1_000_000, 1]] }]
  const uncrossing: Message = ['diff', { ...diff(141, 150, 140)[1]!, bids: [[1_000_000, 0]] }]
  const { state, told } = play([...USDM, snapshot(107), diff(131, 140, 130), crossing, uncrossing])
  expect(state.kind).toBe('syncing')
  expect(told).toBe('wanted synced lost wanted')
  expect(applied(play([snapshot(135)], state).state)).toEqual([140])
})

test('a crossed snapshot is refused, and another one is wanted', () => {
  const crossed: Message = ['snapshot', { ...change(107, 0), bids: [[1_000, 1]], asks: [[999, 1]] }]
  expect(play([...USDM, crossed]).told).toBe('wanted wanted')
})

test('while the snapshot is pending, only the newest diffs are kept', () => {
  const many = Array.from({ length: 3_000 }, (_, n) => diff(n + 1, n + 1, n))
  const { state } = play(many)
  expect(state).toMatchObject({ kind: 'syncing' })
  expect((state as { buffered: unknown[] }).buffered).toHaveLength(BUFFERED_DIFFS_MAX)
  const late = play([snapshot(2_900)], state)
  expect(applied(late.state)?.at(-1)).toBe(3_000)
  expect(play([snapshot(100)], play(many).state).told).toBe('wanted')
})

describe.skipIf(FEEDS_DIR === undefined)('recordings (in FEEDS_DIR)', () => {
  test('BTCUSDT: best bid and ask after each applied diff equal those of the exchange', () => {
    const rows = oracleRows()
    const seen: string[] = []
    // The snapshot goes first: in the recording it follows diffs, which are then applied at once.
    const lines = depthLines(BTC).toSorted((a, b) => rank(a) - rank(b))
    replay(lines, (state, line) => {
      const { bids, asks } = state.book
      const row = [
        line.first_update_id,
        state.last_id,
        bids.priceAt(0),
        bids.qtyAt(0),
        asks.priceAt(0),
        asks.qtyAt(0),
        bids.level_count,
        asks.level_count,
      ]
      seen.push(row.join(' '))
    })
    expect(seen).toHaveLength(6_547)
    expect(seen).toEqual(rows)
    const { book } = replay(depthLines(BTC)).get('BTCUSDT') as Extract<
      BookState,
      { kind: 'synced' }
    >
    expect([book.bids.level_count, book.asks.level_count]).toEqual([5_018, 4_578])
    const end = JSON.parse(
      readFileSync(join(FEEDS_DIR!, BTC, 'eod_snapshot_usdm_btcusdt_20240808.json'), 'utf8'),
    ) as {
      best_bids: readonly (readonly [string, string])[]
      farthest_asks: readonly (readonly [string, string])[]
    }
    const numbers = (levels: typeof end.best_bids) => levels.map((level) => level.map(Number))
    expect(book.bids.top(5)).toEqual(numbers(end.best_bids))
    expect(book.asks.top(Infinity).slice(-5)).toEqual(numbers(end.farthest_asks))
  })

  for (const [folder, count] of [
    [FIVE_COINS, 5],
    [SPOT, 3],
  ] as const) {
    test(`${folder}: ${count} books in sequence to the end, never crossed`, () => {
      const told: string[] = []
      const books = replay(depthLines(folder), undefined, (symbol, news) =>
        told.push(`${symbol} ${news.kind}`),
      )
      expect(books.size).toBe(count)
      for (const state of books.values()) expect(state.kind).toBe('synced')
      expect(told.filter((line) => line.endsWith('lost'))).toEqual([])
      expect(told.filter((line) => line.endsWith('synced'))).toHaveLength(count)
    })
  }

  test('five coins: the book equals the best quote of the same update', () => {
    const lines = depthLines(FIVE_COINS)
    const quotes = new Map(
      lines.flatMap((line) =>
        line.kind === 'quote' ? [[`${line.symbol} ${line.quote.update_id}`, line.quote]] : [],
      ),
    )
    let compared_count = 0
    replay(lines, (state, _line, symbol) => {
      const quote = quotes.get(`${symbol} ${state.last_id}`)
      if (quote === undefined) return
      compared_count++
      expect(state.book.bids.top(1)).toEqual([quote.bid])
      expect(state.book.asks.top(1)).toEqual([quote.ask])
    })
    expect(compared_count).toBeGreaterThan(100)
  })

  for (const folder of [FIVE_COINS, SPOT]) {
    for (const damage of ['dropped', 'swapped'] as const) {
      test(`${folder}: one diff ${damage}: only that symbol is lost, and the next snapshot repairs it`, () => {
        const lines = depthLines(folder)
        const whole = replay(lines)
        const [victim] = [...whole.keys()]
        const own = lines.flatMap((line, at) =>
          line.kind === 'diff' && line.symbol === victim ? [at] : [],
        )
        const [at, next] = [own[own.length >> 1]!, own[(own.length >> 1) + 1]!]
        const damaged = lines.with(at, lines[next]!).with(next, lines[at]!)
        const told: string[] = []
        // The exchange's response to the new request: the whole book at a later time.
        const late = own[(own.length >> 1) + 20]!
        const mended = mend(lines, victim!, late)
        const input = damage === 'swapped' ? damaged : lines.toSpliced(at, 1)
        const cut = input.indexOf(lines[late]!) + 1
        const books = replay(
          [...input.slice(0, cut), mended, ...input.slice(cut)],
          undefined,
          (symbol, news) => {
            if (news.kind === 'lost') told.push(symbol)
          },
        )
        expect(told).toEqual([victim])
        for (const [symbol, state] of whole)
          expect(contents(books.get(symbol))).toEqual(contents(state))
      })
    }
  }
})

/** The undamaged book of a symbol after line `at`, as a snapshot. */
function mend(lines: readonly DepthLine[], symbol: string, at: number): DepthLine {
  const state = replay(lines.slice(0, at + 1)).get(symbol)
  if (state?.kind !== 'synced') throw new Error('The recording is not in sequence.')
  const { book, last_id, ts_exchange } = state
  const [bids, asks] = [book.bids.top(Infinity), book.asks.top(Infinity)]
  return { kind: 'snapshot', symbol, change: { ...change(last_id, 0), ts_exchange, bids, asks } }
}

function contents(state: BookState | undefined): unknown {
  if (state?.kind !== 'synced') return undefined
  return [state.last_id, state.book.bids.top(Infinity), state.book.asks.top(Infinity)]
}

function replay(
  lines: readonly DepthLine[],
  onApplied?: (
    state: Extract<BookState, { kind: 'synced' }>,
    diff: DepthChange,
    symbol: string,
  ) => void,
  onNews?: (symbol: string, news: BookNews) => void,
): ReadonlyMap<string, BookState> {
  const books = new Map<string, BookState>()
  for (const line of lines) {
    if (line.kind === 'quote') continue
    const before = books.get(line.symbol) ?? unsyncedBook()
    const [state, news] = (line.kind === 'diff' ? takeDiff : takeSnapshot)(before, line.change)
    books.set(line.symbol, state)
    for (const one of news) onNews?.(line.symbol, one)
    if (state.kind !== 'synced' || onApplied === undefined) continue
    if (line.kind === 'diff' && state.last_id === line.change.final_update_id)
      onApplied(state, line.change, line.symbol)
  }
  return books
}

function rank(line: DepthLine): number {
  return line.kind === 'snapshot' ? 0 : 1
}

function oracleRows(): readonly string[] {
  const path = join(FEEDS_DIR!, BTC, 'bbo_at_each_diff_usdm_btcusdt_20240808.csv')
  return readFileSync(path, 'utf8')
    .trim()
    .split('\n')
    .slice(1)
    .map((line) => {
      const [, U, u, , bid, bid_qty, ask, ask_qty, bid_count, ask_count] = line
        .split(',')
        .map(Number)
      return [U, u, bid, bid_qty, ask, ask_qty, bid_count, ask_count].join(' ')
    })
}

test('a stream snapshot with the id and time of the first changes nothing, as in the table', () => {
  const first: DepthChange = { ...change(7, 7), bids: [[100, 1]], asks: [[101, 1]] }
  const other: DepthChange = { ...first, bids: [[99, 2]] }
  const newer: DepthChange = { ...other, ts_exchange: micros(first.ts_exchange + 1) }
  const bidAfter = (second: DepthChange): number | undefined => {
    const [known] = takeSnapshot(unsyncedBook(), first, true)
    const [state] = takeSnapshot(known, second, true)
    return state.kind === 'synced' ? state.book.bids.priceAt(0) : undefined
  }
  expect([bidAfter(other), bidAfter(newer)]).toEqual([100, 99])
})
