/** Opening a new socket before closing the old one: renewal, announced shutdown, silence. */
import { expect, test } from 'vitest'
import { createRig, heardCounters, QUOTES, RAW, sleep, talk, until, type Rig } from './harness.ts'

const STREAMS = ['btcusdt@bookTicker', 'ethusdt@bookTicker']

/** Waits for the last counter of a stream, then requires every earlier one too. */
async function expectNothingMissed(rig: Rig, stream: string, sent_count: number): Promise<void> {
  await until('the last frame', () => heardCounters(rig, stream).includes(sent_count))
  expect(heardCounters(rig, stream).toSorted((a, b) => a - b)).toEqual(
    Array.from({ length: sent_count }, (_, index) => index + 1),
  )
}

test('renewal: the new socket is ready before the old one closes, and no frame is missed', async () => {
  const rig = await createRig({ limits: { socket_life_s: 1 } })
  await rig.transport.start()
  const talker = talk(rig.exchange, STREAMS, 1)
  await until('three renewals', () => rig.exchange.handshakes.length >= 4)
  await until('one socket left', () => rig.exchange.clients().length === 1)
  const sent_count = talker.stop()
  for (const stream of STREAMS) await expectNothingMissed(rig, stream, sent_count)
  expect(rig.losses).toEqual([])
})

test("renewal of a lagging socket: it is kept until it reaches the new one's first events", async () => {
  const rig = await createRig({ limits: { socket_life_s: 1 } })
  await rig.transport.start()
  rig.exchange.behaviour.lag = { sockets: [1], delay_ms: 250 }
  const talker = talk(rig.exchange, STREAMS, 2)
  await until('the second socket alone', () => {
    const clients = rig.exchange.clients()
    return clients.length === 1 && clients[0]!.number === 2
  })
  const sent_count = talker.stop()
  await expectNothingMissed(rig, STREAMS[1]!, sent_count)
  expect(rig.losses).toEqual([])
})

test('renewal of a socket with a quiet tail symbol does not wait for it', async () => {
  const rig = await createRig({ limits: { socket_life_s: 1 } })
  await rig.transport.start()
  const talker = talk(rig.exchange, [STREAMS[0]!], 5)
  await until('the renewal', () => rig.exchange.handshakes.length === 2)
  await until('the old socket is closed', () => rig.exchange.clients().length === 1)
  talker.stop()
  // If the renewal had waited in vain, a third socket would have replaced the second.
  expect(rig.exchange.handshakes.length).toBe(2)
  expect(rig.losses).toEqual([])
})

test('renewal to a socket that only acknowledges: the old one is kept', async () => {
  const rig = await createRig({
    limits: { socket_life_s: 1 },
    // The third socket opens 300 ms after the second was dropped, not at a random time.
    settings: { backoff_base_ms: 300, backoff_cap_ms: 300 },
    random: () => 1,
  })
  await rig.transport.start()
  rig.exchange.behaviour.mute = { sockets: [2], streams: /^ethusdt/ }
  const talker = talk(rig.exchange, STREAMS)
  const [first] = rig.exchange.clients()
  await until('the second socket', () => rig.exchange.clients().length === 2)
  const [, second] = rig.exchange.clients()
  await until('the second socket is dropped', () => !rig.exchange.clients().includes(second!))
  expect(rig.exchange.clients()).toContain(first)
  await until('a third takes over', () => {
    const clients = rig.exchange.clients()
    return clients.length === 1 && clients[0] !== first
  })
  const sent_count = talker.stop()
  await expectNothingMissed(rig, STREAMS[1]!, sent_count)
  expect(rig.losses).toEqual([])
})

test('after an announced shutdown a new socket takes over, and nothing is missed', async () => {
  const rig = await createRig()
  await rig.transport.start()
  const talker = talk(rig.exchange, STREAMS)
  await sleep(100)
  const [old] = rig.exchange.clients()
  old!.socket.send(JSON.stringify({ e: 'serverShutdown', E: Date.now() }))
  await until('the successor', () => rig.exchange.clients().length === 2)
  await until('the old socket is closed by us', () => !rig.exchange.clients().includes(old!))
  const sent_count = talker.stop()
  await expectNothingMissed(rig, STREAMS[0]!, sent_count)
  expect(rig.losses).toEqual([])
})

test('a successor that announces its end too is skipped for the next', async () => {
  const rig = await createRig()
  await rig.transport.start()
  const talker = talk(rig.exchange, STREAMS)
  const [old] = rig.exchange.clients()
  const shutdown = JSON.stringify({ stream: '!serverShutdown', data: { e: 'serverShutdown' } })
  await until('the old one delivers', () => heardCounters(rig, STREAMS[0]!).length > 3)
  rig.exchange.behaviour.acknowledges = false
  old!.socket.send(shutdown)
  await until('the successor', () => rig.exchange.clients().length === 2)
  rig.exchange.clients()[1]!.socket.send(shutdown)
  rig.exchange.behaviour.acknowledges = true
  await until('the third alone', () => {
    const clients = rig.exchange.clients()
    return clients.length === 1 && clients[0]!.number === 3
  })
  const sent_count = talker.stop()
  await expectNothingMissed(rig, STREAMS[1]!, sent_count)
  expect(rig.losses).toEqual([])
})

test('the old socket dies while the new one subscribes: its streams are lost, once', async () => {
  const rig = await createRig()
  await rig.transport.start()
  rig.exchange.behaviour.acknowledges = false
  const [old] = rig.exchange.clients()
  old!.socket.send(JSON.stringify({ e: 'serverShutdown', E: Date.now() }))
  await until('the successor', () => rig.exchange.clients().length === 2)
  old!.wire.destroy()
  await until('the mark', () => rig.losses.length > 0)
  rig.exchange.behaviour.acknowledges = true
  await until('live again', () => rig.transport.status().state === 'live')
  expect(rig.losses).toEqual([{ cause: 'disconnect', streams: STREAMS }])
})

test('the old socket died before the new one subscribed, and we read its end last: the streams are in doubt', async () => {
  const rig = await createRig()
  await rig.transport.start()
  rig.exchange.behaviour.acknowledges = false
  const [old] = rig.exchange.clients()
  old!.socket.send(JSON.stringify({ e: 'serverShutdown', E: Date.now() }))
  await until('the successor', () => rig.exchange.clients().length === 2)
  // From here on the old socket gets nothing, although its end is not visible yet.
  old!.streams.clear()
  rig.exchange.behaviour.answers_pings = false
  rig.exchange.publish(STREAMS[0]!, { u: 1 })
  rig.exchange.behaviour.acknowledges = true
  await until('a successor that is answered', () => rig.exchange.clients()[1]?.streams.size === 2)
  rig.exchange.publish(STREAMS[0]!, { u: 2 })
  await until('a frame of the new socket', () => rig.frames.length > 0)
  old!.wire.destroy()
  await until('the mark', () => rig.losses.length > 0)
  const connection = rig.frames[0]!.connection
  expect(rig.losses).toEqual([{ cause: 'disconnect', streams: STREAMS, carried_by: connection }])
  expect(rig.transport.status().state).toBe('live')
})

test('a renewal reports which socket carries the streams, once the old one has answered a ping', async () => {
  const rig = await createRig({ limits: { socket_life_s: 1 } })
  await rig.transport.start()
  // Frames keep the silent sockets alive.
  const talker = talk(rig.exchange, STREAMS)
  rig.exchange.behaviour.answers_pings = false
  const newer = (): boolean => rig.frames.some(({ connection }) => connection > 1)
  await until('frames of the successor', newer)
  await sleep(100)
  expect(rig.carried).toEqual([])
  rig.exchange.behaviour.answers_pings = true
  await until('a renewal', () => rig.carried.some(({ connection }) => connection > 1))
  talker.stop()
  expect(rig.carried.every(({ streams }) => streams.length === 2)).toBe(true)
})

test('a class that is acknowledged and never delivered is noticed on a busy socket', async () => {
  const rig = await createRig({ choice: RAW, settings: { first_frame_ms_of_few: 300 } })
  rig.exchange.behaviour.mute = { sockets: [1], streams: /@trade$/ }
  await rig.transport.start()
  const streams = [...STREAMS, 'btcusdt@trade', 'ethusdt@trade']
  const talker = talk(rig.exchange, streams)
  await until('the mark', () => rig.losses.length > 0)
  expect(rig.losses).toEqual([{ cause: 'silence', streams: ['btcusdt@trade', 'ethusdt@trade'] }])
  await until('trades from the new socket', () => heardCounters(rig, 'ethusdt@trade').length > 0)
  await until('live', () => rig.transport.status().state === 'live')
  const sent_count = talker.stop()
  await expectNothingMissed(rig, STREAMS[0]!, sent_count)
  expect(rig.losses.length).toBe(1)
})

test('a busy stream that falls silent is noticed; a quiet one on the same socket is not an alarm', async () => {
  const symbols = ['BUSY', 'ALSOBUSY', 'TAIL']
  const settings = { silence_ms_min: 300, rate_memory_ms: 1_000, missing_frames_min: 20 }
  const rig = await createRig({ symbols, choice: QUOTES, settings })
  await rig.transport.start()
  rig.exchange.publish('tail@bookTicker', { e: 'test' })
  const talker = talk(rig.exchange, ['busy@bookTicker', 'alsobusy@bookTicker'], 1)
  await sleep(1_000)
  expect(rig.losses).toEqual([])
  rig.exchange.behaviour.mute = { sockets: [1], streams: /^busy@/ }
  await until('the mark', () => rig.losses.length > 0)
  expect(rig.losses).toEqual([{ cause: 'silence', streams: ['busy@bookTicker'] }])
  await until('live', () => rig.transport.status().state === 'live')
  talker.stop()
  await until('one socket', () => rig.exchange.clients().length === 1)
})
