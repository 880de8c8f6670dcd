/** GET /v1/heatmap against plain SQL and a plain replay, hot, archived, and without Postgres. */
import { beforeAll, expect, test } from 'vitest'
import { runArchive } from '../../jobs/archive/run-archive.ts'
import { dropPartition } from '../../jobs/retention/drop.ts'
import { selectPartitions } from '../../jobs/retention/partitions.ts'
import { createTopnJob } from '../../jobs/topn/run-topn.ts'
import { runRollups } from '../../jobs/rollups/run-rollups.ts'
import { insertTape } from '../jobs/signals/market.ts'
import { readContract, type Contract } from './contract.ts'
import { startClockedEdge } from './clocked-edge.ts'

const { edge, pool, store, clock, reported, ask, work_dir, common } =
  await startClockedEdge('2024-08-09T20:00:00Z')
const signal = new AbortController().signal

interface Answer {
  readonly rows: readonly { readonly ts: string; readonly bid: Cells; readonly ask: Cells }[]
}
type Cells = readonly (readonly [string, string])[]

/** Across an hour, so that one of the files is read from its middle. */
const FROM = '2024-08-09T09:52:00Z'
const SPAN = `from=${FROM}&to=2024-08-09T10:08:00Z`
const STEP_S = { '1s': 1, '10s': 10, '1m': 60 } as const
let contract: Contract

const get = async (query: string): Promise<Answer> => {
  const path = `/v1/heatmap/BTCUSDT?${query}`
  return contract.check<Answer>(path, await ask(path))
}

/** Numbers, whatever the number of decimals. */
const numbers = ({ rows }: Answer): unknown =>
  rows.map(({ ts, bid, ask: asks }) => {
    const of = (cells: Cells): unknown => cells.map((cell) => cell.map(Number))
    return { ts, bid: of(bid), ask: of(asks) }
  })

beforeAll(async () => {
  contract = await readContract(ask)
  await insertTape(pool, 'BTCUSDT', 1, FROM, 16)
  await pool.query('update marketdata.symbols set step_size = 0.001')
  const topn = createTopnJob({ ...common, cadence: { min_us: 100_000, max_us: 1_000_000 } })
  await topn.run(signal)
  // The stream is quiet by then, so its last seconds are read too.
  clock.now_ms += 30_000
  await topn.run(signal)
  await runRollups({ ...common, signal })
})

const SIDE_SQL = (letter: 'a' | 'b'): string => `
  (select coalesce(json_agg(json_build_array(bin::float8, qty::float8) order by bin), '[]') from (
    select floor(l.price::numeric / $2) * $2 as bin, sum(l.qty::numeric) as qty
    from (values ${Array.from({ length: 10 }, (_, i) => {
      return `(last.${letter}${i + 1}_price, last.${letter}${i + 1}_qty)`
    }).join(', ')}) as l (price, qty)
    where l.price is not null group by 1
  ) bins)`

test('the best levels: the last row of each interval, in bins of any width', async () => {
  for (const interval of ['1s', '10s', '1m'] as const) {
    for (const bin of [1, 7, 50]) {
      const { rows } = await pool.query<{ ts: string; bid: unknown; ask: unknown }>(
        `with last as (
           select distinct on (1) date_bin($1 * interval '1 second', ts_exchange, 'epoch') as start, t.*
           from marketdata.orderbook_topn t
           where ts_exchange >= '${FROM}' order by 1, ts_exchange desc
         )
         select to_char(start at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as ts,
           ${SIDE_SQL('b')} as bid, ${SIDE_SQL('a')} as ask
         from last order by start`,
        [STEP_S[interval], bin * 0.01],
      )
      const found = numbers(await get(`${SPAN}&interval=${interval}&bin=${bin}`))
      expect(found).toEqual(rows)
      expect(rows.length).toBeGreaterThan(10)
    }
  }
})

interface DepthRow {
  readonly ts: number
  readonly kind: string
  readonly bids: readonly (readonly [number, number])[]
  readonly asks: readonly (readonly [number, number])[]
}

test('the whole book: a plain replay of the recorded depth', async () => {
  const { rows } = await pool.query<DepthRow>(
    `select extract(epoch from ts_exchange)::float8 as ts, depth_kind as kind, bids, asks
     from marketdata.depth_events order by ts_exchange, final_update_id`,
  )
  const book = { bids: new Map<number, number>(), asks: new Map<number, number>() }
  const from = Date.parse(FROM) / 1_000
  const states = new Map<number, unknown>()
  let next = from + 10
  // Ticks are 0.01 and quantities have three decimals here.
  const cells = (levels: Map<number, number>): unknown => {
    const bins = new Map<number, number>()
    for (const [price, qty] of levels) {
      const bin = Math.floor(Math.round(price * 100) / 4) * 4
      bins.set(bin, (bins.get(bin) ?? 0) + Math.round(qty * 1_000))
    }
    const sorted = [...bins].toSorted(([a], [b]) => a - b)
    return sorted.map(([bin, qty]) => [bin / 100, qty / 1_000])
  }
  for (const { ts, kind, bids, asks } of rows) {
    for (; ts >= next; next += 10) {
      states.set(next - 10, { bid: cells(book.bids), ask: cells(book.asks) })
    }
    for (const [side, levels] of [
      ['bids', bids],
      ['asks', asks],
    ] as const) {
      if (kind === 'snapshot') book[side].clear()
      for (const [price, qty] of levels) {
        if (qty === 0) book[side].delete(price)
        else book[side].set(price, qty)
      }
    }
  }
  const found = await get(`${SPAN}&interval=10s&bin=4&source=book&range=100`)
  const expected = [...states].map(([ts, sides]) => ({
    ts: new Date(ts * 1_000).toISOString().replace('Z', '000Z'),
    ...(sides as object),
  }))
  expect((numbers(found) as readonly unknown[]).slice(0, expected.length)).toEqual(expected)
  expect(expected.length).toBeGreaterThan(80)
  const narrow = await get(`${SPAN}&interval=10s&bin=1&source=book&range=0.02`)
  for (const { bid, ask: asks } of narrow.rows) {
    const mid = (Number(bid.at(-1)![0]) + Number(asks[0]![0])) / 2
    expect(mid - Number(bid[0]![0])).toBeLessThanOrEqual((mid * 0.02) / 100 + 1e-9)
  }
})

test('too much is a named error, and so is an unknown tick size', async () => {
  const long = await ask('/v1/heatmap/BTCUSDT?from=2024-08-01T00:00:00Z&to=2024-08-09T00:00:00Z')
  expect(long.status).toBe(400)
  expect((await long.json()) as object).toMatchObject({ errors: [{ parameter: 'from' }] })
  const book = await ask(
    '/v1/heatmap/BTCUSDT?source=book&interval=10s&from=2024-08-09T08:00:00Z&to=2024-08-09T09:30:00Z',
  )
  expect(book.status).toBe(400)
  await pool.query("insert into marketdata.symbols (exchange, symbol) values ('deribit', 'X')")
  const unknown = await ask('/v1/heatmap/X')
  expect(unknown.status).toBe(404)
  expect((await unknown.json()) as object).toMatchObject({
    type: 'urn:booktape:problem:no_tick_size',
  })
})

test('the answers stay the same in the archive, and without Postgres', async () => {
  const queries = [
    `${SPAN}&interval=1s&bin=3`,
    `${SPAN}&interval=1m`,
    `${SPAN}&interval=10s&source=book&range=100`,
  ]
  const answers = (): Promise<readonly Answer[]> => Promise.all(queries.map(get))
  const before = await answers()
  await runArchive({ ...common, store, work_dir, codec: 'zstd' })
  for (const state of await selectPartitions(pool)) {
    await dropPartition(pool, state).catch(() => undefined)
  }
  expect((await pool.query('select from marketdata.orderbook_topn')).rowCount).toBe(0)
  expect((await pool.query('select from marketdata.depth_events')).rowCount).toBe(0)
  expect(await answers()).toEqual(before)
  await edge.stopGateway()
  // Without Postgres only whole archived hours can be asked for.
  const alone = await get('from=2024-08-09T10:00:00Z&to=2024-08-09T10:08:00Z&interval=1m')
  expect(numbers(alone)).toEqual(
    (numbers(before[1]!) as readonly { readonly ts: string }[]).filter(
      ({ ts }) => ts >= '2024-08-09T10:00',
    ),
  )
})

test('nothing above was a fault of ours', () => expect(reported).toEqual([]))
