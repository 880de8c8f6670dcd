/**
 * Checks `freshness` and `frequency`: no stream has an open gap. Streams recorded in the last day
 * have a row of the last five minutes, and steady streams have one every minute. Trades are
 * expected of an exchange, not of each symbol; liquidations are not expected at all.
 */
import type { Channel, GapCause } from '#core/market.ts'
import type { Client } from '#core/node/pool.ts'
import type { Finding } from '#core/validation.ts'
import { type Checked, RECORDED_S, WINDOW_S } from './checked.ts'
import { type RecordedStream, STEADY_CHANNELS, WINDOW_MINUTES } from './streams.ts'

/** A rollup is behind the clock by the duration of a refresh and the pause between two. */
const ROLLUP_AGE_S_MAX = WINDOW_S

export async function checkFreshness(
  client: Client,
  recorded: readonly RecordedStream[],
  now: string,
): Promise<Checked> {
  const streams = recorded.filter(({ channel }) => channel !== 'liquidations')
  const groups = Map.groupBy(streams, ({ exchange, channel }) => `${exchange} ${channel}`)
  const findings = [...groups.values()].flatMap(staleOf)
  const is_silent = recorded.length === 0
  return {
    looked_at: `${streams.length} streams`,
    row_count: streams.filter(({ age_s }) => age_s !== null).length,
    findings: is_silent
      ? [nothingRecorded()]
      : [...(await lostStreams(client)), ...findings, ...(await checkRollups(client, now))],
  }
}

export function checkFrequency(recorded: readonly RecordedStream[]): Checked {
  const steady = recorded.filter(({ minute_count }) => minute_count !== undefined)
  const groups = Map.groupBy(steady, ({ exchange, channel }) => `${exchange} ${channel}`)
  const findings = [...groups.values()].flatMap((streams): readonly Finding[] => {
    const rare = streams.filter(({ minute_count }) => minute_count! < WINDOW_MINUTES)
    const { exchange, channel } = streams[0]!
    if (rare.length === 0) return []
    return [
      {
        check: 'frequency',
        code: 'too_rare',
        table_name: channel,
        symbols: rare.map(({ symbol }) => symbol),
        sentence:
          `${exchange} ${channel}: ${rare.length} of ${streams.length} symbols had no row in one of ` +
          `the last ${WINDOW_MINUTES} minutes, expected a row every minute.`,
      },
    ]
  })
  return { looked_at: `${steady.length} streams`, row_count: 0, findings }
}

/** `streams`: all streams of one exchange and channel. */
function staleOf(streams: readonly RecordedStream[]): readonly Finding[] {
  const { exchange, channel } = streams[0]!
  const stale = streams.filter(({ age_s }) => age_s === null || age_s > WINDOW_S)
  const about = { check: 'freshness', table_name: channel } as const
  const newest_s = Math.min(...streams.map(({ age_s }) => age_s ?? Infinity))
  if (newest_s > WINDOW_S) {
    const age =
      newest_s === Infinity ? `older than ${RECORDED_S} s` : `${Math.round(newest_s)} s old`
    const sentence = `${exchange} ${channel}: the newest row is ${age}, expected at most ${WINDOW_S} s.`
    return [{ ...about, code: 'table_stale', symbols: [], sentence }]
  }
  if (stale.length === 0 || !(STEADY_CHANNELS.includes(channel) || channel === 'prices')) return []
  const count = `${stale.length} of ${streams.length} symbols`
  const sentence = `${exchange} ${channel}: ${count} have no row of the last ${WINDOW_S} s.`
  const symbols = stale.map(({ symbol }) => symbol)
  return [{ ...about, code: 'symbol_stale', symbols, sentence }]
}

function nothingRecorded(): Finding {
  return {
    check: 'freshness',
    code: 'nothing_heard',
    table_name: null,
    symbols: [],
    sentence: `No active symbol was recorded in the last ${RECORDED_S} s: is an ingestor running?`,
  }
}

/** Gaps that have not ended, as one finding per channel and cause. */
async function lostStreams(client: Client): Promise<readonly Finding[]> {
  const { rows } = await client.query<LostStreams>(
    `select s.exchange, g.channel, g.cause, array_agg(s.symbol order by s.symbol collate "C") as symbols,
       extract(epoch from now() - min(g.detected_at))::float8 as age_s
     from marketdata.gap_ledger g join marketdata.symbols s on s.id = g.symbol_id
     where g.to_ts is null and g.cause not in ('delisted', 'operator')
     group by s.exchange, g.channel, g.cause order by s.exchange, g.channel, g.cause`,
  )
  return rows.map(({ exchange, channel, cause, symbols, age_s }) => {
    const count = `${symbols.length} ${symbols.length === 1 ? 'stream is' : 'streams are'}`
    return {
      check: 'freshness',
      code: 'stream_lost',
      table_name: channel,
      symbols,
      sentence: `${exchange} ${channel}: ${count} silent (${cause}), the first for ${Math.round(age_s)} s.`,
    }
  })
}

interface LostStreams {
  readonly exchange: string
  readonly channel: Channel
  readonly cause: GapCause
  readonly symbols: readonly string[]
  readonly age_s: number
}

/** Checks only rollups in use: those whose watermark has been raised at least once. */
async function checkRollups(client: Client, now: string): Promise<readonly Finding[]> {
  const { rows } = await client.query<{ rollup: string; age_s: number }>(
    `select rollup, extract(epoch from $1::timestamptz - refreshed_at)::float8 as age_s
     from marketdata.rollup_watermarks
     where refreshed_at < $1::timestamptz - make_interval(secs => $2) order by rollup`,
    [now, ROLLUP_AGE_S_MAX],
  )
  return rows.map(({ rollup, age_s }) => ({
    check: 'freshness',
    code: 'rollup_stale',
    table_name: rollup,
    symbols: [],
    sentence: `${rollup}: last refresh ${Math.round(age_s)} s ago, expected at most ${ROLLUP_AGE_S_MAX} s.`,
  }))
}
