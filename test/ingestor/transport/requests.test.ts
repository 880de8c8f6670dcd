import { expect, test } from 'vitest'
import { binance_futures } from '../../../ingestor/exchanges/binance-futures/adapter.ts'
import { createRequests, type Requests } from '../../../ingestor/transport/requests.ts'
import { FakeTimers } from './fake-timers.ts'

function setup(limits = {}): {
  requests: Requests
  timers: FakeTimers
  sent: { at_ms: number; id: number; method: string; params: string[] }[]
  heard: string[]
} {
  const timers = new FakeTimers()
  const sent: { at_ms: number; id: number; method: string; params: string[] }[] = []
  const heard: string[] = []
  const requests = createRequests({
    adapter: {
      ...binance_futures,
      limits: { ...binance_futures.limits, streams_per_subscribe_max: 4, ...limits },
    },
    timers,
    ack_timeout_ms: 1_000,
    send: (text) => sent.push({ at_ms: timers.now_ms(), ...JSON.parse(text) }),
    onAcknowledged: (streams) => heard.push(`yes ${streams.join(' ')}`),
    onRefused: (stream, detail) => heard.push(`no ${stream}: ${detail}`),
    onTimeout: (method) => heard.push(`timeout ${method}`),
  })
  return { requests, timers, sent, heard }
}

test('nothing is sent before the socket is open, then at half the rate that the exchange allows', () => {
  const { requests, timers, sent } = setup({ messages_per_second_max: 10 })
  requests.add('subscribe', ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i'])
  timers.advance(5_000)
  expect(sent).toEqual([])
  requests.start()
  timers.advance(1_000)
  expect(sent.map(({ at_ms, params }) => [at_ms, params.length])).toEqual([
    [5_000, 4],
    [5_200, 4],
    [5_400, 1],
  ])
  // The pause also applies between batches that are requested at different times.
  requests.add('unsubscribe', ['a'])
  requests.add('subscribe', ['z'])
  timers.advance(1_000)
  expect(sent.slice(3).map(({ at_ms, method }) => [at_ms, method])).toEqual([
    [6_000, 'UNSUBSCRIBE'],
    [6_200, 'SUBSCRIBE'],
  ])
})

test('it is idle only once every request was answered, in whatever order', () => {
  const { requests, timers, sent, heard } = setup()
  requests.add('subscribe', ['a', 'b', 'c', 'd', 'e'])
  requests.start()
  timers.advance(1_000)
  requests.answer({ kind: 'ack', id: sent[1]!.id })
  requests.answer({ kind: 'ack', id: 99 })
  expect(requests.is_idle).toBe(false)
  requests.answer({ kind: 'ack', id: sent[0]!.id })
  expect(requests.is_idle).toBe(true)
  expect(heard).toEqual(['yes e', 'yes a b c d'])
})

test('a refused batch is halved until the refused stream is alone', () => {
  const { requests, timers, sent, heard } = setup()
  requests.add('subscribe', ['a', 'b', 'bad', 'd'])
  requests.start()
  for (let answered = 0; answered < sent.length; answered++) {
    const { id, params } = sent[answered]!
    if (params.includes('bad')) requests.answer({ kind: 'refused', id, detail: 'unknown' })
    else requests.answer({ kind: 'ack', id })
    timers.advance(1_000)
  }
  expect(heard).toEqual(['yes a b', 'no bad: unknown', 'yes d'])
  expect(requests.is_idle).toBe(true)
})

test('a request without an answer times out, measured in time that really passed', () => {
  const { requests, heard } = setup()
  requests.add('subscribe', ['a'])
  requests.start()
  requests.tick(900)
  expect(heard).toEqual([])
  requests.tick(200)
  expect(heard).toEqual(['timeout subscribe'])
})

test('streams that an acknowledgement leaves out are refused, the rest are subscribed', () => {
  const { requests, timers, sent, heard } = setup()
  requests.add('subscribe', ['a', 'b', 'c'])
  requests.start()
  timers.advance(1_000)
  requests.answer({ kind: 'ack', id: sent[0]!.id, accepted: ['c', 'a', 'z'] })
  expect(heard).toEqual(['yes a c', 'no b: left out of the acknowledgement'])
  expect(requests.is_idle).toBe(true)
})

test('a repeated request without an answer is a refusal; the socket goes on', () => {
  const { requests, heard } = setup()
  requests.start()
  requests.repeat(['a', 'b'])
  requests.tick(900)
  expect(heard).toEqual([])
  requests.tick(200)
  expect(heard).toEqual(['no a: no answer', 'no b: no answer'])
  expect(requests.is_idle).toBe(true)
})
