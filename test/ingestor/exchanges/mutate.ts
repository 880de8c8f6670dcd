/**
 * Damages a frame like networks, memory and other programs do: flipped, lost, doubled and swapped
 * bytes, and hostile values instead of good ones. The same seed gives the same damage.
 */

export type Random = () => number

/** Mulberry32: small, fast, and good enough to choose damage with. */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

const HOSTILE_VALUES = [
  'null',
  'true',
  'false',
  '{}',
  '[]',
  '""',
  '0',
  '-0',
  '00',
  '007',
  '1.0',
  '1.5',
  '-1',
  '1e3',
  '1e999',
  '9007199254740991',
  '9007199254740992',
  '9007199254740993',
  '99999999999999999999',
  '"0"',
  '"0.0"',
  '"-1"',
  '".5"',
  '"5."',
  '"1e5"',
  '"NaN"',
  '"Infinity"',
  '" 1"',
  '"1 "',
  '"1,5"',
  '"123456789012345678901234567890"',
  '"0.1234567890123456789012345"',
  '"1234567890.123456789"',
  '"999999999999999"',
  '"9999999999999.99"',
  '"0x10"',
  '"1_000"',
  '"BTC USDT"',
  '"BTC\\u0055"',
  '"\\ud800"',
  '"\u0000"',
  '"\u007f"',
  '"é"',
  '"aggTrade"',
  '"trade"',
  '"bookTicker"',
  '"MARKET"',
  '"__proto__"',
  '1',
  '2',
  '"2"',
  '1723161256313',
  '4102444800000',
  '-1723161256313',
  'NaN',
]

const HOSTILE_KEYS = [
  'e',
  'st',
  'nq',
  'ps',
  's',
  'T',
  'X',
  'm',
  'zz',
  '__proto__',
  'stream',
  'data',
  '',
]

export function mutate(frame: Buffer, random: Random): Buffer {
  let damaged: Buffer = Buffer.from(frame)
  const times = 1 + Math.floor(random() * 3)
  for (let time = 0; time < times; time++) damaged = mutateOnce(damaged, random)
  return damaged
}

function mutateOnce(frame: Buffer, random: Random): Buffer {
  const below = (limit: number): number => Math.floor(random() * Math.max(1, limit))
  const at = below(frame.length)
  const end = Math.min(frame.length, at + 1 + below(8))
  const cut = (from: number, to: number, ...between: readonly Uint8Array[]): Buffer =>
    Buffer.concat([frame.subarray(0, from), ...between, frame.subarray(to)])
  switch (below(10)) {
    case 0: {
      const flipped = Buffer.from(frame)
      flipped[at] = (flipped[at] ?? 0) ^ (1 << below(8))
      return flipped
    }
    case 1:
      return cut(at, end)
    case 2:
      return cut(at, at, frame.subarray(at, end))
    case 3:
      return frame.subarray(0, at)
    case 4:
      return cut(at, at, Buffer.from([below(256)]))
    case 5:
      return cut(at, at + 1, Buffer.from(String(below(10))))
    case 6:
      return Buffer.concat([frame, frame.subarray(at, end)])
    case 7:
      return replaceKey(frame, random)
    default:
      return replaceValue(frame, random)
  }
}

/** Replaces a value of the frame, or a number of a level, with a hostile one. */
function replaceValue(frame: Buffer, random: Random): Buffer {
  return replaceMatch(
    frame,
    /(?<=":)(?:"[^"]*"|[\w.+-]+)|(?<=[[,])"[^":]*"(?=[,\]])/g,
    HOSTILE_VALUES,
    random,
  )
}

/** Renames a key, which often duplicates a key. */
function replaceKey(frame: Buffer, random: Random): Buffer {
  return replaceMatch(frame, /(?<=")\w+(?=":)/g, HOSTILE_KEYS, random)
}

function replaceMatch(
  frame: Buffer,
  pattern: RegExp,
  choices: readonly string[],
  random: Random,
): Buffer {
  const text = frame.toString('utf8')
  const chosen = pick([...text.matchAll(pattern)], random)
  if (chosen === undefined) return frame
  const rest = text.slice(chosen.index + chosen[0].length)
  return Buffer.from(text.slice(0, chosen.index) + pick(choices, random)! + rest)
}

function pick<T>(choices: readonly T[], random: Random): T | undefined {
  return choices[Math.floor(random() * choices.length)]
}
