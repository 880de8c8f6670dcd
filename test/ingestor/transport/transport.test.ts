/** Sockets that behave, and sockets that misbehave in every way. */
import { expect, test } from 'vitest'
import { createRig, heardCounters, QUOTES, RAW, sleep, talk, until } from './harness.ts'

const QUOTE_STREAMS = ['btcusdt@bookTicker', 'ethusdt@bookTicker']

test('start waits for every acknowledgement; frames arrive stamped and named', async () => {
  const rig = await createRig({ choice: { ...RAW, trade_stream: 'aggTrade' } })
  rig.exchange.behaviour.acknowledges = false
  let is_started = false
  const started = rig.transport.start().then(() => (is_started = true))
  await sleep(100)
  expect(is_started).toBe(false)
  expect(rig.transport.status().state).toBe('connecting')
  rig.exchange.behaviour.acknowledges = true // the sockets time out, the next ones are answered
  await started
  expect(rig.transport.status().state).toBe('live')
  expect(
    rig.exchange
      .clients()
      .map((client) => client.path)
      .toSorted(),
  ).toEqual(['/market/stream', '/public/stream'])
  const before_us = Date.now() * 1_000
  rig.exchange.publish('btcusdt@aggTrade', { p: '1' })
  await until('the frame', () => rig.frames.length === 1)
  const [frame] = rig.frames
  expect(frame).toMatchObject({
    stream: 'btcusdt@aggTrade',
    text: '{"stream":"btcusdt@aggTrade","data":{"p":"1"}}',
  })
  // The receive clock follows the system's to within a fraction of a second.
  expect(frame!.ts_ingest).toBeGreaterThan(before_us - 200_000)
  expect(frame!.ts_ingest).toBeLessThan(Date.now() * 1_000 + 200_000)
  expect(rig.controls.length).toBeGreaterThanOrEqual(2) // acknowledgements are frames too
  expect(rig.losses).toEqual([])
})

test('streams are spread over sockets, requested in batches, and none is forgotten', async () => {
  const symbols = Array.from({ length: 25 }, (_, index) => `COIN${index}USDT`)
  const rig = await createRig({
    symbols,
    limits: { streams_per_socket_max: 10, streams_per_subscribe_max: 4 },
  })
  await rig.transport.start()
  const sizes = rig.exchange.clients().map((client) => client.streams.size)
  expect(sizes.toSorted()).toEqual([8, 8, 9])
  const asked = rig.exchange.requests.flatMap((request) => request.params)
  const wanted = symbols.map((name) => `${name.toLowerCase()}@bookTicker`)
  expect(asked.toSorted()).toEqual(wanted.toSorted())
  // Neighbours in the exchange's listing, its busiest symbols, do not share a socket.
  const homeOf = (symbol: string): number =>
    rig.exchange.clients().findIndex((client) => client.streams.has(`${symbol}@bookTicker`))
  expect(new Set(['coin0usdt', 'coin1usdt', 'coin2usdt'].map(homeOf)).size).toBe(3)
  for (const client of rig.exchange.clients()) {
    const requests = rig.exchange.requests.filter((request) => request.socket === client.number)
    const batch_sizes = requests.map((request) => request.params.length)
    expect(batch_sizes).toEqual(client.streams.size === 9 ? [4, 4, 1] : [4, 4])
  }
})

test('a cut socket: its streams are lost once, the others never, and it comes back', async () => {
  const rig = await createRig({ limits: { streams_per_socket_max: 1 } })
  await rig.transport.start()
  const talker = talk(rig.exchange, QUOTE_STREAMS)
  await until('both deliver', () => new Set(rig.frames.map((frame) => frame.stream)).size === 2)
  const victim = rig.exchange.clients().find((client) => client.streams.has('btcusdt@bookTicker'))!
  victim.wire.destroy()
  await until('the mark', () => rig.losses.length > 0)
  expect(rig.states_when_lost).toEqual(['degraded'])
  const connections = (): Set<number> =>
    new Set(
      rig.frames.filter((one) => one.stream === QUOTE_STREAMS[0]).map((one) => one.connection),
    )
  await until('the stream again, over another socket', () => connections().size === 2)
  const sent_count = talker.stop()
  await until('the end of the other stream', () =>
    heardCounters(rig, 'ethusdt@bookTicker').includes(sent_count),
  )
  expect(rig.losses).toEqual([{ cause: 'disconnect', streams: ['btcusdt@bookTicker'] }])
  expect(heardCounters(rig, 'ethusdt@bookTicker')).toEqual(
    Array.from({ length: sent_count }, (_, index) => index + 1),
  )
})

test('a socket cut before it was acknowledged covered nothing: no mark', async () => {
  const rig = await createRig()
  rig.exchange.behaviour.acknowledges = false
  const started = rig.transport.start()
  await until('the request', () => rig.exchange.requests.length > 0)
  rig.exchange.clients()[0]!.wire.destroy()
  await until('the second handshake', () => rig.exchange.handshakes.length > 1)
  rig.exchange.behaviour.acknowledges = true
  await started
  expect(rig.losses).toEqual([])
})

test('an open but dead socket is found by its missing pong', async () => {
  const rig = await createRig()
  await rig.transport.start()
  rig.exchange.behaviour.answers_pings = false
  await until('the mark', () => rig.losses.length > 0)
  rig.exchange.behaviour.answers_pings = true
  expect(rig.losses).toEqual([{ cause: 'disconnect', streams: QUOTE_STREAMS }])
  await until('live again', () => rig.transport.status().state === 'live')
})

test('a quiet socket that answers pings is left alone', async () => {
  const rig = await createRig()
  await rig.transport.start()
  await sleep(1_000)
  expect(rig.exchange.handshakes.length).toBe(1)
  expect(rig.losses).toEqual([])
})

test('a refused handshake: Retry-After is obeyed before the next attempt', async () => {
  const rig = await createRig()
  rig.exchange.behaviour.refuse = { status: 429, retry_after_s: 1 }
  const started = rig.transport.start()
  await until('the first handshake', () => rig.exchange.handshakes.length === 1)
  rig.exchange.behaviour.refuse = undefined
  await started
  const [first, second] = rig.exchange.handshakes
  expect(second! - first!).toBeGreaterThan(990)
})

test('attempts stay within the exchange budget however often it refuses', async () => {
  const rig = await createRig({ limits: { connect_attempts_per_5_min_max: 3 } })
  rig.exchange.behaviour.refuse = { status: 503 }
  void rig.transport.start()
  await sleep(700)
  expect(rig.exchange.handshakes.length).toBe(3)
})

test('an exchange that acknowledges nothing is tried again with a new socket', async () => {
  const rig = await createRig()
  rig.exchange.behaviour.acknowledges = false
  void rig.transport.start()
  await until('the third socket', () => rig.exchange.handshakes.length >= 3)
  await until('one socket at a time', () => rig.exchange.clients().length <= 1)
  expect(rig.transport.status().streams.every((stream) => !stream.is_covered)).toBe(true)
})

test('a rare stream is covered as soon as it is acknowledged, also after a cut', async () => {
  const choice = { channels: ['liquidations'], trade_stream: 'aggTrade' } as const
  const rig = await createRig({ symbols: ['BTCUSDT'], choice })
  await rig.transport.start()
  expect(rig.heard_again).toEqual(['btcusdt@forceOrder'])
  rig.exchange.clients()[0]!.wire.destroy()
  await until('it is subscribed again', () => rig.heard_again.length === 2)
  expect(rig.losses).toEqual([{ cause: 'disconnect', streams: ['btcusdt@forceOrder'] }])
})

test('a stream that the exchange refuses does not affect the others', async () => {
  const symbols = ['A', 'B', 'BAD', 'C', 'D']
  const rig = await createRig({ symbols })
  rig.exchange.behaviour.refused_stream = 'bad@bookTicker'
  await rig.transport.start()
  expect([...rig.exchange.clients()[0]!.streams].toSorted()).toEqual([
    'a@bookTicker',
    'b@bookTicker',
    'c@bookTicker',
    'd@bookTicker',
  ])
  const { state, streams } = rig.transport.status()
  expect(state).toBe('live')
  expect(streams.filter((stream) => stream.refusal !== null)).toEqual([
    expect.objectContaining({ symbol: 'BAD', is_covered: false, refusal: '2: invalid stream' }),
  ])
  expect(rig.losses).toEqual([{ cause: 'refused', streams: ['bad@bookTicker'] }])
})

test('a refused stream is requested again, ever less often, until the exchange accepts it', async () => {
  const settings = { refused_ms_min: 40, refused_ms_max: 160 }
  const rig = await createRig({ symbols: ['GOOD', 'BAD'], settings })
  const { exchange, transport } = rig
  exchange.behaviour.refused_stream = 'bad@bookTicker'
  await transport.start()
  const repeats = () => exchange.requests.filter(({ params }) => params.join() === 'bad@bookTicker')
  await until('five repeats', () => repeats().length >= 6)
  expect(rig.losses).toEqual([{ cause: 'refused', streams: ['bad@bookTicker'] }])
  // One that is no longer wanted is not requested any more.
  transport.setStreams(['GOOD'], QUOTES)
  transport.setStreams(['GOOD', 'BAD'], QUOTES)
  await until('refused anew', () =>
    transport.status().streams.some(({ refusal }) => refusal !== null),
  )
  exchange.behaviour.refused_stream = undefined
  await until('accepted', () => transport.status().streams.every(({ refusal }) => refusal === null))
  const asked_count = repeats().length
  exchange.publish('bad@bookTicker')
  await until('it delivers', () => rig.frames.some(({ stream }) => stream === 'bad@bookTicker'))
  expect(transport.status().streams.every(({ is_covered }) => is_covered)).toBe(true)
  await sleep(400)
  expect(repeats()).toHaveLength(asked_count)
  expect(exchange.handshakes).toHaveLength(1)
  expect(rig.losses).toHaveLength(2)
})

test('noise is passed on and does no harm; a frame past the limit ends the socket', async () => {
  const rig = await createRig({ limits: { frame_bytes_max: 10_000 } })
  await rig.transport.start()
  const { socket } = rig.exchange.clients()[0]!
  const broken_utf8 = Buffer.from([0xff, 0xfe])
  const noise = [broken_utf8, ...['{"stream":"', '[]', ''].map((text) => Buffer.from(text))]
  const control_count = rig.controls.length
  for (const bytes of noise) socket.send(bytes, { binary: false })
  rig.exchange.publish('btcusdt@bookTicker')
  await until('the frame after the noise', () => rig.frames.length === 1)
  expect(rig.controls.length).toBe(control_count + noise.length)
  expect(rig.exchange.handshakes.length).toBe(1)
  socket.send('x'.repeat(10_001))
  await until('the mark', () => rig.losses.length === 1)
  await until('live again', () => rig.transport.status().state === 'live')
})

test('symbols are added and removed on open sockets; a new socket is opened only when they are full', async () => {
  const rig = await createRig({ symbols: ['A', 'B', 'C'], limits: { streams_per_socket_max: 4 } })
  await rig.transport.start()
  const { requests } = rig.exchange
  rig.transport.setStreams(['A', 'B', 'D'], QUOTES)
  const isAsked = (name: string): boolean => requests.some((one) => one.params.includes(name))
  await until('the addition', () => isAsked('d@bookTicker'))
  await until('live', () => rig.transport.status().state === 'live')
  expect(requests.slice(1).map(({ method, params }) => [method, params])).toEqual([
    ['UNSUBSCRIBE', ['c@bookTicker']],
    ['SUBSCRIBE', ['d@bookTicker']],
  ])
  expect(rig.exchange.handshakes.length).toBe(1)
  rig.transport.setStreams(['A', 'B', 'D', 'E', 'F', 'G'], QUOTES)
  await until('the second socket', () => rig.exchange.clients().length === 2)
  await until('live with six', () => rig.transport.status().state === 'live')
  expect(rig.exchange.clients().map((client) => client.streams.size)).toEqual([3, 3])
  rig.transport.setStreams(['A'], QUOTES)
  await until('one socket again', () => rig.exchange.clients().length === 1)
  expect(rig.transport.status().streams.map((stream) => stream.symbol)).toEqual(['A'])
  expect(rig.losses).toEqual([])
})

test('paused: sockets are closed and the streams lost; resumed: they are covered again', async () => {
  const rig = await createRig({ choice: RAW })
  await rig.transport.start()
  rig.transport.pause('tape_full')
  expect(rig.losses).toEqual([
    {
      cause: 'tape_full',
      streams: ['btcusdt@bookTicker', 'ethusdt@bookTicker', 'btcusdt@trade', 'ethusdt@trade'],
    },
  ])
  await until('no socket', () => rig.exchange.clients().length === 0)
  await sleep(100)
  expect(rig.exchange.handshakes.length).toBe(1)
  rig.transport.resume()
  await until('live', () => rig.transport.status().state === 'live')
  rig.exchange.publish('btcusdt@trade')
  await until('the frame', () => rig.frames.length === 1)
  expect(rig.losses.length).toBe(1)
})

test('paused from within the frame callback, as by a full tape: no frame follows', async () => {
  const rig = await createRig({ onFrame: (transport) => transport.pause('tape_full') })
  await rig.transport.start()
  const talker = talk(rig.exchange, QUOTE_STREAMS, 1)
  await until('the mark', () => rig.losses.length > 0)
  await sleep(50)
  talker.stop()
  expect(rig.frames.length).toBe(1)
  expect(rig.losses).toEqual([{ cause: 'tape_full', streams: QUOTE_STREAMS }])
  expect(rig.transport.status().streams.map((stream) => stream.is_covered)).toEqual([false, false])
})

test('stopped: no socket is left, no callback follows, and a pending start rejects', async () => {
  const rig = await createRig()
  rig.exchange.behaviour.acknowledges = false
  const started = rig.transport.start()
  await until('a socket', () => rig.exchange.clients().length === 1)
  await rig.transport.stop()
  await expect(started).rejects.toMatchObject({ code: 'transport_stopped' })
  await until('no socket', () => rig.exchange.clients().length === 0)
  const handshake_count = rig.exchange.handshakes.length
  await sleep(200)
  expect(rig.exchange.handshakes.length).toBe(handshake_count)
  expect(rig.losses).toEqual([])
})
