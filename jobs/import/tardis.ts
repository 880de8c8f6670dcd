/**
 * CSV files of Tardis: their lines. Source: docs.tardis.dev, "Downloadable CSV files". Columns are
 * found by the header's names. `timestamp` becomes ts_exchange, `local_timestamp` ts_ingest; both
 * are microseconds. Quotes and books have no id of the exchange. Theirs is `local_timestamp`, or
 * one more than that of the row before: it rises over all days, and a file that the source has
 * replaced gives the same rows the same ids.
 */
import type { Exchange } from '#core/symbols.ts'
import {
  type FileKind,
  idOf,
  type LineParser,
  numberOf,
  type Parsed,
  rejected,
  type Unsupported,
} from './kind.ts'

const SILENCE_US = 300_000_000

export const TARDIS_EXCHANGES: Readonly<Record<string, Exchange>> = {
  'binance-futures': 'binance-futures',
  binance: 'binance-spot',
  deribit: 'deribit',
  bybit: 'bybit-linear',
}

type Named = (name: string) => string | undefined

interface Line {
  readonly of: Named
  /** Rises from line to line. */
  readonly made_id: number
  readonly ts_exchange: number
  readonly ts_ingest: number
}

/** One row a line. */
function linewise(of_line: (line: Line) => readonly Parsed[]): () => LineParser {
  return () => {
    const read = createReader()
    return {
      parse(text) {
        const line = read(text)
        return line === undefined ? [] : 'kind' in line ? [line] : of_line(line)
      },
      end: () => [],
    }
  }
}

function createReader(): (
  text: string,
) => Line | Extract<Parsed, { kind: 'rejected' }> | undefined {
  let places: ReadonlyMap<string, number> | undefined
  let made_id = 0
  return (text) => {
    if (text === '') return undefined
    const cells = text.split(',')
    if (places === undefined) {
      places = new Map(cells.map((name, i) => [name, i]))
      if (places.has('timestamp') && places.has('local_timestamp')) return undefined
      return { kind: 'rejected', reason: 'the first line is not a header of Tardis' }
    }
    const of: Named = (name) => cells[places!.get(name) ?? -1]
    const [ts_exchange, ts_ingest] = [idOf(of('timestamp')), idOf(of('local_timestamp'))]
    if (ts_exchange === undefined || ts_ingest === undefined) {
      return { kind: 'rejected', reason: 'no time' }
    }
    made_id = Math.max(made_id + 1, ts_ingest)
    return { of, made_id, ts_exchange, ts_ingest }
  }
}

function trade({ of, ts_exchange, ts_ingest }: Line): readonly Parsed[] {
  const id = idOf(of('id'))
  const [price, qty] = [numberOf(of('price')), numberOf(of('amount'))]
  const side = of('side')
  if (id === undefined) return rejected('no whole number as id')
  if (price === undefined || qty === undefined) return rejected('no price or quantity')
  if (price === 0 || qty === 0) return [{ kind: 'void', id }]
  if (side !== 'buy' && side !== 'sell') return rejected('no side')
  const cells = [ts_exchange, ts_ingest, id, price, qty, null, null, null, side === 'sell']
  return [{ kind: 'row', ts_exchange, id, cells }]
}

function quote({ of, made_id, ts_exchange, ts_ingest }: Line): readonly Parsed[] {
  const side = (name: string): readonly (number | null)[] => {
    const [price, qty] = [numberOf(of(`${name}_price`)), numberOf(of(`${name}_amount`))]
    return price === undefined || qty === undefined || price === 0 || qty === 0
      ? [null, null]
      : [price, qty]
  }
  const [[best_bid, bid_qty], [best_ask, ask_qty]] = [side('bid'), side('ask')] as const
  const cells = [ts_exchange, ts_ingest, made_id, best_bid!, best_ask!, bid_qty!, ask_qty!]
  return [{ kind: 'row', ts_exchange, id: null, cells }]
}

function ticker({ of, ts_exchange, ts_ingest }: Line): readonly Parsed[] {
  const mark = numberOf(of('mark_price'))
  if (mark === undefined) return [{ kind: 'void', id: null }]
  const cells = [
    ts_exchange,
    ts_ingest,
    mark,
    numberOf(of('index_price')) ?? null,
    null,
    numberOf(of('funding_rate')) ?? null,
    idOf(of('funding_timestamp')) ?? null,
  ]
  return [{ kind: 'row', ts_exchange, id: null, cells }]
}

function liquidation({ of, ts_exchange, ts_ingest }: Line): readonly Parsed[] {
  const [price, qty] = [numberOf(of('price')), numberOf(of('amount'))]
  const side = of('side')
  if (price === undefined || qty === undefined) return rejected('no price or quantity')
  if (side !== 'buy' && side !== 'sell') return rejected('no side')
  const cells = [ts_exchange, ts_ingest, side, price, qty, price, qty]
  return [{ kind: 'row', ts_exchange, id: null, cells }]
}

/** A line of a snapshot file: the best N levels of both sides. */
function snapshot({ of, made_id, ts_exchange, ts_ingest }: Line): readonly Parsed[] {
  const side = (name: string): readonly (readonly [number, number])[] => {
    const found: (readonly [number, number])[] = []
    for (let i = 0; of(`${name}[${i}].price`) !== undefined; i++) {
      const price = numberOf(of(`${name}[${i}].price`))
      const qty = numberOf(of(`${name}[${i}].amount`))
      if (price !== undefined && qty !== undefined) found.push([price, qty])
    }
    return found
  }
  const levels = [side('bids'), side('asks')]
  const cells = [ts_exchange, ts_ingest, made_id, 'partial', null, null, ...levels]
  return [{ kind: 'row', ts_exchange, id: null, cells }]
}

interface Change {
  readonly line: Line
  readonly is_snapshot: boolean
  readonly bids: (readonly [number, number])[]
  readonly asks: (readonly [number, number])[]
}

/** Lines of one message become one event: they share both times and `is_snapshot`. */
function createBookParser(): LineParser {
  const read = createReader()
  let open: Change | undefined
  /** Of the event before. */
  let last_id: number | null = null
  const close = (): readonly Parsed[] => {
    if (open === undefined) return []
    const { line, is_snapshot, bids, asks } = open
    const { made_id, ts_exchange, ts_ingest } = line
    open = undefined
    const cells = is_snapshot
      ? [ts_exchange, ts_ingest, made_id, 'snapshot', null, null, bids, asks]
      : [ts_exchange, ts_ingest, made_id, 'diff', made_id, last_id, bids, asks]
    last_id = made_id
    return [{ kind: 'row', ts_exchange, id: null, cells }]
  }
  return {
    parse(text) {
      const line = read(text)
      if (line === undefined) return []
      if ('kind' in line) return [line]
      const { of } = line
      const [price, qty] = [numberOf(of('price')), numberOf(of('amount'))]
      const side = of('side')
      if (price === undefined || qty === undefined || (side !== 'bid' && side !== 'ask')) {
        return rejected('no level')
      }
      const is_snapshot = of('is_snapshot') === 'true'
      const is_same =
        open !== undefined &&
        open.is_snapshot === is_snapshot &&
        open.line.ts_exchange === line.ts_exchange &&
        open.line.ts_ingest === line.ts_ingest
      const done = is_same ? [] : close()
      open ??= { line, is_snapshot, bids: [], asks: [] }
      open[side === 'bid' ? 'bids' : 'asks'].push([price, qty])
      return done
    },
    end: close,
  }
}

const steady = {
  is_stamped_once: false,
  ids_are_consecutive: false,
  silence_us: SILENCE_US,
} as const
const quiet = { ...steady, silence_us: undefined } as const

const SIMPLE: readonly FileKind[] = [
  {
    name: 'trades',
    table: 'trades',
    identity: 'id',
    ...quiet,
    ids_are_consecutive: true,
    trades_are: 'single',
    createParser: linewise(trade),
  },
  {
    name: 'quotes',
    table: 'book_ticker',
    identity: 'seconds',
    ...steady,
    createParser: linewise(quote),
  },
  {
    name: 'derivative_ticker',
    table: 'mark_price',
    identity: 'key',
    ...steady,
    createParser: linewise(ticker),
  },
  {
    name: 'liquidations',
    table: 'liquidations',
    identity: 'key',
    ...quiet,
    createParser: linewise(liquidation),
  },
  {
    name: 'incremental_book_L2',
    table: 'depth_events',
    identity: 'hours',
    ...steady,
    createParser: createBookParser,
  },
]

/** `book_snapshot_5`, `book_snapshot_25`: any number of levels. */
const SNAPSHOTS: FileKind = {
  name: 'book_snapshot_N',
  table: 'depth_events',
  identity: 'hours',
  ...steady,
  createParser: linewise(snapshot),
}

export const TARDIS_KINDS: readonly FileKind[] = [...SIMPLE, SNAPSHOTS]

export function tardisKind(name: string): FileKind | undefined {
  if (/^book_snapshot_[1-9]\d{0,3}$/.test(name)) return { ...SNAPSHOTS, name }
  return SIMPLE.find((kind) => kind.name === name)
}

/** Exchanges whose trades have ids that count, as the recorded ones do. */
export const TARDIS_TRADES: readonly Exchange[] = ['binance-futures', 'binance-spot']

export const TARDIS_UNSUPPORTED: readonly Unsupported[] = [
  { name: 'book_ticker', why: 'quotes has the same and more' },
  { name: 'options_chain', why: 'there is no table of options' },
]
