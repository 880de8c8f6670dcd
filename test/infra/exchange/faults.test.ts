import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { FaultRequestInput } from '../../../infra/exchange/faults/spec.ts'
import { RANGES_MAX, StreamAccount, type StreamLedger } from '../../../infra/exchange/ledger.ts'
import { startExchange, type ExchangeServer } from '../../../infra/exchange/server.ts'
import { connect, countOf, getJson, payloadsOf, until, type TestClient } from './client.ts'

const QUOTES = 'btcusdt@bookTicker'
const TRADES = 'btcusdt@trade'

let server: ExchangeServer
let client: TestClient
beforeEach(async () => {
  const source = { kind: 'sim', seed: 2, symbols: ['BTCUSDT'], events_per_s: 2_000 } as const
  server = await startExchange({ port: 0, source })
  client = await connect(`${server.ws_url}/public/stream?streams=${QUOTES}/${TRADES}`)
  await until(() => countOf(client, QUOTES) > 20)
})
afterEach(() => server.stop())

async function post(request: unknown): Promise<Response> {
  return fetch(`${server.url}/_exchange/faults`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(request),
  })
}

const account = (stream: string): StreamLedger =>
  server.ledger().streams.find((candidate) => candidate.stream === stream)!

/** Ends the faults and waits until everything sent has arrived. */
async function settle(): Promise<void> {
  server.setFaults({ faults: [] })
  await client.ask({ method: 'UNSUBSCRIBE', params: [QUOTES, TRADES], id: 99 })
}

const idsOf = (frames: readonly string[]): number[] =>
  frames.flatMap((frame) =>
    frame.includes('"e":"bookTicker"') ? [Number(/"u":(\d+)/.exec(frame)![1])] : [],
  )

describe('withheld frames', () => {
  test('random drops: client and ledger together have every frame once', async () => {
    // At most as many ranges as the ledger keeps separate, however slow the test is.
    const drop = { kind: 'drop', streams: '*@bookTicker', probability: 0.2, count_max: 120 }
    expect((await post({ faults: [drop] })).status).toBe(200)
    await until(() => server.status().faults.length === 0)
    const trades = account(TRADES)
    await settle()
    const { sent_count, undelivered, undelivered_count } = account(QUOTES)
    const ids = new Set(idsOf(client.frames))
    expect(ids.size).toBe(sent_count)
    expect(undelivered_count).toBe(120)
    expect(undelivered.reduce((sum, { count }) => sum + count, 0)).toBe(undelivered_count)
    expect(new Set(undelivered.map(({ cause }) => cause))).toEqual(new Set(['drop']))
    const both = [...ids].filter((id) =>
      undelivered.some(({ from_id, to_id }) => id >= from_id && id <= to_id),
    )
    expect(both).toEqual([])
    expect(trades.undelivered_count).toBe(0)
    // Nothing could be dropped before the first or after the last one.
    const [first_id, last_id] = [undelivered[0]!.from_id, undelivered.at(-1)!.to_id]
    const spared_count = [...ids].filter((id) => id > first_id && id < last_id).length
    const share = undelivered_count / (undelivered_count + spared_count)
    expect(share).toBeGreaterThan(0.1)
    expect(share).toBeLessThan(0.3)
  })

  test('a silence hits one stream for a time, while the socket and the other stream continue', async () => {
    server.setFaults({ faults: [{ kind: 'silence', streams: QUOTES, for_ms: 400 }] })
    expect(server.status().faults).toMatchObject([{ kind: 'silence' }])
    const before = account(TRADES).sent_count
    await until(() => account(QUOTES).undelivered_count > 10)
    await until(() => account(TRADES).sent_count > before + 10)
    const silent_since = account(QUOTES).sent_count
    await until(() => account(QUOTES).sent_count > silent_since + 10)
    expect(account(QUOTES).undelivered).toMatchObject([{ cause: 'silence', merged: false }])
    expect(server.status().faults).toEqual([])
  })

  test('a fault with count_max ends after that many strikes', async () => {
    server.setFaults({ faults: [{ kind: 'drop', streams: QUOTES, count_max: 3 }] })
    await until(() => account(QUOTES).undelivered_count === 3)
    const { sent_count } = account(QUOTES)
    await until(() => account(QUOTES).sent_count > sent_count + 50)
    expect(account(QUOTES).undelivered_count).toBe(3)
    expect(server.status().faults).toEqual([])
  })
})

describe('frames that arrive in another way', () => {
  test('delayed: late, but complete and in order', async () => {
    server.setFaults({ faults: [{ kind: 'delay', delay_ms: 150, streams: QUOTES, count_max: 2 }] })
    await until(() => server.status().faults.length === 0)
    // Quotes queue behind the second delayed one until it is due.
    const { sent_count } = account(QUOTES)
    await until(() => account(QUOTES).sent_count > sent_count + 50)
    await settle()
    const ids = idsOf(client.frames)
    expect(ids).toHaveLength(account(QUOTES).sent_count)
    expect(ids).toEqual(ids.toSorted((a, b) => a - b))
    expect(account(QUOTES).undelivered_count).toBe(0)
    // A trade arrived before an older quote.
    const times = client.frames.flatMap((frame) => Number(/"T":(\d+)/.exec(frame)?.[1] ?? []))
    expect(times).not.toEqual(times.toSorted((a, b) => a - b))
  })

  test('duplicated: twice on the wire, counted once', async () => {
    server.setFaults({ faults: [{ kind: 'duplicate', streams: QUOTES, count_max: 25 }] })
    await until(() => server.status().faults.length === 0)
    await settle()
    const ids = idsOf(client.frames)
    const { sent_count, copy_count } = account(QUOTES)
    expect(new Set(ids).size).toBe(sent_count)
    expect([ids.length, copy_count]).toEqual([sent_count + 25, sent_count + 25])
  })

  test('with unknown fields: still counted as sent', async () => {
    server.setFaults({ faults: [{ kind: 'unknown_fields', streams: QUOTES, count_max: 5 }] })
    await until(() => payloadsOf(client, QUOTES).filter((payload) => 'zz' in payload).length === 5)
    expect(account(QUOTES).undelivered_count).toBe(0)
  })
})

describe('malformed frames', () => {
  test('corrupt: not JSON, and not counted as sent', async () => {
    server.setFaults({ faults: [{ kind: 'corrupt', streams: QUOTES, count_max: 10 }] })
    await until(() => account(QUOTES).undelivered_count === 10)
    await settle()
    const broken = client.frames.filter((frame) => !isJson(frame))
    expect(broken).toHaveLength(10)
    expect(account(QUOTES).undelivered).toMatchObject([{ cause: 'corrupt', count: 10 }])
  })

  test('out of range: JSON, with ids and prices that exceed a double', async () => {
    server.setFaults({ faults: [{ kind: 'out_of_range', streams: '*', count_max: 10 }] })
    await until(() => account(QUOTES).undelivered_count + account(TRADES).undelivered_count === 10)
    await settle()
    const wild = client.frames.filter((frame) => frame.includes('18446744073709551615'))
    expect(wild).toHaveLength(10)
    for (const frame of wild) {
      const { data } = JSON.parse(frame) as { data: Record<string, unknown> }
      expect(Number(data['b'] ?? data['p'])).toBe(Number.POSITIVE_INFINITY)
    }
  })

  test('cut in the middle: the connection ends, and every earlier frame arrived', async () => {
    server.setFaults({ faults: [{ kind: 'cut', streams: QUOTES, count_max: 1 }] })
    expect(await client.closed).toBe(1006)
    const [range] = account(QUOTES).undelivered
    expect(range).toMatchObject({ cause: 'cut', count: 1 })
    const ids = idsOf(client.frames)
    expect(ids).toHaveLength(account(QUOTES).sent_count)
    expect(ids.at(-1)).toBeLessThan(range!.from_id)
  })
})

describe('extra frames', () => {
  for (const [fault, pattern, length_max] of [
    [{ kind: 'unknown_type' }, /"e":"somethingNew"/, 200],
    [{ kind: 'huge', size_bytes: 3_000_000 }, /"e":"somethingHuge"/, 3_000_000],
  ] as const) {
    test(`${fault.kind}: sent in addition to the correct frames, which all arrive`, async () => {
      server.setFaults({ faults: [{ ...fault, streams: QUOTES, count_max: 2 }] })
      await until(() => client.frames.filter((frame) => pattern.test(frame)).length === 2)
      await settle()
      const strangers = client.frames.filter((frame) => pattern.test(frame))
      const longest = Math.max(...strangers.map(({ length }) => length))
      expect(longest).toBeGreaterThan(length_max / 4)
      expect(longest).toBeLessThanOrEqual(length_max)
      expect(idsOf(client.frames)).toHaveLength(account(QUOTES).sent_count)
      expect(account(QUOTES).undelivered_count).toBe(0)
    })
  }

  test('bad_utf8: a validating client closes the connection with 1007', async () => {
    server.setFaults({ faults: [{ kind: 'bad_utf8', streams: QUOTES, count_max: 1 }] })
    let message = ''
    client.socket.on('error', (error) => (message = error.message))
    await client.closed
    expect(message).toMatch(/UTF-8/)
  })
})

describe('connections', () => {
  test('refused while the fault lasts, then accepted', async () => {
    server.setFaults({ faults: [{ kind: 'refuse', for_ms: 2_000 }] })
    await expect(connect(`${server.ws_url}/public/stream`)).rejects.toThrow(/hang up|ECONNRESET/)
    await until(() => server.status().faults.length === 0)
    await (await connect(`${server.ws_url}/public/stream`)).close()
  })

  test('a refused stream gets an error, and its command subscribes nothing', async () => {
    const subscribe = async (id: number, ...params: readonly string[]): Promise<unknown> =>
      client.ask({ method: 'SUBSCRIBE', params, id })
    const [depth, mark] = ['btcusdt@depth@100ms', 'btcusdt@markPrice@1s']
    server.setFaults({ faults: [{ kind: 'refuse_streams', streams: '*@depth*' }] })
    expect(await subscribe(1, mark, depth)).toEqual({
      error: { code: 2, msg: `Invalid request: no stream ${depth}` },
      id: 1,
    })
    expect(await client.ask({ method: 'LIST_SUBSCRIPTIONS', id: 2 })).toEqual({
      result: [QUOTES, TRADES],
      id: 2,
    })
    server.setFaults({ faults: [] })
    expect(await subscribe(3, depth)).toEqual({ result: null, id: 3 })
    await until(() => countOf(client, depth) > 0)
  })

  test('handshakes and REST get 429 and Retry-After, independently', async () => {
    server.setFaults({
      faults: [{ kind: 'http_status', target: 'handshake', status: 429, retry_after_s: 7 }],
    })
    await expect(connect(`${server.ws_url}/public/stream`)).rejects.toThrow('429')
    expect((await getJson(`${server.url}/fapi/v1/time`)).status).toBe(200)
    server.setFaults({
      faults: [{ kind: 'http_status', target: 'rest', status: 418, retry_after_s: 9 }],
    })
    const { status, headers } = await getJson(`${server.url}/fapi/v1/time`)
    expect([status, headers.get('retry-after')]).toEqual([418, '9'])
    await (await connect(`${server.ws_url}/public/stream`)).close()
  })

  test('refusals of one path strike as often as set, and only there', async () => {
    server.setFaults({
      faults: [{ kind: 'http_status', target: 'rest', status: 429, path: '*/depth', count_max: 2 }],
    })
    const statusOf = async (path: string) => (await getJson(`${server.url}${path}`)).status
    const depth = '/fapi/v1/depth?symbol=BTCUSDT&limit=5'
    const statuses: number[] = []
    for (const path of ['/fapi/v1/time', depth, '/fapi/v1/time', depth, depth])
      statuses.push(await statusOf(path))
    expect(statuses).toEqual([200, 429, 200, 429, 200])
    expect(server.status().faults).toEqual([])
  })

  test('closed a set time after they were opened', async () => {
    server.setFaults({ faults: [{ kind: 'close_after', after_ms: 100 }] })
    const short = await connect(`${server.ws_url}/public/stream`)
    expect(await short.closed).toBe(1001)
    expect(client.socket.readyState).toBe(client.socket.OPEN)
  })

  test('all closed at once; later frames are undelivered until a client returns', async () => {
    await post({ actions: [{ kind: 'close_all' }] })
    expect(await client.closed).toBe(1006)
    await until(() => account(QUOTES).undelivered_count > 20)
    expect(account(QUOTES).undelivered).toMatchObject([{ cause: 'no_socket' }])
  })

  test('a shutdown is announced beforehand', async () => {
    server.setFaults({ actions: [{ kind: 'server_shutdown', close_after_ms: 100 }] })
    await until(() => countOf(client, '!serverShutdown') === 1)
    const count = client.frames.length
    await client.closed
    expect(client.frames.length).toBeGreaterThan(count)
  })
})

describe('requests for faults are checked', () => {
  for (const [name, request] of [
    ['unknown kind', { faults: [{ kind: 'meteor' }] }],
    ['unknown field', { faults: [{ kind: 'drop', chance: 1 }] }],
    ['probability past 1', { faults: [{ kind: 'drop', probability: 2 }] }],
    ['delay without its time', { faults: [{ kind: 'delay' }] }],
    ['a status of success', { faults: [{ kind: 'http_status', target: 'rest', status: 200 }] }],
    ['a list', []],
  ] as const) {
    test(`${name} is refused`, async () => {
      const response = await post(request)
      expect(response.status).toBe(400)
      expect(await response.json()).toMatchObject({ code: 'bad_faults' })
      // Not a request by its type, as the caller of another language would send it.
      expect(() => server.setFaults(request as unknown as FaultRequestInput)).toThrow(/✖/)
    })
  }

  test('a body that has another type, is not JSON, or is too long', async () => {
    const url = `${server.url}/_exchange/faults`
    expect((await fetch(url, { method: 'POST', body: '{}' })).status).toBe(400)
    const headers = { 'content-type': 'application/json' }
    expect((await fetch(url, { method: 'POST', headers, body: '{' })).status).toBe(400)
    expect(
      (await fetch(url, { method: 'POST', headers, body: `"${'x'.repeat(300_000)}"` })).status,
    ).toBe(400)
    expect((await fetch(`${server.url}/_exchange/nothing`)).status).toBe(404)
  })
})

test("a stream's ledger stays bounded: old ranges are merged and still counted", () => {
  const stream = new StreamAccount('x@trade')
  for (let id = 0; id < 10_000; id += 1) {
    if (id % 2 === 0) stream.sent(id, 1)
    else stream.undelivered(id, id, 'drop')
  }
  const { undelivered, undelivered_count, sent_count } = stream.report()
  expect([sent_count, undelivered_count, undelivered.length]).toEqual([5_000, 5_000, RANGES_MAX])
  expect(undelivered[0]).toMatchObject({ from_id: 1, count: 5_000 - RANGES_MAX + 1, merged: true })
  expect(undelivered.at(-1)).toMatchObject({ from_id: 9_999, to_id: 9_999, merged: false })
})

function isJson(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}
