/**
 * The gap ledger against a model (two-sockets.ts). Whatever sockets and processes do, every event
 * that the exchange sent and no process received is inside a gap, even if the tape is read in
 * pieces.
 */
import { expect, test } from 'vitest'
import type { Gap } from '#core/market.ts'
import { createRandom } from '../../../infra/exchange/sim/random.ts'
import type { Micros } from '#core/time.ts'
import { type Batcher, createBatcher } from '../../../ingestor/writer/batcher.ts'
import type { StreamOffset } from '../../../ingestor/writer/stream-table.ts'
import { CHOICE, type Entry, START_MS } from './support.ts'
import { play, type Sent } from './two-sockets.ts'

/** `LEDGER_SEEDS=20000 npx vitest run test/ingestor/writer/two-sockets.test.ts` runs more. */
const COUNT = Number(process.env['LEDGER_SEEDS'] ?? 60)
/**
 * In these seeds a socket died that lagged far behind the one that delivered liquidations first.
 */
const KNOWN_SEEDS = [446, 541, 588]
const SEEDS = [...Array.from({ length: COUNT }, (_, index) => index + 1), ...KNOWN_SEEDS]
const STEPS = 400
const CHANNELS = { ...CHOICE, channels: [...CHOICE.channels, 'liquidations' as const] }

/** Reads the tape in batches of any size, and sometimes in a new session, as after an error. */
function gapsOf(entries: readonly Entry[], seed: number, session_share: number): readonly Gap[] {
  const random = createRandom(seed)
  const gaps: Gap[] = []
  const offsets = new Map<string, StreamOffset>()
  let covered_until: Micros | undefined
  const begin = (): Batcher => {
    const known = { from_position: 0, offsets: [...offsets.values()], covered_until }
    return createBatcher({ ...known, choice: CHANNELS, onRejected: () => undefined })
  }
  let batcher = begin()
  let committed = 0
  for (let at = 0; at < entries.length;) {
    batcher.add({ ...entries[at]!, position: at, next: at + 1, exchange_code: 1 })
    at++
    if (at < entries.length && random() > 0.1) continue
    // A batch that was not committed is read again.
    if (at < entries.length && random() < session_share) {
      batcher = begin()
      at = committed
      continue
    }
    const batch = batcher.seal(at)
    committed = at
    gaps.push(...batch.gaps)
    covered_until = batch.covered_until
    for (const { symbol, channel, offset } of batch.streams) {
      if (offset !== undefined) offsets.set(`${symbol} ${channel}`, offset)
    }
    if (random() < session_share) batcher = begin()
  }
  return gaps
}

function covers(gap: Gap, { stream, id, ms }: Sent): boolean {
  if (gap.symbol !== stream.symbol || gap.channel !== stream.channel) return false
  const ts = (START_MS + ms) * 1_000
  const is_after = gap.from_id === null ? ts >= gap.from_ts : id > gap.from_id
  return is_after && (gap.to_id === null ? ts <= gap.to_ts : id < gap.to_id)
}

test(`${COUNT} markets with replaced and dying sockets and killed processes: every missed event is in the ledger`, () => {
  let missing_count = 0
  for (const seed of SEEDS) {
    const { entries, sent } = play(seed, STEPS, { deaths: true, kills: seed % 2 === 0 })
    const gaps = gapsOf(entries, seed, 0.1)
    const missing = sent.filter((event) => !event.has_come)
    missing_count += missing.length
    const unledgered = missing.filter((event) => !gaps.some((gap) => covers(gap, event)))
    expect(unledgered, `seed ${seed}`).toEqual([])
  }
  expect(missing_count).toBeGreaterThan(10 * COUNT)
})

test('sockets that are replaced before they die lose nothing, and the ledger is empty', () => {
  let replaced_count = 0
  for (const seed of SEEDS) {
    const { entries, sent } = play(seed, STEPS, { deaths: false, kills: false })
    expect(
      sent.filter((event) => !event.has_come),
      `seed ${seed}`,
    ).toEqual([])
    const marks = entries
      .filter(({ kind }) => kind === 'mark')
      .map(({ payload }) => payload.toString())
    // In doubt: an old socket that did not answer within its minute.
    if (marks.some((text) => text.includes('"deaf"'))) continue
    replaced_count += marks.filter((text) => text.includes('"carried"')).length
    expect(gapsOf(entries, seed, 0), `seed ${seed}`).toEqual([])
  }
  expect(replaced_count).toBeGreaterThan(COUNT)
})
