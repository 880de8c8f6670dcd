/** Files of archives that nobody has seen yet: a seed decides what is odd or broken about one. */
import { gzipSync } from 'node:zlib'
import type { Exchange } from '#core/symbols.ts'
import { type ZipEntry, zipFile } from '../../../bench/import/zip.ts'
import { seeded } from '../rollups/support.ts'

export interface OddFile {
  readonly source: 'binance' | 'tardis'
  readonly exchange: Exchange
  readonly kind: 'aggTrades' | 'trades' | 'bookTicker'
  readonly date: string
  readonly symbol: string
  readonly path: string
  /** What is odd about it, for messages. */
  readonly oddities: readonly string[]
  readonly bytes: Buffer
  /** Text of its CHECKSUM; undefined: the right one. */
  readonly checksum: string | undefined
  /** `rows`: it can be read. `error`: it must be refused. `either`: one of them. */
  readonly outcome: 'rows' | 'error' | 'either'
  /** Its rows as the table has them: time [us] and the other cells. */
  readonly rows: readonly string[]
  /** The same rows in a file that is not broken. */
  readonly mended: Buffer
}

const DATES = ['2021-02-28', '2024-02-29', '2024-12-31', '2025-01-01', '2025-06-30', '2026-10-25']
const NEAR_MS = 300_000
const FAR_MS = 40 * 3_600_000

type Pick = (count: number) => number
type Chance = (share: number) => boolean

interface Kind {
  readonly source: OddFile['source']
  readonly exchange: Exchange
  readonly kind: OddFile['kind']
  readonly folder: string
}

const KINDS: readonly Kind[] = [
  { source: 'binance', exchange: 'binance-futures', kind: 'aggTrades', folder: 'futures/um' },
  { source: 'binance', exchange: 'binance-futures', kind: 'trades', folder: 'futures/um' },
  { source: 'binance', exchange: 'binance-futures', kind: 'bookTicker', folder: 'futures/um' },
  { source: 'binance', exchange: 'binance-spot', kind: 'aggTrades', folder: 'spot' },
  { source: 'binance', exchange: 'binance-spot', kind: 'trades', folder: 'spot' },
  { source: 'tardis', exchange: 'binance-futures', kind: 'trades', folder: 'binance-futures' },
]

const HEADERS = {
  aggTrades:
    'agg_trade_id,price,quantity,first_trade_id,last_trade_id,transact_time,is_buyer_maker',
  trades: 'id,price,qty,quote_qty,time,is_buyer_maker',
  bookTicker:
    'update_id,best_bid_price,best_bid_qty,best_ask_price,best_ask_qty,transaction_time,event_time',
} as const
const TARDIS_HEADER = 'exchange,symbol,timestamp,local_timestamp,id,side,price,amount'

interface Event {
  readonly id: number
  readonly us: number
  readonly price: number
  readonly qty: number
  readonly flag: boolean
}

export function oddFile(seed: number): OddFile {
  const random = seeded(seed)
  const pick: Pick = (count) => Math.floor(random() * count)
  const chance: Chance = (share) => random() < share
  const kind = KINDS[pick(KINDS.length)]!
  const date = DATES[pick(DATES.length)]!
  const symbol = `ODD${seed}USDT`
  const oddities: string[] = [`${kind.source} ${kind.exchange} ${kind.kind} ${date}`]
  const base = `${symbol}-${kind.kind}-${date}`
  const path =
    kind.source === 'binance'
      ? `data/${kind.folder}/daily/${kind.kind}/${symbol}/${base}.zip`
      : `v1/${kind.folder}/trades/${date.replaceAll('-', '/')}/${symbol}.csv.gz`
  const events = makeEvents(kind, date, pick, chance, oddities)
  const text = textOf(kind, symbol, events, pick, chance, oddities)
  const content = Buffer.from(text)
  const of = { ...kind, date, symbol, path, rows: rowsOf(kind, date, events) }
  const mended =
    kind.source === 'binance' ? zipFile([{ name: `${base}.csv`, content }]) : gzipSync(content)
  const packed = kind.source === 'binance' ? oddZip(base, content, chance, oddities) : mended
  const broken = chance(0.45) ? breakFile(kind, base, content, packed, pick, oddities) : undefined
  const fine = { bytes: packed, checksum: undefined, outcome: 'rows' } as const
  return { ...of, mended, ...(broken ?? fine), oddities }
}

/** Times are whole milliseconds where the source has such. */
function makeEvents(
  { source, exchange }: Kind,
  date: string,
  pick: Pick,
  chance: Chance,
  oddities: string[],
): readonly Event[] {
  const midnight_us = Date.parse(`${date}T00:00:00Z`) * 1_000
  const is_micros = source === 'tardis' || (exchange === 'binance-spot' && date >= '2025-01-01')
  const unit_us = is_micros ? 1 : 1_000
  const spread_us = 3 * 3_600_000_000
  const begin_us = chance(0.3) ? 0 : pick(20 * 3_600_000_000)
  const count = chance(0.1) ? pick(2) : 20 + pick(120)
  const step_us = Math.floor(spread_us / (count + 1))
  let [us, id] = [midnight_us + begin_us, 1_000 + pick(1_000_000_000)]
  const events: Event[] = []
  for (let i = 0; i < count; i++) {
    us += chance(0.2) ? 0 : pick(step_us)
    id += chance(0.03) ? 2 + pick(9) : 1
    events.push({
      id,
      us: Math.floor(us / unit_us) * unit_us,
      price: (1 + pick(9_000_000)) / 100,
      qty: (1 + pick(5_000)) / 1_000,
      flag: chance(0.5),
    })
  }
  const add = (name: string, share: number, change: (at: number) => void): void => {
    if (events.length === 0 || !chance(share)) return
    oddities.push(name)
    change(pick(events.length))
  }
  add('a line twice', 0.4, (at) => events.splice(pick(events.length), 0, events[at]!))
  add('an id with two times', 0.3, (at) => {
    events.splice(at, 0, { ...events[at]!, us: events[at]!.us + unit_us, price: 7.25 })
  })
  add('an id and time with two prices', 0.3, (at) => {
    events.splice(at + 1, 0, { ...events[at]!, price: events[at]!.price + 1 })
  })
  add('a quantity of 0', 0.3, (at) => events.splice(at, 0, { ...events[at]!, id: id + 1, qty: 0 }))
  add('a price of 0', 0.2, (at) => events.splice(at, 0, { ...events[at]!, id: id + 2, price: 0 }))
  add('a block that comes late', 0.3, (at) => events.push(...events.splice(at, 1 + pick(9))))
  add('a row before the day', 0.2, () => {
    events.unshift({ ...events[0]!, id: 5, us: midnight_us - pick(NEAR_MS) * 1_000 - 1_000 })
  })
  add('a row of a far day', 0.2, (at) => {
    const far_us = (chance(0.5) ? 1 : -1) * FAR_MS * 1_000
    events.splice(at, 0, { ...events[at]!, id: id + 3, us: events[at]!.us + far_us })
  })
  add('all rows of another day', 0.05, () => {
    for (const [i, event] of events.entries()) events[i] = { ...event, us: event.us - 9 * 864e8 }
  })
  return events
}

function lineOf({ source, exchange, kind }: Kind, symbol: string, event: Event): string {
  const { id, us, price, qty, flag } = event
  if (source === 'tardis') {
    const side = flag ? 'sell' : 'buy'
    return `binance-futures,${symbol},${us},${us + 900},${id},${side},${price},${qty}`
  }
  const is_micros = exchange === 'binance-spot' && us >= Date.parse('2025-01-01T00:00:00Z') * 1_000
  const ts = is_micros ? us : us / 1_000
  const [word, rest] = exchange === 'binance-spot' ? [flag ? 'True' : 'False', ',True'] : [flag, '']
  if (kind === 'aggTrades')
    return `${id},${price},${qty},${id * 2},${id * 2 + 1},${ts},${word}${rest}`
  if (kind === 'trades') return `${id},${price},${qty},${price * qty},${ts},${word}${rest}`
  return `${id},${price},${qty},${price + 1},${qty},${ts},${ts + 3}`
}

function textOf(
  kind: Kind,
  symbol: string,
  events: readonly Event[],
  pick: Pick,
  chance: Chance,
  oddities: string[],
): string {
  const is = (name: string, share: number): boolean => {
    const is_it = chance(share)
    if (is_it) oddities.push(name)
    return is_it
  }
  const lines = events.map((event) => lineOf(kind, symbol, event))
  if (is('a line that cannot be read', 0.15)) {
    lines.splice(pick(lines.length), 0, kind.source === 'tardis' ? 'x,y' : '17,abc,1')
  }
  if (is('a line of 2 MB', 0.05)) lines.splice(pick(lines.length), 0, '17,'.repeat(700_000))
  const header = kind.source === 'tardis' ? TARDIS_HEADER : HEADERS[kind.kind]
  if (kind.source === 'tardis' || is('a header', 0.5)) lines.unshift(header)
  const end = is('CRLF', 0.25) ? '\r\n' : '\n'
  const tail = is('no newline at the end', 0.3)
    ? ''
    : is('an empty line at the end', 0.2)
      ? end + end
      : end
  const mark = is('a byte order mark', 0.2) ? '\ufeff' : ''
  return `${mark}${lines.join(end)}${lines.length === 0 ? '' : tail}`
}

/** The first of several rows with one key counts; rows far from the day, and empty ones, do not. */
function rowsOf({ source, kind }: Kind, date: string, events: readonly Event[]): readonly string[] {
  const from_us = Date.parse(`${date}T00:00:00Z`) * 1_000
  const rows = new Map<string, string>()
  for (const { id, us, price, qty, flag } of events) {
    if (us < from_us - 600e6 || us >= from_us + 864e8 + 600e6) continue
    const is_empty = price === 0 || qty === 0
    if (is_empty && kind !== 'bookTicker') continue
    const key = `${us} ${id}`
    if (rows.has(key)) continue
    const ids = kind === 'aggTrades' ? [id * 2, id * 2 + 1] : [null, null]
    const received_us = source === 'tardis' ? us + 900 : us
    const ask_is_empty = qty === 0
    const cells =
      kind === 'bookTicker'
        ? [
            ...(is_empty ? [null, null] : [price, qty]),
            ...(ask_is_empty ? [null, null] : [price + 1, qty]),
          ]
        : [price, qty, ...ids, flag]
    rows.set(key, [us, received_us, id, ...cells].join(' '))
  }
  return [...rows.values()].toSorted()
}

function oddZip(base: string, content: Buffer, chance: Chance, oddities: string[]): Buffer {
  const is = (name: string, share: number): boolean => {
    const is_it = chance(share)
    if (is_it) oddities.push(name)
    return is_it
  }
  const entries: ZipEntry[] = []
  const empty = { content: Buffer.alloc(0), is_stored: true }
  if (is('a folder in the zip', 0.2)) entries.push({ name: `${base}/`, ...empty })
  entries.push({
    name: `${base}.csv`,
    content,
    is_stored: is('stored', 0.2),
    has_descriptor: is('a data descriptor', 0.2),
    is_zip64: is('zip64', 0.2),
  })
  if (is('a text file in the zip', 0.2)) entries.push({ name: 'README.txt', ...empty })
  return zipFile(entries)
}

interface Broken {
  readonly bytes: Buffer
  readonly checksum: string | undefined
  readonly outcome: OddFile['outcome']
}

function breakFile(
  { source }: Kind,
  base: string,
  content: Buffer,
  packed: Buffer,
  pick: Pick,
  oddities: string[],
): Broken {
  const zip = (outcome: Broken['outcome'], ...entries: readonly ZipEntry[]): Broken => ({
    bytes: zipFile(entries),
    checksum: undefined,
    outcome,
  })
  const entry = { name: `${base}.csv`, content }
  const ways: readonly (readonly [string, () => Broken])[] = [
    [
      'a wrong checksum',
      () => ({ bytes: packed, checksum: `${'0'.repeat(64)}  x`, outcome: 'error' }),
    ],
    [
      'a checksum that is none',
      () => ({ bytes: packed, checksum: '<html>not found</html>', outcome: 'error' }),
    ],
    [
      'cut short',
      () => ({
        bytes: packed.subarray(0, pick(packed.length)),
        checksum: undefined,
        outcome: 'error',
      }),
    ],
    [
      'a bit that flipped',
      () => {
        const bytes = Buffer.from(packed)
        bytes[pick(bytes.length)]! ^= 1 << pick(8)
        return { bytes, checksum: undefined, outcome: 'either' }
      },
    ],
    [
      'bytes after the end',
      () => ({
        bytes: Buffer.concat([packed, Buffer.from('junk')]),
        checksum: undefined,
        outcome: 'either',
      }),
    ],
    ['two tables', () => zip('error', entry, { ...entry, name: 'b.csv' })],
    ['a name that leaves the folder', () => zip('error', { ...entry, name: `../${base}.csv` })],
    ['an absolute name', () => zip('error', { ...entry, name: `/${base}.csv` })],
    ['another symbol', () => zip('error', { ...entry, name: `X${base}.csv` })],
    ['another day', () => zip('error', { ...entry, name: `${base.slice(0, -2)}39.csv` })],
    ['no table', () => zip('error', { ...entry, name: `${base}.txt` })],
  ]
  const of_gzip = ways.slice(0, 5)
  const other = (): Broken => ({
    bytes: gzipSync(content.toString('latin1').replaceAll(/ODD\d+USDT/g, 'EVENUSDT')),
    checksum: undefined,
    // Without a readable line, nothing says whose it is.
    outcome: isReadable(content) ? 'error' : 'either',
  })
  const fitting =
    source === 'tardis' ? [...of_gzip, ['lines of another symbol', other] as const] : ways
  const [name, make] = fitting[pick(fitting.length)]!
  oddities.push(name)
  return make()
}

/** Whether the first line after the header has its cells. */
function isReadable(content: Buffer): boolean {
  const [header, first] = content.toString('latin1').split(/\r?\n/)
  return first?.split(',').length === header!.split(',').length
}
