/** What can be said of a recorded frame of Bybit: topic, symbol, time and id. Pure. */

type Fields = Readonly<Record<string, unknown>>

export interface TopicFrame {
  readonly topic: string
  readonly symbol: string
  /** The data, its first element of a list, with the time under the letter that Binance uses. */
  readonly payload: Fields
}

/** Undefined for every other frame. */
export function readTopicFrame(value: Fields): TopicFrame | undefined {
  const { topic, data, ts, cts } = value
  const first = (Array.isArray(data) ? (data as readonly unknown[])[0] : data) as Fields | undefined
  if (typeof topic !== 'string' || typeof first !== 'object' || first === null) return undefined
  const T = cts ?? first['T'] ?? ts
  return { topic, symbol: symbolOf(topic, first['s'] ?? first['symbol']), payload: { ...first, T } }
}

/** A symbol may have a point in its name: where the data names it, that is believed. */
function symbolOf(topic: string, named: unknown): string {
  const is_named = typeof named === 'string' && topic.endsWith(`.${named}`)
  return is_named ? named : topic.slice(topic.lastIndexOf('.') + 1)
}

/** The id by which a topic counts: its books' update id, else the sequence. Undefined elsewhere. */
export function topicId(text: string): number | undefined {
  if (!text.startsWith('{"topic":')) return undefined
  return Number((/"u":(\d+)/.exec(text) ?? /"(?:seq|cs)":(\d+)/.exec(text))?.[1] ?? 0)
}
