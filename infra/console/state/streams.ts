/** All streams of all ingestors as a grid: one line per symbol, one cell per channel. */
import { CHANNELS } from '#core/market.ts'
import type { StreamView } from '../../../ingestor/control/view.ts'
import type { IngestorStreams } from '../ingestors/fleet.ts'
import type { CellView, IngestorView, StreamsView, SymbolView } from '../wire.ts'
import type { PaceBook } from './pace.ts'

const FORGET_MS = 600_000

export function judgeStreams(
  answers: readonly IngestorStreams[],
  ingestors: readonly IngestorView[],
  paces: PaceBook,
  now_ms: number,
): StreamsView {
  const symbols = answers.flatMap((answer) => {
    const status = ingestors.find(({ ingestor_id }) => ingestor_id === answer.ingestor_id)?.status
    return gridOf(answer, status?.ingestor.uptime_s ?? 0, paces)
  })
  paces.forgetBefore(now_ms - FORGET_MS)
  const present = new Set(symbols.flatMap(({ cells }) => cells.map(({ channel }) => channel)))
  return {
    at: new Date(now_ms).toISOString(),
    channels: CHANNELS.filter((channel) => present.has(channel)),
    symbols: symbols.toSorted((left, right) => orderOf(left, right)),
  }
}

function gridOf(
  { ingestor_id, exchange, asked_at_ms, streams }: IngestorStreams,
  uptime_s: number,
  paces: PaceBook,
): readonly SymbolView[] {
  const symbols = new Map<
    string,
    { is_book_in_sequence: boolean | null; cells: Map<string, CellView> }
  >()
  for (const stream of streams) {
    const { symbol, channel, is_book_in_sequence } = stream
    const key = `${ingestor_id} ${stream.stream}`
    const { pace, normal_ms } = paces.judge(key, stream, asked_at_ms, uptime_s)
    const cell: CellView = {
      channel,
      pace,
      silent_ms: stream.silent_ms,
      normal_ms: normal_ms === null ? null : Math.round(normal_ms),
      frames_per_s: normal_ms === null ? null : Math.round(100_000 / normal_ms) / 100,
      cause: stream.lost?.cause ?? stream.refusal,
      delay_ms: delayOf(stream),
    }
    const line = symbols.get(symbol) ?? { is_book_in_sequence: null, cells: new Map() }
    symbols.set(symbol, line)
    line.is_book_in_sequence = is_book_in_sequence ?? line.is_book_in_sequence
    // A channel may have several streams of one symbol. The cell shows the worst.
    const other = line.cells.get(channel)
    if (other === undefined || rankOf(cell) > rankOf(other)) line.cells.set(channel, cell)
  }
  return [...symbols].map(([symbol, { is_book_in_sequence, cells }]) => ({
    ingestor_id,
    exchange,
    symbol,
    is_book_in_sequence,
    cells: [...cells.values()],
  }))
}

/** Includes the writer's backlog, normally some tenths of a second. */
function delayOf({ last_frame_at, last_event_at }: StreamView): number | null {
  if (last_frame_at === null || last_event_at === null) return null
  return Date.parse(last_frame_at) - Date.parse(last_event_at)
}

const RANKS = { ok: 0, new: 1, late: 2, silent: 3, unheard: 4, refused: 5 } as const

export function rankOf({ pace }: Pick<CellView, 'pace'>): number {
  return RANKS[pace]
}

function orderOf(left: SymbolView, right: SymbolView): number {
  if (left.exchange !== right.exchange) return left.exchange < right.exchange ? -1 : 1
  return left.symbol < right.symbol ? -1 : 1
}
