/** Order books: from the exchange's socket to the committed row. */
import { chosen, type DashboardSpec, figure, lines, quantile, rate } from './panel.ts'

export const ORDERBOOKS: DashboardSpec = {
  name: 'booktape-orderbooks',
  title: 'booktape / Order books',
  description:
    'Is the market heard: messages, sockets, streams, books, latency, the tape and gaps.',
  chosen_from: 'ingestor_info',
  rows: [
    {
      title: 'Feed',
      panels: [
        figure(
          'Messages per minute',
          { unit: 'cpm', description: 'Frames that all ingestors received.' },
          `60 * sum(${rate('ingestor_frames_received_total')})`,
        ),
        figure(
          'Streams without a socket',
          { unit: 'short', description: 'Usual: 0, and for seconds after a start.', limit: 1 },
          `sum(${chosen('ingestor_streams', 'kind="wanted"')}) - sum(${chosen('ingestor_streams', 'kind="heard"')})`,
        ),
        figure(
          'Books out of sequence',
          { unit: 'short', description: 'Usual: 0. Each waits for a snapshot.', limit: 1 },
          `sum(${chosen('ingestor_books', 'state="out_of_sequence"')})`,
        ),
        figure(
          'Open gaps',
          { unit: 'short', description: 'Streams that are not heard, though they should be.' },
          `sum(${chosen('ingestor_streams_lost')})`,
        ),
        lines(
          'Messages received',
          { unit: 'cps', description: 'Frames per second taken from sockets.' },
          [rate('ingestor_frames_received_total'), '{{instance}}'],
        ),
        lines(
          'Quietest symbols',
          {
            unit: 's',
            description:
              'Time since the last frame, ten longest. With METRICS_PER_SYMBOL=0 it is empty.',
          },
          [`topk(10, ${chosen('ingestor_stream_age_seconds')})`, '{{symbol}} {{channel}}'],
        ),
        lines('State', { unit: 'short', description: '1: the state that each ingestor is in.' }, [
          `${chosen('ingestor_state')} == 1`,
          '{{instance}} {{state}}',
        ]),
        lines(
          'WebSocket connections',
          {
            unit: 'short',
            description: 'Sockets by state. Ready: all subscriptions are answered.',
          },
          [`sum by (state) (${chosen('ingestor_sockets')})`, '{{state}}'],
        ),
        lines(
          'Streams',
          { unit: 'short', description: 'By channel: wanted, and carried by an open socket.' },
          [`sum by (channel, kind) (${chosen('ingestor_streams')})`, '{{channel}} {{kind}}'],
        ),
        lines('Books', { unit: 'short', description: 'Local order books by state.' }, [
          `sum by (state) (${chosen('ingestor_books')})`,
          '{{state}}',
        ]),
      ],
    },
    {
      title: 'Latency',
      panels: [
        lines(
          'Receipt to commit',
          { unit: 's', description: 'Of the oldest frame of each batch.', limit: 0.3 },
          [quantile(0.5, 'ingestor_commit_lag_seconds'), 'p50'],
          [quantile(0.99, 'ingestor_commit_lag_seconds'), 'p99'],
        ),
        lines(
          'Longest wait now',
          { unit: 's', description: 'Of a frame for its commit, in the last second.' },
          [chosen('ingestor_lag_seconds'), '{{instance}}'],
        ),
        lines(
          'Exchange to receipt',
          { unit: 's', description: 'Median over streams. Negative: our clock is behind.' },
          [chosen('ingestor_exchange_delay_seconds'), '{{instance}}'],
        ),
        lines(
          'Threads',
          { unit: 'percentunit', description: 'Share of time that a thread was busy.', limit: 0.9 },
          [rate('ingestor_thread_busy_seconds_total'), '{{instance}} {{thread}}'],
        ),
      ],
    },
    {
      title: 'Tape and gaps',
      panels: [
        lines(
          'Tape backlog',
          { unit: 'bytes', description: 'On the tape and not in Postgres yet, and the limit.' },
          [chosen('ingestor_tape_backlog_bytes'), '{{instance}}'],
          [chosen('ingestor_tape_limit_bytes'), '{{instance}} limit'],
        ),
        lines('New gaps', { unit: 'cps', description: 'Rows of the gap ledger per second.' }, [
          rate('ingestor_gaps_total'),
          '{{instance}}',
        ]),
        lines(
          'Rejected, refused and contradicting',
          {
            unit: 'cps',
            description: 'Usual: 0. Frames rejected, rows refused, rows in conflict.',
          },
          [rate('ingestor_frames_rejected_total'), '{{instance}} frames rejected'],
          [rate('ingestor_dead_letters_total'), '{{instance}} dead letters'],
          [
            `sum by (instance) (${rate('ingestor_rows_conflicting_total')})`,
            '{{instance}} conflicts',
          ],
        ),
        lines(
          'Age of the oldest open gap',
          { unit: 's', description: 'Quiet streams keep one until their next event.' },
          [chosen('ingestor_stream_lost_age_seconds_max'), '{{instance}}'],
        ),
      ],
    },
  ],
}
