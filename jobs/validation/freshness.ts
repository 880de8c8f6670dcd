/**
 * Checks `freshness` and `frequency`: no stream has a hole that has not ended; of what was heard in
 * the last day, nothing is older than five minutes, and steady streams speak at least once a
 * minute. Trades are expected of an exchange, not of each symbol; liquidations are not expected at
 * all.
 */
import type { Channel, GapCause } from '#core/market.ts'
import type { Client } from '#core/node/pool.ts'
import { type Checked, type Finding, HEARD_S, WINDOW_S } from './finding.ts'
import { type HeardStream, STEADY_CHANNELS, WINDOW_MINUTES } from './streams.ts'

/** Behind the clock by the lag of a refresh and the time between two. */
const ROLLUP_AGE_S_MAX = WINDOW_S

export async function checkFreshness(
  client: Client,
  heard: readonly HeardStream[],
  now: string,
): Promise<Checked> {
  const streams = heard.filter(({ channel }) => channel !== 'liquidations')
  const groups = Map.groupBy(streams, ({ exchange, channel }) => `${exchange} ${channel}`)
  const findings = [...groups.values()].flatMap(staleOf)
  const is_silent = heard.length === 0
  return {
    looked_at: `${streams.length} streams`,
    row_count: streams.filter(({ age_s }) => age_s !== null).length,
    findings: is_silent
      ? [nothingHeard()]
      : [...(await lostStreams(client)), ...findings, ...(await checkRollups(client, now))],
  }
}

export function checkFrequency(heard: readonly HeardStream[]): Checked {
  const steady = heard.filter(({ minute_count }) => minute_count !== undefined)
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
        sentence: `${exchange} ${channel}: ${rare.length} of ${streams.length} symbols were silent for a whole minute of the last ${WINDOW_MINUTES}, expected a row a minute.`,
      },
    ]
  })
  return { looked_at: `${steady.length} streams`, row_count: 0, findings }
}

/** `streams`: all of one exchange and channel. */
function staleOf(streams: readonly HeardStream[]): readonly Finding[] {
  const { exchange, channel } = streams[0]!
  const stale = streams.filter(({ age_s }) => age_s === null || age_s > WINDOW_S)
  const about = { check: 'freshness', table_name: channel } as const
  const newest_s = Math.min(...streams.map(({ age_s }) => age_s ?? Infinity))
  if (newest_s > WINDOW_S) {
    const age = newest_s === Infinity ? `older than ${HEARD_S} s` : `${Math.round(newest_s)} s old`
    const sentence = `${exchange} ${channel}: the newest row is ${age}, expected at most ${WINDOW_S} s.`
    return [{ ...about, code: 'table_stale', symbols: [], sentence }]
  }
  if (stale.length === 0 || !(STEADY_CHANNELS.includes(channel) || channel === 'prices')) return []
  const sentence = `${exchange} ${channel}: ${stale.length} of ${streams.length} symbols have no row of the last ${WINDOW_S} s.`
  const symbols = stale.map(({ symbol }) => symbol)
  return [{ ...about, code: 'symbol_stale', symbols, sentence }]
}

function nothingHeard(): Finding {
  return {
    check: 'freshness',
    code: 'nothing_heard',
    table_name: null,
    symbols: [],
    sentence: `No stream of an active symbol was heard in the last ${HEARD_S} s: is an ingestor running?`,
  }
}

/** Holes that have not ended, one finding for each cause of a channel. */
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
      sentence: `${exchange} ${channel}: ${count} not heard (${cause}), the first for ${Math.round(age_s)} s.`,
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

/** Only of rollups that somebody keeps: a watermark that has been raised once. */
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
    sentence: `${rollup} was raised ${Math.round(age_s)} s ago, expected at most ${ROLLUP_AGE_S_MAX} s.`,
  }))
}
