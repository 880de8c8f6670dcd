/** One symbol: its streams, how much came in the last hour, its book and its gaps. */
import { useMemo } from 'preact/hooks'
import { count, duration } from '../state/words.ts'
import type { SymbolDetail } from '../wire.ts'
import { useAsk } from './api.ts'
import { GapTable } from './gap-table.tsx'
import { Badge, Card, Empty, Failure, stamp, Table } from './parts.tsx'
import { Spark } from './spark.tsx'

export function Symbol({
  exchange,
  symbol,
}: {
  readonly exchange: string
  readonly symbol: string
}) {
  const path = `/symbols/${encodeURIComponent(exchange)}/${encodeURIComponent(symbol)}`
  const { data, error } = useAsk<SymbolDetail>(path, 3_000)
  const book = data?.streams.find(({ is_book_in_sequence }) => is_book_in_sequence !== null)
  return (
    <>
      <p class="back">
        <a href="#/streams">← all streams</a>
      </p>
      <Card title={symbol} note={exchange}>
        <Failure error={error} what="The symbol" />
        {data === undefined ? null : data.streams.length === 0 ? (
          <Empty>No ingestor that answers records {symbol}.</Empty>
        ) : (
          <>
            <p>
              Order book:{' '}
              {book === undefined ? (
                <Badge mark="off">not kept</Badge>
              ) : book.is_book_in_sequence === true ? (
                <Badge mark="ok">in sequence</Badge>
              ) : (
                <Badge mark="bad">not in sequence: not served until a snapshot mends it</Badge>
              )}
            </p>
            <Streams streams={data.streams} />
          </>
        )}
      </Card>
      <Card title="Last hour" note="events a minute, from the one-second rollups">
        {data === undefined || data.minutes.length === 0 ? (
          <Empty>
            {data?.gaps_error ??
              'The rollups have no minute of this symbol yet. They follow within a minute.'}
          </Empty>
        ) : (
          <div class="minutes">
            {data.minutes.map((one) => (
              <Minutes key={one.channel} {...one} />
            ))}
          </div>
        )}
      </Card>
      <Card title="Gaps" note="the newest 100">
        {data === undefined ? null : data.gaps_error !== null ? (
          <Failure error={data.gaps_error} what="Its gaps" />
        ) : data.gaps.length === 0 ? (
          <Empty>Nothing is missing of this symbol.</Empty>
        ) : (
          <GapTable gaps={data.gaps} />
        )}
      </Card>
    </>
  )
}

function Streams({ streams }: { readonly streams: SymbolDetail['streams'] }) {
  return (
    <Table
      caption="Streams of the symbol"
      head={[
        'Stream',
        'State',
        'Ingestor',
        ['Frames', 'n'],
        ['Since the last', 'n'],
        'Newest event (UTC)',
        'Lost',
      ]}
    >
      {streams.map((stream) => (
        <tr key={`${stream.ingestor_id} ${stream.stream}`}>
          <th scope="row">
            {stream.channel}
            <small>{stream.stream}</small>
          </th>
          <td>
            <Badge mark={stream.is_heard ? 'ok' : 'bad'}>
              {stream.refusal ?? (stream.is_heard ? 'heard' : 'not heard')}
            </Badge>
          </td>
          <td>{stream.ingestor_id}</td>
          <td class="n">{count(stream.frame_count)}</td>
          <td class="n">{stream.silent_ms === null ? '–' : duration(stream.silent_ms / 1_000)}</td>
          <td>{stream.last_event_at === null ? '–' : stamp(stream.last_event_at)}</td>
          <td>
            {stream.lost === null ? '–' : `${stream.lost.cause} since ${stamp(stream.lost.since)}`}
          </td>
        </tr>
      ))}
    </Table>
  )
}

function Minutes({ channel, from, counts }: SymbolDetail['minutes'][number]) {
  const times = useMemo(
    () => counts.map((_, i) => Date.parse(from) / 1_000 + i * 60),
    [from, counts],
  )
  return (
    <section>
      <h3>{channel}</h3>
      <Spark
        label={`${channel} per minute`}
        times={times}
        values={counts}
        format={(value) => `${count(Math.round(value))}/min`}
        height={150}
        has_axes
      />
    </section>
  )
}
