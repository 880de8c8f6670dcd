/** All symbols by channel: the age of the newest frame against what is usual for that stream. */
import { useEffect, useState } from 'preact/hooks'
import { counted, duration } from '../state/words.ts'
import type { CellView, Pace, StreamsView, SymbolView } from '../wire.ts'
import { useAsk } from './api.ts'
import { Card, Empty, Failure } from './parts.tsx'

export const PACES: Readonly<Record<Pace, { readonly mark: string; readonly word: string }>> = {
  ok: { mark: '●', word: 'as usual' },
  late: { mark: '◐', word: 'later than usual' },
  silent: { mark: '■', word: 'silent' },
  unheard: { mark: '✕', word: 'not heard' },
  refused: { mark: '⊘', word: 'refused by the exchange' },
  new: { mark: '○', word: 'too little is known' },
}
const ORDER: readonly Pace[] = ['ok', 'late', 'silent', 'unheard', 'refused', 'new']
const NAMES: Readonly<Record<string, string>> = {
  book_ticker: 'quotes',
  trades: 'trades',
  depth_events: 'depth',
  mark_price: 'mark',
  liquidations: 'liquid.',
  prices: 'index',
}
const COLUMN_PX = 470
const SYMBOLS_WIDE = 30

export function Streams() {
  const { data, error } = useAsk<StreamsView>('/streams', 1_500)
  const [text, setText] = useState('')
  const [only_odd, setOnlyOdd] = useState(false)
  const wanted = (data?.symbols ?? []).filter(
    ({ symbol, cells, is_book_in_sequence }) =>
      symbol.toUpperCase().includes(text.trim().toUpperCase()) &&
      (!only_odd || cells.some(isOdd) || is_book_in_sequence === false),
  )
  return (
    <Card
      title="Streams"
      note={
        data === undefined
          ? undefined
          : `${counted(data.symbols.length, 'symbol')}, ${counted(data.channels.length, 'channel')}`
      }
    >
      <Failure error={error} what="The streams" />
      <div class="filters">
        <label>
          Symbol{' '}
          <input
            type="search"
            value={text}
            onInput={(event) => setText(event.currentTarget.value)}
            placeholder="all"
          />
        </label>
        <label class="check">
          <input
            type="checkbox"
            checked={only_odd}
            onChange={(event) => setOnlyOdd(event.currentTarget.checked)}
          />{' '}
          only what is not as usual
        </label>
        <Legend symbols={data?.symbols ?? []} />
      </div>
      {data === undefined ? (
        error === undefined ? (
          <Empty>Asking the ingestors.</Empty>
        ) : null
      ) : wanted.length === 0 ? (
        <Empty>
          {data.symbols.length === 0
            ? 'No ingestor says what it hears. The overview says who answers.'
            : only_odd
              ? 'Every stream is as usual, and every book is in sequence.'
              : `No recorded symbol contains "${text}".`}
        </Empty>
      ) : (
        [...new Set(wanted.map(({ exchange }) => exchange))].map((exchange) => (
          <Grids
            key={exchange}
            exchange={exchange}
            symbols={wanted.filter((one) => one.exchange === exchange)}
            channels={data.channels}
          />
        ))
      )}
      <p class="muted">
        The time is that since the last frame. A stream is silent after 25 times its usual wait, 2.5
        times its longest one, and 2.5 s at least. Choose a symbol for its history, gaps and book.
      </p>
    </Card>
  )
}

export function isOdd({ pace }: CellView): boolean {
  return pace !== 'ok' && pace !== 'new'
}

function isBroken({ cells }: SymbolView): boolean {
  return cells.some(({ pace }) => pace === 'silent' || pace === 'unheard' || pace === 'refused')
}

function Legend({ symbols }: { readonly symbols: readonly SymbolView[] }) {
  const cells = symbols.flatMap((one) => one.cells)
  const broken_books = symbols.filter((one) => one.is_book_in_sequence === false)
  return (
    <ul class="legend" aria-label="What the signs mean">
      {ORDER.map((pace) => {
        const n = cells.filter((cell) => cell.pace === pace).length
        return n === 0 && pace !== 'ok' && pace !== 'silent' ? null : (
          <li key={pace}>
            <span class={`cell ${pace}`}>
              <i aria-hidden="true">{PACES[pace].mark}</i>
            </span>{' '}
            {PACES[pace].word} <b>{n}</b>
          </li>
        )
      })}
      {broken_books.length === 0 ? null : (
        <li>
          <b class="bad-text" aria-hidden="true">
            ≠
          </b>{' '}
          book not in sequence <b>{broken_books.length}</b>
        </li>
      )}
    </ul>
  )
}

function Grids(props: {
  readonly exchange: string
  readonly symbols: readonly SymbolView[]
  readonly channels: readonly string[]
}) {
  const { exchange } = props
  const channels = props.channels.filter((channel) =>
    props.symbols.some(({ cells }) => cells.some((cell) => cell.channel === channel)),
  )
  // Broken streams come first.
  const symbols = props.symbols.toSorted(
    (left, right) => Number(isBroken(right)) - Number(isBroken(left)),
  )
  const width = useWidth()
  const fits = Math.max(1, Math.min(4, Math.floor(width / COLUMN_PX)))
  const columns = symbols.length < SYMBOLS_WIDE ? 1 : fits
  const size = Math.ceil(symbols.length / columns)
  return (
    <section>
      <h3>{exchange}</h3>
      <div class={`grids ${columns === 1 ? 'single' : ''}`}>
        {Array.from({ length: columns }, (_, i) => symbols.slice(i * size, (i + 1) * size)).map(
          (some) => (
            <table class="grid" key={some[0]?.symbol}>
              <caption class="hidden">Streams by symbol and channel</caption>
              <thead>
                <tr>
                  <th scope="col">symbol</th>
                  {channels.map((channel) => (
                    <th scope="col" key={channel} title={channel}>
                      {NAMES[channel] ?? channel}
                    </th>
                  ))}
                </tr>
              </thead>
              <tbody>
                {some.map((line) => (
                  <SymbolLine
                    key={`${line.ingestor_id} ${line.symbol}`}
                    line={line}
                    channels={channels}
                  />
                ))}
              </tbody>
            </table>
          ),
        )}
      </div>
    </section>
  )
}

function SymbolLine({
  line,
  channels,
}: {
  readonly line: SymbolView
  readonly channels: readonly string[]
}) {
  const { symbol, exchange, cells, is_book_in_sequence } = line
  return (
    <tr>
      <th scope="row">
        <a
          href={`#/streams/${encodeURIComponent(exchange)}/${encodeURIComponent(symbol)}`}
          title={exchange}
        >
          {symbol}
        </a>
        {is_book_in_sequence === false ? (
          <b class="bad-text" title="Its order book is not in sequence">
            {' '}
            ≠
          </b>
        ) : null}
      </th>
      {channels.map((channel) => {
        const cell = cells.find((one) => one.channel === channel)
        return cell === undefined ? (
          <td key={channel} class="none">
            <span aria-label="not recorded">–</span>
          </td>
        ) : (
          <td key={channel}>
            <span class={`cell ${cell.pace}`} title={cellWords(symbol, cell)}>
              <i aria-label={PACES[cell.pace].word}>{PACES[cell.pace].mark}</i>
              {cell.silent_ms === null ? '–' : age(cell.silent_ms)}
            </span>
          </td>
        )
      })}
    </tr>
  )
}

/** Ages below one second are shown as such, without a figure. */
function age(silent_ms: number): string {
  return silent_ms < 1_000 ? '<1 s' : duration(silent_ms / 1_000)
}

function cellWords(
  symbol: string,
  { channel, pace, silent_ms, normal_ms, cause }: CellView,
): string {
  const last = silent_ms === null ? 'no frame yet' : `last frame ${duration(silent_ms / 1_000)} ago`
  const usual = normal_ms === null ? '' : `, usually one every ${duration(normal_ms / 1_000)}`
  return `${symbol} ${channel}: ${PACES[pace].word}; ${last}${usual}${cause === null ? '' : ` (${cause})`}`
}

function useWidth(): number {
  const read = (): number => document.querySelector('main')?.clientWidth ?? innerWidth
  const [width, setWidth] = useState(read())
  useEffect(() => {
    const update = (): void => setWidth(read())
    update()
    addEventListener('resize', update)
    return () => removeEventListener('resize', update)
  }, [])
  return width
}
