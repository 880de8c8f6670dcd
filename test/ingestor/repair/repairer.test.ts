/** Gaps in trade streams, refilled from the exchange server's REST into real tables. */
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { fromMillis } from '#core/time.ts'
import { type ExchangeServer, startExchange } from '../../../infra/exchange/server.ts'
import type { AggTradeRow } from '../../../infra/exchange/source.ts'
import { createTestDatabase } from '../../support/database.ts'
import { until } from '../support.ts'
import type { Repairer } from '../../../ingestor/repair/repairer.ts'
import { CHOICE } from '../writer/support.ts'
import {
  asNumbers,
  createStand,
  lostMark,
  frameOf,
  history,
  ledger,
  newestId,
  unendedGaps,
  started,
  storedTrades,
  SYMBOL,
} from './stand.ts'

const HOUR_MS = 3_600_000
const WEIGHTS = { weight_per_minute_max: 1_000_000_000 }

/** A market whose time the test controls, with at least this many trades. */
async function marketWith(trade_count: number, start_ms: number) {
  let now_ms = start_ms
  let speed = 100
  let seen_at = performance.now()
  const clock = (): number => {
    const at = performance.now()
    now_ms += (at - seen_at) * speed
    seen_at = at
    return now_ms
  }
  const source = { kind: 'sim', seed: 3, symbols: [SYMBOL], events_per_s: 200, clock } as const
  const exchange = await startExchange({ port: 0, source, limits: WEIGHTS })
  afterAll(() => exchange.stop())
  const grow = async (more: number): Promise<readonly AggTradeRow[]> => {
    const wanted_id = (await newestId(exchange)) + more
    clock()
    speed = 100
    await until('there are so many trades', async () => (await newestId(exchange)) >= wanted_id)
    clock()
    speed = 0
    await sleep(30)
    return history(exchange)
  }
  const jumpTo = async (ms: number): Promise<void> => {
    clock()
    now_ms = ms
    await sleep(30)
  }
  return { exchange, grow, jumpTo, trades: await grow(trade_count) }
}

describe('gaps that the exchange can refill', () => {
  let exchange: ExchangeServer
  let trades: readonly AggTradeRow[]
  beforeAll(async () => {
    ;({ exchange, trades } = await marketWith(4_000, Date.now() - HOUR_MS))
  })
  const id = (at: number): number => trades[at]!.a
  const heard = (...ranges: readonly (readonly [number, number])[]): readonly object[] =>
    ranges.flatMap(([from, to]) => trades.slice(from, to).map(frameOf))

  test('a gap of 2,500 trades takes three requests, and its rows equal those of the stream', async () => {
    const stand = await createStand(exchange)
    stand.hear(heard([0, 500], [3_000, 4_000]))
    await stand.committed()
    expect((await ledger(stand.pool))[0]).toMatchObject({
      from_id: id(499),
      to_id: id(3_000),
      is_closed: false,
    })
    const repairer = stand.repair()
    await until('the gap is closed', () => repairer.counts().gaps_repaired === 1)
    expect(await ledger(stand.pool)).toEqual([
      {
        from_id: id(499),
        to_id: id(3_000),
        cause: 'sequence',
        repaired_count: 2_500,
        is_closed: true,
        repair_note: null,
        repair_attempts: 0,
        is_given_up: false,
      },
    ])
    expect(stand.asked.length).toBe(3)
    expect(await storedTrades(stand.pool)).toEqual(trades.slice(0, 4_000).map(asNumbers))
    expect(repairer.counts()).toEqual({ gaps_open: 0, gaps_repaired: 1 })
  })

  test('the newest gap goes first, and a new one goes before the rest of an old one', async () => {
    const stand = await createStand(exchange)
    stand.hear(heard([0, 100], [2_900, 3_000], [3_100, 3_200]))
    await stand.committed()
    let late_at = 0
    stand.repair({
      settings: { look_ms: 20, pages_per_turn: 1 },
      committed: async () => {
        if (stand.asked.length === 2) {
          late_at = stand.asked.length
          stand.hear(heard([3_300, 3_400]))
        }
        await stand.committed()
      },
    })
    await until(
      'all are closed',
      async () => (await ledger(stand.pool)).filter((row) => row.is_closed).length === 3,
    )
    const from_ids = stand.asked.map((path) => Number(/fromId=(\d+)/.exec(path)?.[1]))
    expect(late_at).toBe(2)
    expect(from_ids).toEqual([id(3_000), id(100), id(3_200), id(1_100), id(2_100)])
    expect((await storedTrades(stand.pool)).length).toBe(3_400)
  })

  test('a stream lost before its first event: everything since the subscription is refilled', async () => {
    const stand = await createStand(exchange)
    const since_ms = trades[100]!.T
    stand.mark(started(), fromMillis(since_ms))
    stand.mark(lostMark())
    stand.hear(heard([300, 400]))
    await stand.committed()
    expect(await ledger(stand.pool)).toMatchObject([
      { from_id: null, to_id: id(300), is_closed: false },
    ])
    exchange.setFaults({ faults: [{ kind: 'http_status', target: 'rest', status: 503 }] })
    stand.repair()
    const note = async () => (await ledger(stand.pool))[0]!.repair_note ?? ''
    await until('a request has failed', async () =>
      (await note()).startsWith('The start of the gap is not known yet'),
    )
    exchange.setFaults({ faults: [] })
    await until('it is closed', async () => (await ledger(stand.pool))[0]?.is_closed === true)
    const first = trades.findIndex(({ T }) => T >= since_ms)
    expect(await storedTrades(stand.pool)).toEqual(trades.slice(first, 400).map(asNumbers))
  })

  test('429 with Retry-After delays the refill, which then succeeds', async () => {
    const stand = await createStand(exchange)
    stand.hear(heard([0, 100], [200, 300]))
    await stand.committed()
    exchange.setFaults({
      faults: [{ kind: 'http_status', target: 'rest', status: 429, retry_after_s: 1, for_ms: 700 }],
    })
    const began = performance.now()
    stand.repair()
    await until('it is closed', async () => (await ledger(stand.pool))[0]?.is_closed === true)
    exchange.setFaults({ faults: [] })
    expect(performance.now() - began).toBeGreaterThan(950)
    expect((await storedTrades(stand.pool)).length).toBe(300)
  })

  test('an exchange that is away proves nothing: no attempt is counted, and the gap is refilled later', async () => {
    const stand = await createStand(exchange)
    stand.hear(heard([0, 100], [200, 300]))
    await stand.committed()
    exchange.setFaults({ faults: [{ kind: 'http_status', target: 'rest', status: 503 }] })
    stand.repair()
    await until(
      'a note says so',
      async () => (await ledger(stand.pool))[0]?.repair_note?.includes('No answer') === true,
    )
    expect((await ledger(stand.pool))[0]).toMatchObject({
      repair_attempts: 0,
      is_given_up: false,
      is_closed: false,
    })
    exchange.setFaults({ faults: [] })
    await until('it is closed', async () => (await ledger(stand.pool))[0]?.is_closed === true)
    expect((await ledger(stand.pool))[0]).toMatchObject({ repaired_count: 100, repair_note: null })
  })

  test('two ingestors that know the same gap request it once', async () => {
    const database = await createTestDatabase()
    const stands = [
      await createStand(exchange, CHOICE, database, 'first'),
      await createStand(exchange, CHOICE, database, 'second'),
    ]
    for (const stand of stands) stand.hear(heard([0, 100], [1_100, 1_200], [2_200, 2_300]))
    for (const stand of stands) await stand.committed()
    for (const stand of stands) stand.repair()
    await until('both gaps are closed', async () =>
      (await ledger(database.pool)).every((row) => row.is_closed),
    )
    expect(stands.flatMap((stand) => stand.asked).length).toBe(2)
    expect(await storedTrades(database.pool)).toEqual(trades.slice(0, 2_300).map(asNumbers))
  })

  test('trades that a second ingestor received are not requested', async () => {
    const database = await createTestDatabase()
    const first = await createStand(exchange, CHOICE, database, 'first')
    const other = await createStand(exchange, CHOICE, database, 'second')
    first.hear(heard([0, 100], [300, 400]))
    other.hear(heard([50, 200]))
    await Promise.all([first.committed(), other.committed()])
    first.repair()
    await until('it is closed', async () => (await ledger(database.pool))[0]?.is_closed === true)
    expect(first.asked).toEqual([expect.stringContaining(`fromId=${id(200)}&limit=100`)])
    expect((await ledger(database.pool))[0]).toMatchObject({ repaired_count: 200 })
  })

  test('the history of a quiet lost stream is read once; its gap ends with the newest trade and is closed', async () => {
    const stand = await createStand(exchange)
    stand.hear(heard([0, 100]))
    const position = stand.mark(lostMark())
    const repairer = stand.repair()
    repairer.noteLost([SYMBOL], position)
    await until(
      'the row is there and closed',
      async () => (await ledger(stand.pool))[0]?.is_closed === true,
    )
    expect((await storedTrades(stand.pool)).length).toBe(trades.length)
    const asked_count = stand.asked.length
    const closed = [
      {
        cause: 'disconnect',
        from_id: id(99),
        to_id: trades.at(-1)!.a + 1,
        repaired_count: trades.length - 100,
      },
    ]
    expect(await ledger(stand.pool)).toMatchObject(closed)
    expect(await unendedGaps(stand.pool)).toBe(0)
    stand.hear(heard([3_900, 3_901]))
    await stand.committed()
    await sleep(200)
    expect(await ledger(stand.pool)).toMatchObject(closed)
    expect(stand.asked.length).toBe(asked_count)
  })

  test('a quiet stream that missed nothing: one request ends its gap, without a row', async () => {
    const stand = await createStand(exchange)
    stand.hear(heard([0, trades.length]))
    const position = stand.mark(lostMark())
    await stand.committed()
    expect(await unendedGaps(stand.pool)).toBe(1)
    stand.repair().noteLost([SYMBOL], position)
    await until('its gap has ended', async () => (await unendedGaps(stand.pool)) === 0)
    expect(await ledger(stand.pool)).toEqual([])
    expect(stand.asked.length).toBe(1)
  })

  test('a quiet stream that is lost again during the request: its gap stays open', async () => {
    const stand = await createStand(exchange)
    stand.hear(heard([0, trades.length]))
    const position = stand.mark(lostMark())
    await stand.committed()
    const covered = [SYMBOL]
    const asking = Promise.withResolvers<void>()
    const repairer: Repairer = stand.repair({
      coveredSymbols: () => covered,
      append: () => {
        // Lost between the answer and its use.
        if (covered.pop() !== undefined) repairer.noteLost([SYMBOL], stand.mark(lostMark()))
        asking.resolve()
        return true
      },
    })
    repairer.noteLost([SYMBOL], position)
    await asking.promise
    await repairer.stop()
    await stand.committed()
    expect(await unendedGaps(stand.pool)).toBe(1)
  })

  test('a stream lost before its first event: a history without a trade since then ends its gap', async () => {
    const stand = await createStand(exchange)
    // The market of this test is an hour old and has no new trades.
    stand.mark(started())
    const position = stand.mark(lostMark())
    await stand.committed()
    expect(await unendedGaps(stand.pool)).toBe(1)
    stand.repair().noteLost([SYMBOL], position)
    await until('its gap has ended', async () => (await unendedGaps(stand.pool)) === 0)
    expect(await ledger(stand.pool)).toEqual([])
    expect(stand.asked.length).toBe(1)
  })

  test('the history of a stream that is covered again at once is not read', async () => {
    const stand = await createStand(exchange)
    stand.hear(heard([0, 100]))
    const position = stand.mark(lostMark())
    stand.hear(heard([100, 101]))
    stand.repair().noteLost([SYMBOL], position)
    await stand.committed()
    await sleep(400)
    expect(stand.asked).toEqual([])
  })
})

describe('gaps that cannot be refilled', () => {
  test('a gap before the last 24 hours is never requested; of one across the limit the newer part is refilled', async () => {
    const { exchange, grow, jumpTo } = await marketWith(300, Date.now() - 26 * HOUR_MS)
    await jumpTo(Date.now() - 22 * HOUR_MS)
    const all = await grow(300)
    await jumpTo(Date.now())
    const first_new = all.findIndex((row) => row.T > Date.now() - 24 * HOUR_MS)
    expect(first_new).toBeGreaterThan(290)
    const stand = await createStand(exchange)
    stand.hear(
      [...all.slice(0, 100), ...all.slice(150, 250), ...all.slice(first_new + 200)].map(frameOf),
    )
    await stand.committed()
    stand.repair()
    await until('both were tried', async () =>
      (await ledger(stand.pool)).every((row) => row.is_given_up),
    )
    const lost_count = first_new - 250
    expect(await ledger(stand.pool)).toEqual([
      expect.objectContaining({
        repaired_count: 0,
        is_closed: false,
        repair_attempts: 0,
        repair_note:
          '50 of 50 trades are missing. The exchange returns only trades of the last 24 hours.',
      }),
      expect.objectContaining({
        repaired_count: 200,
        is_closed: false,
        repair_attempts: 3,
        repair_note: `${lost_count} of ${lost_count + 200} trades are missing after 3 attempts, given up. The exchange returns only trades of the last 24 hours.`,
      }),
    ])
    expect(stand.asked.filter((path) => path.includes(`fromId=${all[100]!.a}`))).toEqual([])
    expect((await storedTrades(stand.pool)).length).toBe(all.length - 50 - lost_count)
  })

  test('ids that restarted cannot be requested', async () => {
    const { exchange, trades } = await marketWith(10, Date.now() - HOUR_MS)
    const stand = await createStand(exchange)
    const [first, second] = [trades[0]!, trades[1]!]
    stand.hear([frameOf(first), frameOf({ ...second, a: 5, T: first.T + 60_000 })])
    await stand.committed()
    stand.repair()
    await until('it is given up', async () => (await ledger(stand.pool))[0]?.is_given_up === true)
    expect((await ledger(stand.pool))[0]?.repair_note).toContain('ids restarted')
    expect(stand.asked).toEqual([])
  })

  test('trades that the operator left out are never requested', async () => {
    const { exchange, trades } = await marketWith(400, Date.now() - HOUR_MS)
    const stand = await createStand(exchange)
    stand.hear(trades.slice(0, 100).map(frameOf))
    const position = stand.mark({
      kind: 'deaf',
      cause: 'operator',
      streams: [{ symbol: SYMBOL, channel: 'trades' }],
    })
    stand.repair().noteLost([SYMBOL], position)
    await stand.committed()
    // It is chosen again, and quiet for a while.
    stand.mark(started())
    await stand.committed()
    await sleep(400)
    stand.hear(trades.slice(300, 400).map(frameOf))
    await stand.committed()
    await until('it is given up', async () => (await ledger(stand.pool))[0]?.is_given_up === true)
    expect(await ledger(stand.pool)).toMatchObject([{ cause: 'operator', is_closed: false }])
    expect(stand.asked).toEqual([])
    expect((await storedTrades(stand.pool)).length).toBe(200)
  })

  test('the note of a gap in quotes says from the start that it stays open', async () => {
    const { exchange } = await marketWith(10, Date.now() - HOUR_MS)
    const stand = await createStand(exchange)
    const quote = (u: number): object => ({
      e: 'bookTicker',
      u,
      s: SYMBOL,
      b: '1.0',
      B: '1',
      a: '2.0',
      A: '1',
      T: Date.now(),
      E: Date.now(),
    })
    stand.hear([quote(1)])
    stand.mark({
      kind: 'deaf',
      cause: 'silence',
      streams: [{ symbol: SYMBOL, channel: 'book_ticker' }],
    })
    stand.hear([quote(9)])
    await stand.committed()
    const repairer = stand.repair()
    await until('it is counted', () => repairer.counts().gaps_open === 1)
    const { rows } = await stand.pool.query(
      'select repair_note, repair_attempts from marketdata.gaps',
    )
    expect(rows).toEqual([
      { repair_note: 'The exchange keeps no history of quotes.', repair_attempts: 0 },
    ])
    expect(stand.asked).toEqual([])
  })
})
