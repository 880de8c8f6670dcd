/**
 * Rules for every exchange adapter, run over all of them. MUTATED_FRAMES sets the number of damaged
 * frames, MUTATION_SEED repeats a run.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { CHANNELS, type MarketEvent, orderOf } from '#core/market.ts'
import { isSymbolName } from '#core/symbols.ts'
import { timeSourceOf } from '#core/time-source.ts'
import { micros } from '#core/time.ts'
import type { DepthChoice, Parsed, StreamChoice } from '../../../ingestor/exchanges/adapter.ts'
import { DEPTH_STREAMS } from '../../../ingestor/exchanges/depth-choice.ts'
import { ADAPTERS, adapterByCode, adapterFor } from '../../../ingestor/exchanges/registry.ts'
import { frameFixtures, restFixtures } from './fixtures.ts'
import { mutate, seededRandom } from './mutate.ts'

const TS_INGEST = micros(1_785_000_000_123_456)
/** Every depth stream at once. An ingestor cannot request that, but a tape may hold it. */
const depth: DepthChoice = { symbols: 'all', streams: DEPTH_STREAMS, interval_ms: 100 }
const CHOICES: readonly StreamChoice[] = [
  { channels: CHANNELS, trade_stream: 'aggTrade', depth },
  { channels: CHANNELS, trade_stream: 'trade', depth, include_coin_m: true },
  { channels: ['book_ticker'], trade_stream: 'aggTrade' },
]
const MUTATED_FRAMES = Number(process.env['MUTATED_FRAMES'] ?? 30_000)
const SEED = Number(process.env['MUTATION_SEED'] ?? Math.floor(Math.random() * 2 ** 32))

test('no two adapters share a tape code, and each is found by exchange and by code', () => {
  const every = ADAPTERS.flatMap((adapter) => [adapter, adapter.in_microseconds ?? []].flat())
  expect(new Set(every.map((adapter) => adapter.tape_code)).size).toBe(every.length)
  for (const adapter of ADAPTERS) {
    expect(adapterFor(adapter.exchange)).toBe(adapter)
    expect(adapterByCode(adapter.tape_code)).toBe(adapter)
  }
  expect(() => adapterByCode(255)).toThrow('exchange number 255')
})

for (const adapter of ADAPTERS) {
  describe(`adapter of ${adapter.exchange}`, () => {
    const frames = frameFixtures(adapter.exchange)
    const answers = restFixtures(adapter.exchange)

    for (const { file, frame, golden_path } of frames) {
      test(`${file} parses to its golden file`, () => {
        const found = byChoice((choice) => adapter.parse(frame, TS_INGEST, choice))
        expect(found).toEqual(golden(golden_path, found))
      })

      test(`${file} is assigned to the stream it names`, () => {
        const { stream, topic, params } = JSON.parse(frame.toString('utf8')) as {
          readonly stream?: string
          readonly topic?: string
          readonly params?: { readonly channel?: string }
        }
        expect(adapter.streamOf(frame)).toBe(stream ?? topic ?? params?.channel)
      })
    }

    for (const { file, path, body, golden_path } of answers) {
      test(`${file} parses to its golden file`, () => {
        const found = byChoice((choice) => adapter.parseRest(path, body, TS_INGEST, choice))
        expect(found).toEqual(golden(golden_path, found))
      })
    }

    test('the source of its times is declared for every kind of event, and is correct', () => {
      const events = [
        ...frames.map(({ frame }) => adapter.parse(frame, TS_INGEST, CHOICES[0]!)),
        ...answers.map(({ path, body }) => adapter.parseRest(path, body, TS_INGEST, CHOICES[0]!)),
      ].flatMap((parsed) => (parsed.kind === 'events' ? parsed.events : []))
      expect(events.length).toBeGreaterThan(0)
      for (const event of events) {
        const source = timeSourceOf(event)
        expect(source, JSON.stringify(event)).toBeDefined()
        const is_untimed = source === 'receive' || source === 'stream'
        expect(event.ts_exchange === TS_INGEST, JSON.stringify(event)).toBe(is_untimed)
      }
    })

    test('trades have a seq besides their ids exactly if trade_ids is loose', () => {
      const trades = frames
        .map(({ frame }) => adapter.parse(frame, TS_INGEST, CHOICES[0]!))
        .flatMap((parsed) => (parsed.kind === 'events' ? parsed.events : []))
        .filter((event) => event.kind === 'trade' || event.kind === 'void_trade')
      expect(trades.length > 0).toBe(adapter.channels.includes('trades'))
      for (const trade of trades) {
        expect(trade.seq !== undefined).toBe(adapter.trade_ids === 'loose')
      }
    })

    test('every stream is requested once, over a socket URL, and the request names it', () => {
      const choice: StreamChoice = { channels: adapter.channels, trade_stream: 'aggTrade' }
      const symbols = ['BTCUSDT', 'ETHUSDT']
      const groups = adapter.groups('ws://localhost:1/', symbols, choice)
      const streams = groups.flatMap((group) => group.streams)
      expect(new Set(streams.map((stream) => stream.name)).size).toBe(streams.length)
      expect(streams.map((stream) => `${stream.symbol} ${stream.channel}`).toSorted()).toEqual(
        symbols
          .flatMap((symbol) => adapter.channels.map((channel) => `${symbol} ${channel}`))
          .toSorted(),
      )
      for (const group of groups) {
        expect(new URL(group.url).protocol).toBe('ws:')
        const names = group.streams.map((stream) => stream.name)
        for (const frame of [
          adapter.subscribeFrame(7, names),
          adapter.unsubscribeFrame(8, names),
        ]) {
          for (const name of names) expect(frame).toContain(JSON.stringify(name))
        }
      }
    })

    test(`${MUTATED_FRAMES} damaged frames and answers are values, never exceptions`, () => {
      const random = seededRandom(SEED)
      const counts: Record<Parsed['kind'], number> = {
        events: 0,
        control: 0,
        ignored: 0,
        rejected: 0,
      }
      for (let made = 0; made < MUTATED_FRAMES; made++) {
        // Drawn at random: cycling through lists whose lengths share a factor would miss
        // combinations.
        const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)]!
        const choice = pick(CHOICES)
        const is_frame = made % 4 !== 0
        const answer = pick(answers)
        const original = is_frame ? pick(frames).frame : Buffer.from(answer.body)
        const damaged = mutate(original, random)
        try {
          const parsed = is_frame
            ? adapter.parse(damaged, TS_INGEST, choice)
            : adapter.parseRest(answer.path, damaged.toString('utf8'), TS_INGEST, choice)
          counts[parsed.kind]++
          expectSound(parsed)
          adapter.streamOf(damaged)
          adapter.controlOf(damaged)
        } catch (cause) {
          const text = damaged.toString('latin1')
          throw new Error(`MUTATION_SEED=${SEED}, frame ${made}: ${text}`, { cause })
        }
      }
      process.stdout.write(`${adapter.exchange}: seed ${SEED}, ${JSON.stringify(counts)}\n`)
      // Damage that never matters, or always does, tests nothing.
      expect(counts.events).toBeGreaterThan(MUTATED_FRAMES / 100)
      expect(counts.rejected).toBeGreaterThan(MUTATED_FRAMES / 10)
    })

    test('bytes that are not a frame are rejected with a reason', () => {
      for (const bytes of [
        Buffer.alloc(0),
        Buffer.from([0xff, 0xfe, 0x00]),
        Buffer.from('['.repeat(100_000)),
        Buffer.from('"just text"'),
        Buffer.from('17'),
        Buffer.from('{}'),
        Buffer.from('{"e":"neverHeardOf","E":1785000000000}'),
        Buffer.alloc(adapter.limits.frame_bytes_max + 1, ' '),
      ]) {
        const parsed = adapter.parse(bytes, TS_INGEST, CHOICES[0]!)
        expect(parsed.kind).toBe('rejected')
        if (parsed.kind !== 'rejected') continue
        expect(parsed.detail.length).toBeGreaterThan(0)
        expect(parsed.detail.length).toBeLessThanOrEqual(80)
      }
    })

    test('an invalid listing is a retryable error that says so', () => {
      for (const body of ['', '<html>', '[]', '{"code":-1000,"msg":"down"}']) {
        expect(() => adapter.parseInstruments(body)).toThrow(
          expect.objectContaining({ code: 'bad_listing', retryable: true }) as Error,
        )
      }
    })
  })
}

function byChoice(parse: (choice: StreamChoice) => Parsed): Readonly<Record<string, Parsed>> {
  return { aggTrade: parse(CHOICES[0]!), trade: parse(CHOICES[1]!) }
}

/** The content of the golden file. UPDATE_GOLDEN=1 writes it first. */
function golden(path: string, found: unknown): unknown {
  if (process.env['UPDATE_GOLDEN'] === '1')
    writeFileSync(path, `${JSON.stringify(found, null, 2)}\n`)
  if (!existsSync(path))
    throw new Error(`${path} is missing: UPDATE_GOLDEN=1 writes it; then check it.`)
  return JSON.parse(readFileSync(path, 'utf8'))
}

/** Whatever was damaged, the tables can hold every event that comes out. */
function expectSound(parsed: Parsed): void {
  if (parsed.kind === 'rejected' && parsed.detail === '')
    throw new Error('rejected without a detail')
  if (parsed.kind !== 'events') return
  for (const event of parsed.events) {
    const fault = faultOf(event)
    if (fault !== undefined) throw new Error(`${fault}: ${JSON.stringify(event)}`)
  }
}

function faultOf(event: MarketEvent): string | undefined {
  if (event.ts_ingest !== TS_INGEST) return 'receive time was changed'
  if (!isSymbolName(event.symbol)) return 'not a symbol'
  if (!Number.isSafeInteger(event.ts_exchange) || event.ts_exchange <= 0) return 'impossible time'
  const id = orderOf(event)
  if (!Number.isSafeInteger(id) || id < 0) return 'impossible id'
  const { prices, qtys } = numbersOf(event)
  if (prices.some((price) => !Number.isFinite(price) || price <= 0)) return 'impossible price'
  return qtys.some((qty) => !Number.isFinite(qty) || qty < 0) ? 'impossible quantity' : undefined
}

function numbersOf(event: MarketEvent): { prices: readonly number[]; qtys: readonly number[] } {
  switch (event.kind) {
    case 'void_trade':
      return { prices: [], qtys: [] }
    case 'trade':
      return { prices: [event.price], qtys: [event.qty, event.non_rpi_qty ?? 0] }
    case 'book_ticker':
      return {
        prices: [event.best_bid ?? 1, event.best_ask ?? 1],
        qtys: [event.bid_qty ?? 0, event.ask_qty ?? 0],
      }
    case 'depth': {
      const levels = [...event.bids, ...event.asks]
      return { prices: levels.map(([price]) => price), qtys: levels.map(([, qty]) => qty) }
    }
    case 'mark_price':
      return {
        prices: [event.mark_price, event.index_price ?? 1, event.settle_price ?? 1],
        qtys: [Math.abs(event.funding_rate ?? 0), event.next_funding_at ?? 0],
      }
    case 'mark_price_change': {
      const { mark_price, index_price, settle_price, funding_rate, next_funding_at } = event.changed
      return {
        prices: [mark_price ?? 1, index_price ?? 1, settle_price ?? 1],
        qtys: [Math.abs(funding_rate ?? 0), next_funding_at ?? 0],
      }
    }
    case 'liquidation':
      return { prices: [event.price], qtys: [event.qty, event.filled_qty, event.average_price] }
    case 'index_price':
      return { prices: [event.price], qtys: [] }
  }
}
