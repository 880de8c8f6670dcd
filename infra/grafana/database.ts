/** Database: Postgres, what writes to it, what reads from it, and what keeps it small. */
import { chosen, type DashboardSpec, figure, lines, quantile, rate } from './panel.ts'

const OURS = 'datname!~"template.*|postgres|"'

export const DATABASE: DashboardSpec = {
  name: 'booktape-database',
  title: 'booktape / Database',
  description: 'Connections, writes, queries and storage of Postgres, and the jobs that bound it.',
  chosen_from: 'up',
  rows: [
    {
      title: 'Server',
      panels: [
        figure(
          'Postgres answers',
          { unit: 'bool_yes_no', description: 'As its exporter sees it.' },
          `min(${chosen('pg_up')})`,
        ),
        figure(
          'Connections taken',
          { unit: 'percentunit', description: 'Share of max_connections.', limit: 0.8 },
          `sum(${chosen('pg_stat_activity_count')}) / max(${chosen('pg_settings_max_connections')})`,
        ),
        lines(
          'Connections',
          { unit: 'short', description: 'By state, and the limit.' },
          [`sum by (state) (${chosen('pg_stat_activity_count')})`, '{{state}}'],
          [`max(${chosen('pg_settings_max_connections')})`, 'limit'],
        ),
        lines(
          'Transactions',
          { unit: 'cps', description: 'Committed and rolled back. The gateway always rolls back.' },
          [`sum(${rate('pg_stat_database_xact_commit', OURS)})`, 'committed'],
          [`sum(${rate('pg_stat_database_xact_rollback', OURS)})`, 'rolled back'],
        ),
        lines(
          'Cache hits',
          { unit: 'percentunit', description: 'Blocks found in shared buffers.' },
          [
            `sum(${rate('pg_stat_database_blks_hit', OURS)}) / (sum(${rate('pg_stat_database_blks_hit', OURS)}) + sum(${rate('pg_stat_database_blks_read', OURS)}))`,
            'hits',
          ],
        ),
        lines('Locks', { unit: 'short', description: 'Held or awaited, by mode.' }, [
          `sum by (mode) (${chosen('pg_locks_count')})`,
          '{{mode}}',
        ]),
      ],
    },
    {
      title: 'Writes and queries',
      panels: [
        lines('Rows written', { unit: 'wps', description: 'By table, of all ingestors.' }, [
          `sum by (table) (${rate('ingestor_rows_written_total')})`,
          '{{table}}',
        ]),
        lines(
          'Batch size',
          { unit: 'short', description: 'Rows of a transaction of the writer.' },
          [quantile(0.5, 'ingestor_batch_rows'), 'p50'],
          [quantile(0.99, 'ingestor_batch_rows'), 'p99'],
        ),
        lines('Requests to the gateway', { unit: 'reqps', description: 'By route and status.' }, [
          `sum by (route, status) (${rate('gateway_requests_total')})`,
          '{{route}} {{status}}',
        ]),
        lines(
          'Query time',
          { unit: 's', description: 'With the wait for a connection.', limit: 1 },
          [quantile(0.5, 'gateway_query_seconds'), 'p50'],
          [quantile(0.99, 'gateway_query_seconds'), 'p99'],
        ),
        lines(
          'Pool of the gateway',
          { unit: 'short', description: 'Connections, queries that wait for one, and the limit.' },
          [`sum by (state) (${chosen('gateway_pool_connections')})`, '{{state}}'],
          [`sum(${chosen('gateway_pool_connections_limit')})`, 'limit'],
        ),
        lines(
          'Turned away by the gateway',
          { unit: 'reqps', description: 'By reason. Usual: 0.' },
          [`sum by (reason) (${rate('gateway_refused_total')})`, '{{reason}}'],
        ),
      ],
    },
    {
      title: 'Storage',
      panels: [
        lines(
          'Size of the database',
          { unit: 'bytes', description: 'All of it, its hourly partitions, and their budget.' },
          [chosen('jobs_database_bytes'), 'database'],
          [chosen('jobs_hourly_partitions_bytes'), 'hourly partitions'],
          [chosen('jobs_hourly_partitions_budget_bytes'), 'budget'],
        ),
        lines(
          'Storage growth',
          { unit: 'Bps', description: 'Of the database. It falls when retention drops hours.' },
          [`deriv(${chosen('jobs_database_bytes')}[$__rate_interval])`, 'growth'],
        ),
        lines(
          'Partitions by fate',
          { unit: 'bytes', description: 'What retention would drop or keep now, and why.' },
          [
            `sum by (kind, reason) (${chosen('jobs_retention_partition_bytes')})`,
            '{{kind}}: {{reason}}',
          ],
        ),
        lines(
          'Archive lag',
          { unit: 's', description: 'How long the oldest due hour has waited.', limit: 3_600 },
          [chosen('jobs_archive_lag_seconds'), '{{instance}}'],
        ),
        lines(
          'Rollup lag',
          { unit: 's', description: 'Newest event minus the rolled-up time.', limit: 180 },
          [chosen('jobs_rollup_lag_seconds'), '{{rollup}}'],
        ),
      ],
    },
  ],
}
