/** Business: what users get. Coverage of the market, quality of the data, uptime, datasets. */
import { chosen, type DashboardSpec, figure, lines, quantile, rate } from './panel.ts'

const HEARD = `sum(${chosen('ingestor_streams', 'kind="heard"')})`
const WANTED = `sum(${chosen('ingestor_streams', 'kind="wanted"')})`

export const BUSINESS: DashboardSpec = {
  name: 'booktape-business',
  title: 'booktape / Business',
  description: 'Market coverage, data quality, uptime, datasets to download, the live stream.',
  chosen_from: 'up',
  rows: [
    {
      title: 'Coverage',
      panels: [
        figure(
          'Active symbols',
          { unit: 'short', description: 'Recorded by all ingestors.' },
          `sum(${chosen('ingestor_symbols')})`,
        ),
        figure(
          'Market coverage',
          { unit: 'percentunit', description: 'Wanted streams that an open socket carries.' },
          `${HEARD} / ${WANTED}`,
        ),
        figure(
          'State of the installation',
          { unit: 'short', description: '1 for the level that the console shows.' },
          `${chosen('console_level')} == 1`,
          '{{level}}',
        ),
        lines('Symbols', { unit: 'short', description: 'By ingestor.' }, [
          chosen('ingestor_symbols'),
          '{{instance}}',
        ]),
        lines(
          'Events stored',
          { unit: 'wps', description: 'By table: quotes, trades, depth and the rest.' },
          [`sum by (table) (${rate('ingestor_rows_written_total')})`, '{{table}}'],
        ),
      ],
    },
    {
      title: 'Quality',
      panels: [
        figure(
          'Streams without an open gap',
          { unit: 'percentunit', description: 'The quality score of the feed now.' },
          `1 - sum(${chosen('ingestor_streams_lost')}) / ${WANTED}`,
        ),
        figure(
          'Books in sequence',
          { unit: 'percentunit', description: 'Books that their ids prove complete.' },
          `sum(${chosen('ingestor_books', 'state="in_sequence"')}) / sum(${chosen('ingestor_books')})`,
        ),
        lines(
          'Gaps of the last day',
          { unit: 'short', description: 'Not refilled yet. Quotes and depth cannot be.' },
          [chosen('ingestor_gaps_open'), '{{instance}}'],
        ),
        lines(
          'Frames accepted',
          { unit: 'percentunit', description: 'Share that could be read. Usual: 100 %.' },
          [
            `1 - sum(${rate('ingestor_frames_rejected_total')}) / sum(${rate('ingestor_frames_received_total')})`,
            'accepted',
          ],
        ),
        lines(
          'Troubles that the console names',
          { unit: 'short', description: 'By code. Usual: none, which is drawn as 0.' },
          [`sum by (code) (${chosen('console_troubles')}) or vector(0)`, '{{code}}'],
        ),
      ],
    },
    {
      title: 'Uptime, jobs and datasets',
      panels: [
        figure(
          'Uptime of recording',
          { unit: 'percentunit', description: 'Share of scrapes of the chosen time that worked.' },
          `avg(avg_over_time(${chosen('up')}[$__range]))`,
        ),
        lines(
          'Runs of jobs',
          { unit: 'cpm', description: 'Ended runs per minute, by job and status.' },
          [
            `60 * sum by (job_name, status) (${rate('jobs_runs_total')})`,
            '{{job_name}} {{status}}',
          ],
        ),
        lines('Duration of runs', { unit: 's', description: 'p99 by job.' }, [
          quantile(0.99, 'jobs_run_duration_seconds', 'job_name'),
          '{{job_name}}',
        ]),
        lines(
          'Time since the last success',
          { unit: 's', description: 'By job. Nightly jobs go up to a day.' },
          [`time() - ${chosen('jobs_last_success_timestamp_seconds')}`, '{{job_name}}'],
        ),
        lines('Queue', { unit: 'short', description: 'Jobs by state. Dead: no attempt is left.' }, [
          `sum by (state) (${chosen('jobs_queue_jobs')})`,
          '{{state}}',
        ]),
        figure(
          'Newest day of each dataset',
          { unit: 'dateTimeAsIso', description: 'Published, complete or of today so far.' },
          `1000 * ${chosen('jobs_dataset_newest_day_timestamp_seconds')}`,
          '{{dataset}}',
        ),
        lines(
          'Rows and bytes published',
          { unit: 'Bps', description: 'Bytes that jobs write to the object store.' },
          [`sum by (job_name) (${rate('jobs_published_bytes_total')})`, '{{job_name}}'],
        ),
      ],
    },
    {
      title: 'Live stream',
      panels: [
        lines('Clients', { unit: 'short', description: 'Connected to live servers, by kind.' }, [
          `sum by (kind) (${chosen('live_clients')})`,
          '{{kind}}',
        ]),
        lines(
          'Delay of messages',
          {
            unit: 's',
            description: 'From receipt until the message leaves. Usual p99: below 0.1 s.',
            limit: 1,
          },
          [quantile(0.5, 'live_delay_seconds'), 'p50'],
          [quantile(0.99, 'live_delay_seconds'), 'p99'],
        ),
        lines(
          'Behind the tape',
          { unit: 's', description: 'Age of the oldest record not read yet.', limit: 10 },
          [chosen('live_behind_seconds'), '{{instance}}'],
        ),
        lines(
          'Messages and records',
          { unit: 'wps', description: 'Records read, and messages made for all clients at once.' },
          [`sum(${rate('live_records_total')})`, 'records'],
          [`sum(${rate('live_messages_total')})`, 'messages'],
        ),
        lines('Bytes sent', { unit: 'Bps', description: 'To all clients together.' }, [
          `sum(${rate('live_sent_bytes_total')})`,
          'sent',
        ]),
        lines(
          'Connections ended',
          {
            unit: 'cpm',
            description: 'Per minute, by reason. consumer_too_slow and failed have alerts.',
          },
          [`60 * sum by (reason) (${rate('live_closes_total')})`, '{{reason}}'],
        ),
        lines(
          'Subscriptions resumed',
          { unit: 'cpm', description: 'Per minute, by where the missed rows came from.' },
          [`60 * sum by (source) (${rate('live_resumes_total')})`, '{{source}}'],
        ),
      ],
    },
  ],
}
