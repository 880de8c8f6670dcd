/** The checker: a clean run passes, and every kind of fault is counted, with an example. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { type Client, withClient } from '#core/node/pool.ts'
import {
  corruptPayload,
  withIdsOutOfRange,
  withUnknownFields,
} from '../../infra/exchange/faults/malformed-frames.ts'
import type { Outcome } from '../../infra/exchange/truth-log.ts'
import { createTestDatabase } from '../support/database.ts'
import { check, complaints, type Verdict } from './checker.ts'
import { loadEvidence } from './evidence.ts'

const HOUR_MS = Date.UTC(2026, 2, 1, 12)

interface Sent {
  readonly outcome: Outcome
  readonly payload: string
}

const at = (id: number): string => `to_timestamp(${(HOUR_MS + id) / 1_000})`

const quote = (u: number, outcome: Outcome = 'sent'): Sent => ({
  outcome,
  payload: `{"e":"bookTicker","u":${u},"s":"BTCUSDT","b":"100.10","B":"1.5","a":"100.20","A":"2","T":${HOUR_MS + u},"E":${HOUR_MS + u}}`,
})
const trade = (a: number, outcome: Outcome = 'sent'): Sent => ({
  outcome,
  payload: `{"e":"aggTrade","E":${HOUR_MS + a},"a":${a},"s":"BTCUSDT","p":"100.10","q":"0.5","nq":"0.5","f":${a},"l":${a},"T":${HOUR_MS + a},"m":true}`,
})
const depth = (u: number, outcome: Outcome = 'sent'): Sent => ({
  outcome,
  payload: `{"e":"depthUpdate","E":${HOUR_MS + u},"T":${HOUR_MS + u},"s":"BTCUSDT","U":${u},"u":${u},"pu":${u - 1},"b":[["100.10","1"]],"a":[]}`,
})
const mark = (ms: number, outcome: Outcome = 'sent'): Sent => ({
  outcome,
  payload: `{"e":"markPriceUpdate","E":${HOUR_MS + ms},"s":"BTCUSDT","p":"100.10","ap":"100.10","P":"100.11","i":"100.12","r":"0.0001","T":${HOUR_MS + 3_600_000}}`,
})
const liquidation = (ms: number, outcome: Outcome = 'sent'): Sent => ({
  outcome,
  payload: `{"e":"forceOrder","E":${HOUR_MS + ms + 1},"o":{"s":"BTCUSDT","S":"SELL","q":"1","p":"100.10","ap":"100.00","z":"1","T":${HOUR_MS + ms}}}`,
})

const ROWS: readonly (readonly [table: string, columns: string, values: (id: number) => string])[] =
  [
    [
      'book_ticker',
      'update_id, best_bid, best_ask, bid_qty, ask_qty',
      (id) => `${id}, 100.10, 100.20, 1.5, 2`,
    ],
    [
      'trades',
      'agg_trade_id, price, qty, non_rpi_qty, first_trade_id, last_trade_id, is_buyer_maker',
      (id) => `${id}, 100.10, 0.5, 0.5, ${id}, ${id}, true`,
    ],
    [
      'depth_events',
      'final_update_id, first_update_id, prev_final_update_id, bids, asks, depth_kind',
      (id) => `${id}, ${id}, ${id - 1}, '{{100.10,1}}', '{}', 'diff'`,
    ],
    [
      'mark_price',
      'mark_price, index_price, settle_price, funding_rate, next_funding_at',
      () => `100.10, 100.12, 100.11, 0.0001, ${at(3_600_000)}`,
    ],
    [
      'liquidations',
      'side, price, qty, average_price, filled_qty',
      () => "'sell', 100.10, 1, 100.00, 1",
    ],
  ]

async function store(client: Client, table: string, id: number): Promise<void> {
  const [, columns, values] = ROWS.find(([name]) => name === table)!
  await client.query(`insert into marketdata.${table} (ts_exchange, ts_ingest, symbol_id, ${columns})
    select ${at(id)}, ${at(id)}, id, ${values(id)} from marketdata.symbols`)
}

async function gap(client: Client, channel: string, from: number, to: number): Promise<void> {
  const ids = ['book_ticker', 'trades', 'depth_events'].includes(channel)
    ? `${from}, ${to}`
    : 'null, null'
  await client.query(`insert into marketdata.gaps (symbol_id, channel, from_ts, to_ts, from_id, to_id, cause, detected_at)
    select id, '${channel}', ${at(from)}, ${at(to)}, ${ids}, 'rejected', now() from marketdata.symbols`)
}

/** Judges a truth log, the frames of a tape, and the rows that `fill` inserts. */
async function verdictOf(
  truth: readonly Sent[],
  tape: readonly string[],
  fill: (client: Client) => Promise<void>,
): Promise<Verdict> {
  const { pool } = await createTestDatabase()
  const dir = mkdtempSync(join(tmpdir(), 'booktape-checker-'))
  try {
    const truth_file = join(dir, 'truth.ndjson')
    writeFileSync(
      truth_file,
      truth.map(({ outcome, payload }) => `{"outcome":"${outcome}","data":${payload}}\n`).join(''),
    )
    return await withClient(pool, async (client) => {
      await client.query(
        "insert into marketdata.symbols (exchange, symbol) values ('binance-futures', 'BTCUSDT')",
      )
      for (const [table] of ROWS) {
        await client.query(
          `create table if not exists marketdata.${table}_p partition of marketdata.${table} default`,
        )
      }
      await fill(client)
      await loadEvidence(
        client,
        truth_file,
        tape.map((payload) => Buffer.from(`{"stream":"s","data":${payload}}`)),
      )
      return check(client)
    })
  } finally {
    rmSync(dir, { recursive: true, force: true })
  }
}

const KINDS = [
  ['book_ticker', quote],
  ['trades', trade],
  ['depth_events', depth],
  ['mark_price', mark],
  ['liquidations', liquidation],
] as const

for (const [channel, of] of KINDS) {
  test(`${channel}: a frame that is corrupt in any way counts as not received and needs a gap`, async () => {
    const truth = [of(1), of(2, 'corrupt'), of(3, 'out_of_range'), of(4), of(5)]
    const [first, corrupt, past_range, fourth, last] = truth.map(({ payload }) => payload)
    const tape = [
      first!,
      corruptPayload(corrupt!, 0.4),
      withIdsOutOfRange(past_range!),
      withUnknownFields(fourth!),
      last!,
      last!,
    ]
    const verdict = await verdictOf(truth, tape, async (client) => {
      for (const id of [1, 4, 5]) await store(client, channel, id)
      await gap(client, channel, 1, 4)
      if (channel === 'trades') for (const id of [2, 3]) await store(client, channel, id)
    })
    expect(complaints(verdict), verdict.examples.join('\n')).toEqual([])
    expect(verdict).toMatchObject({ sent: 3, undelivered: 2, received: 3 })
  })
}

test("a trade withheld before its stream's first frame can be neither noticed nor refilled", async () => {
  const truth = [trade(1, 'drop'), trade(2), trade(3, 'drop'), trade(4)]
  const tape = [truth[1]!, truth[3]!].map(({ payload }) => payload)
  const verdict = await verdictOf(truth, tape, async (client) => {
    for (const id of [2, 4]) await store(client, 'trades', id)
    await gap(client, 'trades', 2, 4)
  })
  expect(verdict).toMatchObject({ unknowable: 1, unledgered: 0, unrefilled: 1 })
  expect(verdict.examples.join('\n')).toContain('unrefilled: BTCUSDT trades 3 of')
})

test('every kind of fault is counted separately and shown with its stream, id, time, outcome and gap', async () => {
  const truth = [1, 2, 3, 4, 5].map((id) => quote(id))
  const trades = [trade(1), trade(2), trade(3, 'drop'), trade(4)]
  const marks = [mark(1), mark(2, 'out_of_range'), mark(3)]
  const tape = [truth[0]!, truth[1]!, truth[4]!, marks[0]!, marks[2]!].map(({ payload }) => payload)
  const verdict = await verdictOf(
    [...truth, quote(6, 'no_socket'), quote(7, 'no_socket'), ...trades, ...marks],
    [
      ...tape,
      withIdsOutOfRange(marks[1]!.payload),
      quote(9).payload,
      trade(2).payload,
      trade(4).payload.replace('"0.5"', '"0.6"'),
    ],
    async (client) => {
      // 2 is received but lost, 3 is lost, 4 is altered and also has no frame on the tape.
      for (const id of [1, 4, 5, 8]) await store(client, 'book_ticker', id)
      await client.query('update marketdata.book_ticker set best_bid = 1 where update_id = 4')
      await client.query(`insert into marketdata.book_ticker (ts_exchange, ts_ingest, symbol_id, update_id, best_bid, bid_qty, best_ask, ask_qty)
        select ${at(50)}, ${at(50)}, id, 5, 100.10, 1.5, 100.20, 2 from marketdata.symbols`)
      await gap(client, 'book_ticker', 6, 8)
      await store(client, 'trades', 1)
      await store(client, 'trades', 2)
      await gap(client, 'trades', 2, 4)
      await client.query('update marketdata.gaps set repaired_at = now()')
      for (const ms of [1, 2, 3]) await store(client, 'mark_price', ms)
    },
  )
  expect(verdict).toMatchObject({
    lost: 3,
    unledgered: 1,
    received_lost: 1,
    mangled: 2,
    duplicated: 1,
    altered: 2,
    invented: 1,
    unreceived: 3,
    unrefilled: 2,
    falsely_repaired: 1,
  })
  const text = verdict.examples.join('\n')
  for (const example of [
    'lost: BTCUSDT book_ticker 3 of 2026-03-01 12:00:00.003, outcome sent, in no gap',
    'unledgered: BTCUSDT book_ticker 6 of 2026-03-01 12:00:00.006, outcome no_socket, in no gap',
    'received_lost: BTCUSDT book_ticker 2 of',
    'mangled: BTCUSDT book_ticker 9 of an unknown time, never sent, in no gap',
    'duplicated: BTCUSDT book_ticker 5 of',
    'altered: BTCUSDT book_ticker 4 of',
    'invented: BTCUSDT book_ticker 8 of an unknown time, never sent',
    'unrefilled: BTCUSDT trades 4 of',
  ])
    expect(text).toContain(example)
  expect(text).toMatch(
    /unreceived: BTCUSDT mark_price \d+ of 2026-03-01 12:00:00.002, outcome out_of_range/,
  )
  expect(text).toMatch(
    /falsely_repaired: BTCUSDT trades 3 of .*, outcome drop, in gap \d+ \(rejected, from .*, closed\)/,
  )
})
