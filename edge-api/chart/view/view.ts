/** What the page shows, and its form in the address: a link shows the same. */
import { SIGNAL_KINDS, type SignalKind } from '#core/signals/signal.ts'

export const INTERVALS = ['1m', '5m', '15m', '1h', '4h', '1d'] as const
export type Interval = (typeof INTERVALS)[number]

export const MODES = ['candles', 'delta', 'volume', 'bidask'] as const
export type Mode = (typeof MODES)[number]

const SIDES = ['all', 'buy', 'sell'] as const
/** Of the taker. */
export type Side = (typeof SIDES)[number]

export const THEMES = ['system', 'dark', 'light'] as const
export type Theme = (typeof THEMES)[number]

export interface View {
  /** Empty: the first symbol of the list. */
  readonly exchange: string
  readonly symbol: string
  readonly interval: Interval
  readonly mode: Mode
  /** Ticks of a bin; 0: as many as the average true range asks for. */
  readonly bin: number
  /** The right edge [s since 1970]; 0 follows the newest bar. */
  readonly to: number
  /** Bars between the edges; 0: as many as fit well. */
  readonly bars: number
  readonly heat: boolean
  readonly profile: boolean
  readonly signals: boolean
  /** Kinds of signals that are marked, with commas between them. */
  readonly kinds: string
  /** Levels of the ladder are at most this far from the middle [%]. */
  readonly depth: number
  /** Smallest quantity of the tape [base asset], and its side. */
  readonly least: number
  readonly side: Side
  readonly theme: Theme
}

export const DEPTHS = [0.05, 0.1, 0.25, 0.5, 1, 2, 5] as const

/** Without walls: a liquid book has some in nearly every bar. */
const FIRST_KINDS = kindsText((kind) => !kind.startsWith('wall_'))

export const FIRST_VIEW: View = {
  exchange: '',
  symbol: '',
  interval: '1m',
  mode: 'candles',
  bin: 0,
  to: 0,
  bars: 0,
  heat: false,
  profile: true,
  signals: true,
  kinds: FIRST_KINDS,
  depth: 0.25,
  least: 0,
  side: 'all',
  theme: 'system',
}

/** What is missing or not allowed is as in FIRST_VIEW. */
export function viewOf(hash: string): View {
  const query = new URLSearchParams(hash.replace(/^#/, ''))
  const wordOf = <const T extends string>(name: string, words: readonly T[], standard: T): T =>
    words.find((word) => word === query.get(name)) ?? standard
  const numberOf = (name: keyof View, max: number): number => {
    const text = query.get(name)
    const value = text === null ? NaN : Number(text)
    return value >= 0 && value <= max ? value : (FIRST_VIEW[name] as number)
  }
  const flagOf = (name: keyof View): boolean =>
    query.has(name) ? query.get(name) === '1' : (FIRST_VIEW[name] as boolean)
  return {
    exchange: query.get('exchange') ?? '',
    symbol: query.get('symbol') ?? '',
    interval: wordOf('interval', INTERVALS, FIRST_VIEW.interval),
    mode: wordOf('mode', MODES, FIRST_VIEW.mode),
    bin: Math.floor(numberOf('bin', 1e6)),
    to: numberOf('to', 7e9),
    bars: numberOf('bars', 20_000),
    heat: flagOf('heat'),
    profile: flagOf('profile'),
    signals: flagOf('signals'),
    kinds: kindsOf(query.get('kinds')),
    depth: numberOf('depth', 100) || FIRST_VIEW.depth,
    least: numberOf('least', 1e15),
    side: wordOf('side', SIDES, FIRST_VIEW.side),
    theme: wordOf('theme', THEMES, FIRST_VIEW.theme),
  }
}

function kindsOf(text: string | null): string {
  if (text === null) return FIRST_VIEW.kinds
  const named = new Set(text.split(','))
  return kindsText((kind) => named.has(kind))
}

function kindsText(isIn: (kind: SignalKind) => boolean): string {
  return SIGNAL_KINDS.filter(isIn).join(',')
}

/** The view's kinds with `kind` added, or without it. */
export function toggleKind({ kinds }: View, kind: SignalKind): string {
  const named = new Set(kinds.split(','))
  return kindsText((one) => named.has(one) !== (one === kind))
}

/** Only what differs from FIRST_VIEW, and always the symbol. */
export function hashOf(view: View): string {
  const query = new URLSearchParams()
  for (const [name, value] of Object.entries(view)) {
    if (value === FIRST_VIEW[name as keyof View]) continue
    query.set(name, typeof value === 'boolean' ? (value ? '1' : '0') : String(value))
  }
  return `#${query}`
}
