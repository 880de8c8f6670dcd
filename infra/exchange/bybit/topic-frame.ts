/** Reads facts from a recorded Bybit frame: topic, symbol, time and id. Pure. */

type Fields = Readonly<Record<string, unknown>>

export interface TopicFrame {
  readonly topic: string
  readonly symbol: string
  /** The data (of a list, its first element), with the time in Binance's field `T`. */
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

/** The symbol that the data names, if any, because a symbol's name may contain a dot. */
function symbolOf(topic: string, named: unknown): string {
  const is_named = typeof named === 'string' && topic.endsWith(`.${named}`)
  return is_named ? named : topic.slice(topic.lastIndexOf('.') + 1)
}

/** A book's update id, else the sequence number; undefined if the text is not a topic's frame. */
export function topicId(text: string): number | undefined {
  if (!text.startsWith('{"topic":')) return undefined
  return Number((/"u":(\d+)/.exec(text) ?? /"(?:seq|cs)":(\d+)/.exec(text))?.[1] ?? 0)
}
