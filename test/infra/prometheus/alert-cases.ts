/**
 * For each alert: series that raise it, and series of a healthy program that must not. In the
 * notation of promtool: `0x8` is nine samples of 0, 15 s apart; `0+5x8` grows by five.
 */

export interface AlertCase {
  readonly bad: Readonly<Record<string, string>>
  readonly good: Readonly<Record<string, string>>
}

const up = (job: string): AlertCase => ({
  bad: { [`up{job="${job}", instance="a"}`]: '1 1 1 0x8' },
  good: { [`up{job="${job}", instance="a"}`]: '1x5 0 1x5' },
})

const gauge = (series: string, bad: string, good: string): AlertCase => ({
  bad: { [series]: bad },
  good: { [series]: good },
})

const IS_PAUSED = 'ingestor_state{state="paused"}'
/** A threshold that a paused ingestor may cross. */
const unlessPaused = (name: string, bad: string, paused: string): AlertCase => ({
  bad: { [name]: bad, [IS_PAUSED]: '0x12' },
  good: { [name]: paused, [IS_PAUSED]: '1x12' },
})

export const ALERT_CASES: Readonly<Record<string, AlertCase>> = {
  IngestorDown: up('ingestor'),
  IngestorDatabaseAway: gauge('ingestor_database_away', '0 1x9', '0 0 1 0x9'),
  IngestorTapeFilling: {
    bad: { ingestor_tape_backlog_bytes: '60x12', ingestor_tape_limit_bytes: '100x12' },
    good: { ingestor_tape_backlog_bytes: '40x12', ingestor_tape_limit_bytes: '100x12' },
  },
  IngestorTapeFull: gauge('ingestor_state{state="tape_full"}', '0 1x9', '0x12'),
  IngestorLagging: {
    bad: { ingestor_lag_seconds: '20x12', ingestor_database_away: '0x12' },
    good: { ingestor_lag_seconds: '20x12', ingestor_database_away: '1x12' },
  },
  IngestorStreamsLost: unlessPaused('ingestor_stream_unheard_age_seconds_max', '0+5x12', '20x12'),
  IngestorFeedSilent: unlessPaused('ingestor_feed_silent_seconds', '0+15x12', '0+15x12'),
  IngestorStreamsRefused: gauge('ingestor_streams_refused', '2x12', '0x12'),
  IngestorBooksLost: gauge('ingestor_book_lost_age_seconds_max', '0+15x12', '0 5 0x9'),
  IngestorGaps: gauge('ingestor_gaps_total', '3 3 3 3 3 3 4x5', '3x12'),
  IngestorFramesRejected: gauge('ingestor_frames_rejected_total', '0x6 7x5', '7x12'),
  IngestorRowsConflicting: gauge(
    'ingestor_rows_conflicting_total{table="trades"}',
    '0x6 1x5',
    '1x12',
  ),
  IngestorDeadLetters: gauge('ingestor_dead_letters_total', '0x6 1x5', '1x12'),
  IngestorClockStepped: gauge('ingestor_clock_steps_total', '0x6 1x5', '1x12'),
  IngestorClockOff: gauge('ingestor_exchange_delay_seconds', '-0.2x12', '0.4x12'),
  IngestorPaused: gauge(IS_PAUSED, '1x12', '0x12'),
  JobsDown: up('jobs'),
  JobsDatabaseAway: gauge('jobs_database_up', '1 0x9', '1 0 1x9'),
  ObjectStoreAway: gauge('jobs_object_store_up', '1 0x9', '1 0 1x9'),
  JobFailing: gauge('jobs_failing_windows{job_name="archive"}', '1x12', '0x12'),
  JobLate: gauge('jobs_last_success_timestamp_seconds{job_name="rollups"}', '-200x12', '0+15x12'),
  JobGivenUp: gauge('jobs_queue_jobs{state="dead"}', '1x12', '0x12'),
  RollupLate: gauge('jobs_rollup_lag_seconds{rollup="bt_1s"}', '200x12', '40x12'),
  ArchiveLate: gauge('jobs_archive_lag_seconds', '4000x12', '300x12'),
  DiskOverBudget: {
    bad: { jobs_hourly_partitions_bytes: '120x12', jobs_hourly_partitions_budget_bytes: '100x12' },
    good: { jobs_hourly_partitions_bytes: '120x12', jobs_hourly_partitions_budget_bytes: '0x12' },
  },
  DatasetLate: gauge('jobs_dataset_age_seconds{dataset="candles"}', '109000x12', '100000x12'),
  GatewayDown: up('gateway'),
  GatewayDatabaseAway: gauge('gateway_refused_total{reason="database_away"}', '0+1x12', '9x12'),
  GatewayBusy: gauge('gateway_refused_total{reason="busy"}', '0+1x12', '9x12'),
  GatewaySecretWrong: gauge('gateway_refused_total{reason="secret"}', '0x6 1x5', '1x12'),
  GatewaySlow: {
    bad: {
      'gateway_query_seconds_bucket{le="1"}': '0x12',
      'gateway_query_seconds_bucket{le="5"}': '0+10x12',
      'gateway_query_seconds_bucket{le="+Inf"}': '0+10x12',
    },
    good: {
      'gateway_query_seconds_bucket{le="1"}': '0+10x12',
      'gateway_query_seconds_bucket{le="5"}': '0+10x12',
      'gateway_query_seconds_bucket{le="+Inf"}': '0+10x12',
    },
  },
  LiveDown: up('live'),
  ClustersDown: up('clusters'),
  LiveBehind: gauge('live_behind_seconds', '0+5x12', '0 12 0x9'),
  LiveSlow: {
    bad: {
      'live_delay_seconds_bucket{le="1"}': '0x12',
      'live_delay_seconds_bucket{le="5"}': '0+10x12',
      'live_delay_seconds_bucket{le="+Inf"}': '0+10x12',
    },
    good: {
      'live_delay_seconds_bucket{le="1"}': '0+10x12',
      'live_delay_seconds_bucket{le="5"}': '0+10x12',
      'live_delay_seconds_bucket{le="+Inf"}': '0+10x12',
    },
  },
  LiveClientsTooSlow: gauge(
    'live_closes_total{reason="consumer_too_slow"}',
    '0+3x12',
    '90 90 90 91 91 92x8',
  ),
  LiveResumesFailing: gauge('live_closes_total{reason="failed"}', '0x6 1x5', '1x12'),
  ConsoleDown: up('console'),
  IngestorHeartbeatLost: gauge(
    'console_ingestor_heartbeat_age_seconds{ingestor_id="local"}',
    '0+15x12',
    '10x12',
  ),
  PostgresDown: gauge('pg_up', '1 0x9', '1 0 1x9'),
  PostgresConnectionsNearLimit: {
    bad: { 'pg_stat_activity_count{state="idle"}': '90x12', pg_settings_max_connections: '100x12' },
    good: {
      'pg_stat_activity_count{state="idle"}': '40x12',
      pg_settings_max_connections: '100x12',
    },
  },
  PostgresExporterDown: up('postgres'),
  NodeExporterDown: up('node'),
  MachineDiskNearlyFull: {
    bad: disk(3),
    good: disk(30),
  },
}

function disk(avail: number): Readonly<Record<string, string>> {
  const labels = '{mountpoint="/", fstype="ext4"}'
  return {
    [`node_filesystem_avail_bytes${labels}`]: `${avail}x12`,
    [`node_filesystem_size_bytes${labels}`]: '100x12',
    [`node_filesystem_readonly${labels}`]: '0x12',
  }
}
